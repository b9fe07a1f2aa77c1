// `honeyhive-edge/otel` for everything that may compile WebAssembly from bytes: Node, Deno, Bun, browsers without a bundler.

import { createCore } from "#otel";
import base64 from "#otel.wasm.base64";
import { bytesOf, openModule } from "../load.js";
import { edgeHint, isWorkers, workersAtStart } from "../workers.js";
import { inlineFunctions } from "./inline.js";
import { otelFunctions } from "./public.js";

const bytes = () => bytesOf(base64);

function workersFunctions() {
  const { compiled, ...platform } = workersAtStart(bytes);
  return otelFunctions({
    ...platform,
    open: (onTrap) => openModule(createCore, compiled(), onTrap),
  });
}

export const { enrichSpan, SessionSpanProcessor, SessionPropagator, HoneyHiveSpanExporter } =
  isWorkers() ? workersFunctions() : inlineFunctions(bytes, edgeHint);
