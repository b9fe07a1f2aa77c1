// Entry for everything that may compile WebAssembly from bytes: Node, Deno, Bun, browsers and their bundlers.

import { createCore } from "#core";
import base64 from "#core.wasm.base64";
import { alsContext, asyncLocalStorage } from "./context/als.js";
import { pageContext } from "./context/page.js";
import { processVariable } from "./env.js";
import { inlineOpener } from "./load.js";
import { browserPage } from "./page/page.js";
import { publicFunctions } from "./public.js";

export const { initTracer, withSession, enrichSession, activeTracer, flush } =
  /* @__PURE__ */ publicFunctions({
    open: inlineOpener(createCore, base64),
    variable: processVariable,
    newPage: browserPage,
    newContext() {
      const AsyncLocalStorage = asyncLocalStorage();
      return AsyncLocalStorage ? alsContext(AsyncLocalStorage) : pageContext();
    },
    hint: "A page with a Content-Security-Policy has to allow 'wasm-unsafe-eval' in script-src.",
  });
export { sessionIdFrom, sessionIdFromHeaders } from "./public.js";
