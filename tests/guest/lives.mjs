// Random programs of sessions, `run`, awaits, timers and thenables, whose every bare call says which session it
// was written in. Portable: it runs in Node, in a page and in workerd, with whatever stands for `Promise` there.
// No enrichment may reach another session than the one around it; where a runtime cannot tell (a page), it may
// reach none.

/**
 * @typedef {object} World
 * @property {typeof import("honeyhive-edge")} api
 * @property {any} Promises the class of promises that the program makes; the engine's, zone.js's, Bluebird's
 * @property {boolean} follows does the runtime follow code across timers?
 * @property {boolean} [losesThen] are the callbacks of `then` called without the context they were given in? So does
 *   Bluebird, unless its `asyncHooks` are on
 */

/**
 * @typedef {object} Seen
 * @property {number} right enrichments that reached the session around them
 * @property {number} none enrichments that reached no session
 * @property {string[]} wrong
 * @property {number} thens calls of `then` beyond the first of a lazy object
 */

/** Numbers from 0 to 1, the same for the same seed: mulberry32. @param {number} seed */
function chance(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {number} seed
 * @param {World} world
 * @returns {Promise<Seen>}
 */
export async function live(seed, { api, Promises, follows, losesThen }) {
  const random = chance(seed);
  const pick = (/** @type {number} */ count) => Math.floor(random() * count);
  /** @type {Seen} */
  const seen = { right: 0, none: 0, wrong: [], thens: 0 };
  const options = () => ({
    apiKey: "hh_guest",
    serverUrl: "http://127.0.0.1:9",
    mergeWindowMs: 1,
    logLevel: /** @type {const} */ ("silent"),
    persist: false,
    fetch: /** @type {any} */ (
      async () => {
        await pause(pick(3));
        return new Response("{}");
      }
    ),
  });

  const call = async (/** @type {string} */ around, /** @type {string} */ where) => {
    const outcome = await api.enrichSession({ metadata: { seed } });
    if (outcome.status === "dropped" && outcome.reason === "no_session") {
      seen.none++;
      if (follows) seen.wrong.push(`${seed}: ${where} in ${around} reached no session`);
    } else if (outcome.sessionId === around && outcome.status === "delivered") {
      seen.right++;
    } else {
      seen.wrong.push(`${seed}: ${where} in ${around} was ${JSON.stringify(outcome)}`);
    }
  };

  /** An object that does its work when its `then` is called, each time. */
  const lazy = (/** @type {() => Promise<unknown>} */ work) => {
    let calls = 0;
    /** @type {any} */
    const object = {
      then(/** @type {any} */ fulfilled, /** @type {any} */ rejected) {
        if (++calls > 1) seen.thens++;
        return work().then(fulfilled, rejected);
      },
    };
    return object;
  };

  /** @type {((work: () => Promise<unknown>) => () => any)[]} */
  const shapes = [
    (work) => work,
    (work) => () => new Promises((/** @type {any} */ fulfil) => void work().then(fulfil)),
    (work) => () => Promises.resolve(1).then.call(Promises.resolve(work()), () => 1),
    (work) => () => lazy(work),
    (work) => async () => lazy(work),
    (work) => () => {
      const working = work();
      return { then: working.then.bind(working) };
    },
    (work) => () => Object.freeze(lazy(work)),
  ];
  const block = async (/** @type {any} */ tracer, /** @type {number} */ depth) => {
    const around = tracer.sessionId;
    for (let steps = 1 + pick(4); steps > 0; steps--) {
      const inner = (/** @type {any} */ own) => block(own, depth + 1);
      switch (depth > 3 ? pick(4) : pick(8)) {
        case 0:
          await call(around, "an awaited call");
          break;
        case 1:
          await pause(pick(3));
          await call(around, "a call after a timer");
          break;
        case 2:
          await Promises.resolve(pick(3));
          await call(around, "a call after a promise");
          break;
        case 3:
          await call(around, "a call");
          await new Promises((/** @type {any} */ fulfil) => setTimeout(fulfil, pick(3)));
          if (follows) {
            await new Promise((done) => setTimeout(() => call(around, "a timer").then(done), 1));
            if (!losesThen) await pause(0).then(() => call(around, "a call in then"));
          }
          break;
        case 4: {
          /** @type {any} */
          let own;
          const fn = shapes[pick(shapes.length)]?.(() => inner(own)) ?? (() => 0);
          await api.withSession(options(), (given) => ((own = given), fn()));
          break;
        }
        case 5: {
          const own = tracer.startSession();
          const fn = shapes[pick(shapes.length)]?.(() => inner(own)) ?? (() => 0);
          await own.run(fn);
          await own.close();
          break;
        }
        case 6:
          await Promise.all([
            api.withSession(options(), inner),
            api.withSession(options(), shapes[1]?.(async () => pause(1)) ?? (() => 0)),
          ]);
          break;
        default:
          tracer.run(() => void api.activeTracer());
          if (tracer.run(() => api.activeTracer()?.sessionId) !== around) {
            seen.wrong.push(`${seed}: run in ${around} does not know its session`);
          }
      }
    }
  };

  const outer = await api.initTracer(options());
  await block(outer, 0);
  await outer.close();
  return seen;
}

/**
 * @param {number} from
 * @param {number} to
 * @param {World} world
 */
export async function liveAll(from, to, world) {
  const all = { right: 0, none: 0, wrong: /** @type {string[]} */ ([]), thens: 0 };
  for (let seed = from; seed < to; seed++) {
    const seen = await live(seed, world);
    all.right += seen.right;
    all.none += seen.none;
    all.thens += seen.thens;
    all.wrong.push(...seen.wrong);
  }
  all.wrong.splice(10);
  return all;
}
