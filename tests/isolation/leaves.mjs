// What is active in a session that is entered, and after it was left again, in each way in which code goes
// on: after a throw, nested, across awaits, timers, streams and `.then`. Portable.

import { sleep } from "./requests.mjs";

/**
 * @param {typeof import("honeyhive-edge")} api
 * @param {{ options: Parameters<typeof api.initTracer>[0], name: string }} what `name` is the request's own
 * @returns {Promise<{ places: Record<string, { expected: string, active: string | undefined, delivery: any }>, thrown: string[] }>}
 */
export async function answer(api, { options, name }) {
  const { initTracer, enrichSession, activeTracer, withSession } = api;
  /** @type {Record<string, any>} */
  const places = {};
  /** @type {Promise<void>[]} */
  const said = [];
  /** @type {string[]} */
  const thrown = [];

  const outer = await initTracer(options);
  const inner = outer.startSession();
  const innermost = outer.startSession();

  /**
   * @param {string} place
   * @param {{ sessionId: string }} expected
   */
  const say = (place, { sessionId: expected }) => {
    const active = activeTracer()?.sessionId;
    const delivered = enrichSession({ metadata: { [`${name} ${place}`]: expected } });
    said.push(delivered.then((delivery) => void (places[place] = { expected, active, delivery })));
  };
  const pause = () => sleep(Math.random() * 10);
  const fails = (/** @type {string} */ message) => {
    throw new Error(message);
  };
  const note = (/** @type {unknown} */ error) =>
    void thrown.push(/** @type {Error} */ (error).message);

  say("at first", outer);
  inner.run(() => say("in a function", inner));
  say("after a function", outer);

  try {
    inner.run(() => fails("sync"));
  } catch (error) {
    note(error);
  }
  say("after a throw", outer);

  await inner
    .run(async () => {
      await pause();
      say("before a rejection", inner);
      fails("async");
    })
    .catch(note);
  say("after a rejection", outer);

  await inner.run(async () => {
    await pause();
    await innermost.run(async () => {
      await pause();
      say("nested", innermost);
      outer.run(() => say("nested in itself", outer));
    });
    say("after what was nested", inner);
    try {
      innermost.run(() => fails("nested"));
    } catch (error) {
      note(error);
    }
    await pause();
    say("after a nested throw", inner);
  });
  say("after all that was nested", outer);

  await inner.run(
    () =>
      new Promise((resolve) => {
        setTimeout(() => {
          say("in a timer", inner);
          resolve(undefined);
        }, 5);
      }),
  );
  say("after a timer", outer);

  const chained = inner.run(() =>
    sleep(5).then(() => {
      say("in a then", inner);
      return sleep(5).then(() => say("in a then of a then", inner));
    }),
  );
  say("while a then waits", outer);
  await chained.then(() => say("in a then of who called", outer));

  await inner.run(async () => {
    const stream = new ReadableStream({
      async pull(controller) {
        await pause();
        controller.enqueue("chunk");
        controller.close();
      },
    });
    const reader = stream.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      say("between a stream's chunks", inner);
    }
    say("after a stream", inner);
  });

  await inner.run(
    () => new Promise((resolve) => queueMicrotask(() => resolve(say("in a microtask", inner)))),
  );

  await withSession(options ?? {}, async (tracer) => {
    await pause();
    say("within", tracer);
    await inner.run(pause);
    say("within, after another", tracer);
  });
  say("after withSession", outer);
  await withSession(options ?? {}, () => fails("within")).catch(note);
  say("after a throw in withSession", outer);

  // Two beside one another, neither of which waits for the other.
  await Promise.all(
    [inner, innermost].map((tracer, n) =>
      tracer.run(async () => {
        for (let turn = 0; turn < 3; turn++) {
          await pause();
          say(`beside ${n} ${turn}`, tracer);
        }
      }),
    ),
  );
  say("at last", outer);
  await Promise.all(said);
  return { places, thrown };
}
