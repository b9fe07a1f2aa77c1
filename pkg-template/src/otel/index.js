// `honeyhive-edge/otel` for everything that may compile WebAssembly from bytes: Node, Deno, Bun, browsers and their bundlers.

import { createCore } from "#otel";
import base64 from "#otel.wasm.base64";
import { openBytes } from "./load.js";
import { otelFunctions } from "./public.js";

export const { enrichSpan } = /* @__PURE__ */ otelFunctions({
  open: openBytes(createCore, base64),
  hint: "A page with a Content-Security-Policy has to allow 'wasm-unsafe-eval' in script-src.",
});
