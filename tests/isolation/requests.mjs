// What a request of an application does with the package, in whichever runtime. Portable: what a
// runtime has of its own, its entry file brings.

/**
 * @typedef {typeof import("honeyhive-edge")} Package
 * @typedef {Parameters<Package["initTracer"]>[0]} Options
 * @typedef {Awaited<ReturnType<Package["initTracer"]>>} Tracer
 */

/** How many bare calls a request makes in `wanders`. */
export const CALLS = 5;

/**
 * Five bare calls with random awaits of different kinds before each.
 * @param {Package} api
 * @param {{ options: Options, name: string }} what `name` is the request's own
 */
export async function wanders(api, { options, name }) {
  await wander();
  const tracer = await api.initTracer(options);
  const reached = [];
  for (let n = 0; n < CALLS; n++) {
    await wander();
    reached.push(api.enrichSession({ metadata: { [`${name} ${n}`]: tracer.sessionId } }));
  }
  const active = api.activeTracer()?.sessionId;
  const deliveries = await Promise.all(reached);
  return { sessionId: tracer.sessionId, active, deliveries };
}

/** Waits a little, in one of the ways in which code waits. */
async function wander() {
  const ms = Math.random() * 20;
  const ways = [
    () => sleep(ms),
    async () => {
      await sleep(ms / 2);
      await Promise.resolve();
      await sleep(ms / 2);
    },
    () => Promise.all([sleep(ms), sleep(ms / 2)]),
    () => Promise.race([sleep(ms), sleep(ms + 1)]),
    async () => {
      for await (const _ of read(ms));
    },
    () => sleep(ms).then(() => sleep(1)),
    async () => {
      await { then: (/** @type {() => void} */ done) => void setTimeout(done, ms) };
    },
  ];
  await ways[Math.floor(Math.random() * ways.length)]?.();
}

export const sleep = (/** @type {number} */ ms) =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), ms));

/** @param {number} ms how long the stream takes */
async function* read(ms) {
  const stream = new ReadableStream({
    async start(controller) {
      await sleep(ms / 2);
      controller.enqueue("a");
      await sleep(ms / 2);
      controller.close();
    },
  });
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
