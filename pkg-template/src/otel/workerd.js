// `honeyhive-edge/otel` for Cloudflare Workers, where WebAssembly comes only as a module of the Worker's own.

import * as workers from "cloudflare:workers";
import { createCore } from "#otel";
import module from "./otel.wasm";
import { openModule } from "../load.js";
import { workersPlatform } from "../workers.js";
import { otelFunctions } from "./public.js";

export const { enrichSpan, SessionSpanProcessor, SessionPropagator, HoneyHiveSpanExporter } =
  /* @__PURE__ */ otelFunctions({
    open: (onTrap) => openModule(createCore, module, onTrap),
    .../* @__PURE__ */ workersPlatform(workers),
    hint: "The bundler has to leave this package's import of otel.wasm to the Workers runtime.",
  });
