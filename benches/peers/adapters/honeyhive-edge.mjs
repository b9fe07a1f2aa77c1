// This package, as its README says.

import { enrichSession, initTracer } from "honeyhive-edge";

export async function setup({ url }) {
  const tracer = await initTracer({ apiKey: "bench", serverUrl: url, logLevel: "error" });
  return {
    update(sessionId, key, payload) {
      return enrichSession(sessionId, { metadata: { [key]: payload } });
    },
    flush: () => tracer.flush({ timeoutMs: 120_000 }),
  };
}
