// Where WebAssembly is not permitted (a page whose policy lacks 'wasm-unsafe-eval'): nothing throws,
// everything is dropped and says why.

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys }) {
  /** @type {any[]} */
  const dropped = [];
  const tracer = await api.initTracer({
    apiKey: keys.main,
    serverUrl: servers.v1,
    sessionName: "blocked",
    onDrop: (lost) => void dropped.push(lost),
  });
  const deliveries = [
    await tracer.enrichSession({ metadata: { a: 1 } }),
    await api.enrichSession({ metadata: { b: 2 } }),
    await tracer.addMetrics({ tokens: 1 }),
    await api.enrichSession(),
  ];
  const child = tracer.startSession({ sessionName: "child" });
  deliveries.push(await child.enrichSession({ outputs: { c: 3 } }));
  const value = tracer.run(() => "value");
  const within = await api.withSession(
    { apiKey: keys.main, serverUrl: servers.v1 },
    async (inner) => {
      deliveries.push(await inner.enrichSession({ metadata: { d: 4 } }));
      return "within";
    },
  );
  const reports = [await api.flush(), await child.close(), await tracer.close()];
  return {
    deliveries,
    value,
    within,
    reports,
    dropped: dropped.length,
    names: [tracer.sessionName, tracer.source, typeof tracer.sessionId],
  };
}
