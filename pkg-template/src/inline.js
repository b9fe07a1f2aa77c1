// What is the same wherever the module is text in the package's own file: Node, Deno, Bun, browsers.

import { alsContext, asyncLocalStorage } from "./context/als.js";
import { pageContext } from "./context/page.js";
import { processVariable } from "./env.js";
import { inlineHint } from "./load.js";
import { browserPage } from "./page/page.js";
import { publicFunctions } from "./public.js";

/**
 * @param {import("./engine.js").Platform["open"]} open
 * @param {import("./engine.js").Platform["openNow"]} [openNow]
 */
export function inlineFunctions(open, openNow) {
  return publicFunctions({
    open,
    openNow,
    variable: processVariable,
    newPage: browserPage,
    newContext() {
      const AsyncLocalStorage = asyncLocalStorage();
      return AsyncLocalStorage ? alsContext(AsyncLocalStorage) : pageContext();
    },
    get hint() {
      return inlineHint();
    },
  });
}
