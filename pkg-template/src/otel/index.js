// `honeyhive-edge/otel` for everything that may compile WebAssembly from bytes: Node, Deno, Bun, browsers and their bundlers.

import { createCore } from "#otel";
import base64 from "#otel.wasm.base64";
import { alsContext, asyncLocalStorage } from "../context/als.js";
import { pageContext } from "../context/page.js";
import { processVariable } from "../env.js";
import { bytesOf, inlineHint, openBytes } from "../load.js";
import { otelFunctions } from "./public.js";

export const { enrichSpan, SessionSpanProcessor, SessionPropagator, HoneyHiveSpanExporter } =
  /* @__PURE__ */ otelFunctions({
    // At once: a span is enriched in the moment it is asked for, or it has ended.
    open: (onTrap) => openBytes(createCore, bytesOf(base64), onTrap),
    variable: processVariable,
    newContext() {
      const AsyncLocalStorage = asyncLocalStorage();
      return AsyncLocalStorage ? alsContext(AsyncLocalStorage) : pageContext();
    },
    get hint() {
      return inlineHint();
    },
  });
