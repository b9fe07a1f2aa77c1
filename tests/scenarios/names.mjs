// The Python SDK's spellings, snake_case, in options and in enrichments.

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys }) {
  const initTracer = /** @type {(options: any) => ReturnType<typeof api.initTracer>} */ (
    api.initTracer
  );
  const enrichSession = /** @type {(...params: any[]) => ReturnType<typeof api.enrichSession>} */ (
    api.enrichSession
  );
  const first = await initTracer({
    api_key: keys.main,
    server_url: servers.v1,
    session_name: "snake",
    session_id: "3f0a6c1e-0b57-4c0b-9a55-5d3f5a1c7e01",
    user_properties: { plan: "pro" },
    merge_window_ms: 1,
  });
  const second = await initTracer({
    api_key: keys.other,
    server_url: servers.second,
    session_name: "case",
    merge_window_ms: 1,
  });
  const deliveries = await Promise.all([
    enrichSession({
      tracer_instance: first,
      metadata: { by: "tracer_instance" },
      user_properties: { tier: "gold" },
      end_time: 1_700_000_000_000,
    }),
    enrichSession({ tracerInstance: second, metadata: { by: "tracerInstance" } }),
  ]);
  await second.close();
  // The tracer begun last is closed; an id names the session of one that is open.
  const byId = await enrichSession({ session_id: first.sessionId, feedback: { by: "session_id" } });
  await first.close();
  return { first: first.sessionId, second: second.sessionId, deliveries, byId };
}
