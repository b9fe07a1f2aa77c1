// `honeyhive-edge/otel` for everything that may compile WebAssembly from bytes: Node, Deno, Bun, browsers without a bundler.

import base64 from "#otel.wasm.base64";
import { bytesOf } from "../load.js";
import { inlineFunctions } from "./inline.js";

export const { enrichSpan, SessionSpanProcessor, SessionPropagator, HoneyHiveSpanExporter } =
  /* @__PURE__ */ inlineFunctions(() => bytesOf(base64));
