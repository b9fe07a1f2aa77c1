// `honeyhive-edge/otel` for Cloudflare Workers, where WebAssembly comes only as a module of the Worker's own.

import * as workers from "cloudflare:workers";
import { createCore } from "#otel";
import module from "./otel.wasm";
import { workerdContext } from "../context/workerd.js";
import { processVariable } from "../env.js";
import { read } from "../guard.js";
import { openModule } from "../load.js";
import { otelFunctions } from "./public.js";

export const { enrichSpan, SessionSpanProcessor, SessionPropagator, HoneyHiveSpanExporter } =
  /* @__PURE__ */ otelFunctions({
    open: (onTrap) => openModule(createCore, module, onTrap),
    // With Node's compatibility the bindings are in process.env too, but not in every version.
    variable: (name) => read(workers.env, name) ?? processVariable(name),
    newContext: () => workerdContext(workers),
    place: "edge",
    hint: "The bundler has to leave this package's import of otel.wasm to the Workers runtime.",
  });
