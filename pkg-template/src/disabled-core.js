// Stands in where the real core can not be started: a page whose Content-Security-Policy forbids
// WebAssembly, a runtime without it. Sends nothing, and says so in every outcome, so that the rest of
// the face need not know.

/**
 * @param {string} message
 * @returns {import("./core.d.ts").Core}
 */
export function disabledCore(message) {
  /** @type {import("./core.d.ts").Host} */
  let host;
  let lastTracer = 0;
  let lastId = 0;
  let dropped = 0;

  /** @param {import("../index.d.ts").Delivery | import("../index.d.ts").FlushReport} outcome */
  const settleSoon = (outcome) => {
    const id = ++lastId;
    Promise.resolve().then(() => host.settle(id, JSON.stringify(outcome)));
    return id;
  };
  /** @param {number} tracer */
  const drop = (tracer) => {
    dropped++;
    // Without the core there is no masking either, so what was lost is not shown.
    host.dropped(tracer, JSON.stringify({ reason: "disabled", message, enrichment: {} }));
    return settleSoon({ status: "dropped", reason: "disabled", message });
  };
  const report = () => settleSoon({ delivered: 0, dropped, pending: 0 });

  return {
    connect(given) {
      host = given;
    },
    initTracer(options) {
      return JSON.stringify({
        tracer: ++lastTracer,
        ...plainInfo(JSON.parse(options)),
        enabled: false,
      });
    },
    enrichSession: drop,
    addMetrics: drop,
    flush: report,
    close: report,
    release() {},
    restore() {},
    onlyKept() {},
    turn() {},
    tracers: () => 0,
    run: () => -1,
    requestAnswered() {},
  };
}

/**
 * What is known of a tracer without the core.
 * @param {import("./core.d.ts").CoreOptions} options
 * @param {import("./core.d.ts").TracerInfo} [parent]
 */
export function plainInfo({ sessionId, sessionName, project, source, newSessionId, env }, parent) {
  return {
    sessionId: text(sessionId) ?? newSessionId,
    sessionName: text(sessionName) ?? parent?.sessionName ?? text(env.HH_SESSION_NAME) ?? "session",
    project: text(project) ?? parent?.project ?? text(env.HH_PROJECT),
    source: text(source) ?? parent?.source ?? text(env.HH_SOURCE) ?? "dev",
  };
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" && value !== "" ? value : undefined;
}
