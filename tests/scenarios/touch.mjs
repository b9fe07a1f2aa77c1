// Calls without data: they make sure that a session exists, on a current deployment and on one that
// knows only the legacy routes.

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys }) {
  const { initTracer, enrichSession } = api;
  /** @type {Record<string, any>} */
  const facts = {};
  for (const name of /** @type {const} */ (["v1", "legacy"])) {
    const tracer = await initTracer({
      apiKey: keys.main,
      serverUrl: servers[name],
      sessionName: "touching",
      mergeWindowMs: 1,
    });
    const started = await tracer.enrichSession({ metadata: { a: 1 } });
    const touched = await enrichSession();
    const emptied = await enrichSession({});
    const unknown = newUuid();
    const made = await enrichSession(unknown);
    const other = newUuid();
    const madeByKey = await enrichSession({ sessionId: other });
    await tracer.close();
    facts[name] = {
      sessionId: tracer.sessionId,
      unknown,
      other,
      deliveries: { started, touched, emptied, made, madeByKey },
    };
  }
  return facts;
}

/** `crypto.randomUUID` is not there in a page of plain http. */
function newUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const [a, b, c, d] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(13, 16), hex.slice(17, 20)];
  return `${a}-${b}-4${c}-8${d}-${hex.slice(20)}`;
}
