// Langfuse's current SDK: an observation of the session, through OpenTelemetry. Metadata of a trace
// itself are strings of at most 200 characters there, so what is said is an observation's.

import { LangfuseSpanProcessor } from "@langfuse/otel";
import { propagateAttributes, startObservation } from "@langfuse/tracing";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

export function setup({ url }) {
  const processor = new LangfuseSpanProcessor({
    publicKey: "pk-lf-bench",
    secretKey: "sk-lf-bench",
    baseUrl: url,
  });
  new NodeTracerProvider({ spanProcessors: [processor] }).register();
  return {
    update(sessionId, key, payload) {
      propagateAttributes({ sessionId }, () => {
        startObservation("update", { metadata: { [key]: payload } }).end();
      });
    },
    flush: () => processor.forceFlush(),
  };
}
