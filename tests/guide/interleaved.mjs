// The guide's examples in two requests that go in lock-step: after each await of the one, the other goes
// on to its own next await. Portable, as the examples are.

import * as guide from "./examples.mjs";

/** Waits that came to their end, by request, and who is done. Numbers only: no promise tells across a Worker's requests. */
const steps = [0, 0];
const isDone = [false, false];

/**
 * @param {typeof import("honeyhive-edge")} api
 * @param {{ who: 0 | 1, scene: Omit<import("./examples.mjs").Scene, "api" | "model"> }} what
 * @returns {Promise<{ facts: Record<string, any>, strays: object[], steps: number }>}
 *   `strays`: bare enrichments that reached another session than this request's last one
 */
export async function answer(api, { who, scene }) {
  /** @type {{ expected: string, reached: any }[]} */
  const strays = [];
  /** @type {any} */
  let last;

  /**
   * The same function; whoever awaits it goes on together with the other request.
   * @param {(...given: any[]) => Promise<any>} fn
   */
  const inStep =
    (fn) =>
    (/** @type {any[]} */ ...given) =>
      fn(...given).then(async (result) => {
        const step = ++steps[who];
        while (steps[1 - who] < step && !isDone[1 - who]) await sleep(1);
        return result;
      });

  /** @param {any[]} given */
  const initTracer = async (...given) => {
    const tracer = await api.initTracer(...given);
    last = tracer;
    return Object.assign(tracer, {
      addMetrics: inStep(tracer.addMetrics),
      close: inStep(tracer.close),
    });
  };
  /** @param {any[]} given */
  const enrichSession = async (...given) => {
    const [params] = given;
    const isBare = !(
      typeof params === "string" ||
      params?.sessionId ||
      params?.tracer ||
      params?.tracerInstance
    );
    const { sessionId } = last;
    const reached = await api.enrichSession(...given);
    if (isBare && reached.sessionId !== sessionId) strays.push({ expected: sessionId, reached });
    return reached;
  };
  const inLockStep = {
    ...api,
    initTracer: inStep(initTracer),
    enrichSession: inStep(enrichSession),
  };
  try {
    const model = inStep(guide.cannedModel);
    const facts = await guide.run({ ...scene, api: inLockStep, model });
    return { facts, strays, steps: steps[who] };
  } finally {
    isDone[who] = true;
  }
}

const sleep = (/** @type {number} */ ms) =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
