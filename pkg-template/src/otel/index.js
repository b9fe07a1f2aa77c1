// `honeyhive-edge/otel` for everything that may compile WebAssembly from bytes: Node, Deno, Bun, browsers without a bundler.

import { createCore } from "#otel";
import base64 from "#otel.wasm.base64";
import { bytesOf, inlineHint, openModule } from "../load.js";
import { compileAtStart, isWorkers, workersPlatform } from "../workers.js";
import { inlineFunctions } from "./inline.js";
import { otelFunctions } from "./public.js";

const bytes = () => bytesOf(base64);

function workersFunctions() {
  const compiled = compileAtStart(bytes);
  return otelFunctions({
    ...workersPlatform(),
    open: (onTrap) => openModule(createCore, compiled(), onTrap),
    hint: inlineHint(),
  });
}

export const { enrichSpan, SessionSpanProcessor, SessionPropagator, HoneyHiveSpanExporter } =
  isWorkers() ? workersFunctions() : inlineFunctions(bytes);
