// Langfuse's classic SDK, v3: a session's trace is upserted by its id.
// https://langfuse.com/docs/sdk/typescript/guide

import { Langfuse } from "langfuse";

export function setup({ url }) {
  const langfuse = new Langfuse({
    publicKey: "pk-lf-bench",
    secretKey: "sk-lf-bench",
    baseUrl: url,
  });
  return {
    update(sessionId, key, payload) {
      langfuse.trace({ id: sessionId, sessionId, metadata: { [key]: payload } });
    },
    flush: () => langfuse.flushAsync(),
  };
}
