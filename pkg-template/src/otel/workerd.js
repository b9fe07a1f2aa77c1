// `honeyhive-edge/otel` for Cloudflare Workers, where WebAssembly comes only as a module of the Worker's own.

import { createCore } from "#otel";
import module from "./otel.wasm";
import { openModule } from "../load.js";
import { otelFunctions } from "./public.js";

export const { enrichSpan } = /* @__PURE__ */ otelFunctions({
  open: (onTrap) => openModule(createCore, module, onTrap),
  hint: "The bundler has to leave this package's import of otel.wasm to the Workers runtime.",
});
