// `honeyhive-edge/otel` for Vercel's edge runtime and Next.js on it: `?module` has the bundler hand over a compiled module.

import { createCore } from "#otel";
import module from "./otel.wasm?module";
import { anyContext } from "../context/any.js";
import { processVariable } from "../env.js";
import { openModule } from "../load.js";
import { otelFunctions } from "./public.js";

export const { enrichSpan, SessionSpanProcessor, SessionPropagator, HoneyHiveSpanExporter } =
  /* @__PURE__ */ otelFunctions({
    open: (onTrap) => openModule(createCore, module, onTrap),
    variable: processVariable,
    newContext: anyContext,
    place: "edge",
    hint: "The bundler has to hand over otel.wasm?module as a compiled module.",
  });
