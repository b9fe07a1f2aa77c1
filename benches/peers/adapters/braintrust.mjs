// Braintrust: a session is a span of a logger, and span.log() adds to it.

import { initLogger } from "braintrust";

export function setup({ url }) {
  const logger = initLogger({ projectName: "bench", apiKey: "sk-bench", appUrl: url });
  const spans = new Map();
  return {
    update(sessionId, key, payload) {
      let span = spans.get(sessionId);
      if (!span) spans.set(sessionId, (span = logger.startSpan({ event: { id: sessionId } })));
      span.log({ metadata: { [key]: payload } });
    },
    flush: () => logger.flush(),
  };
}
