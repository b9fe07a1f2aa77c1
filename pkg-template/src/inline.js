// What is the same wherever the module is text in the package's own file: Node, Deno, Bun, browsers.

import { anyContext } from "./context/any.js";
import { processVariable } from "./env.js";
import { inlineHint } from "./load.js";
import { browserPage } from "./page/page.js";
import { publicFunctions } from "./public.js";

/**
 * @param {import("./engine.js").Platform["open"]} open
 * @param {import("./engine.js").Platform["openNow"]} [openNow]
 * @param {() => string} [hint]
 */
export function inlineFunctions(open, openNow, hint = inlineHint) {
  return publicFunctions({
    open,
    openNow,
    variable: processVariable,
    newPage: browserPage,
    newContext: anyContext,
    get hint() {
      return hint();
    },
  });
}
