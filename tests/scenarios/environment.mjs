// Everything from the environment: initTracer() with no word of key, server, project or names.

/** @param {import("./runner.mjs").Context} context */
export async function run({ api }) {
  const tracer = await api.initTracer();
  const delivery = await api.enrichSession({ metadata: { from: "the environment" } });
  const report = await tracer.close();
  const { sessionId, sessionName, project, source, enabled } = tracer;
  return { sessionId, sessionName, project, source, enabled, delivery, report };
}
