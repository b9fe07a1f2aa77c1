// What is the same wherever the module is text in the package's own file: Node, Deno, Bun, browsers.

import { anyContext } from "./context/any.js";
import { processVariable } from "./env.js";
import { inlineHint } from "./load.js";
import { browserPage } from "./page/page.js";
import { publicFunctions } from "./public.js";

/**
 * @param {Omit<import("./api.js").TracerPlatform, "variable" | "newContext" | "hint">} module how it is opened, and what it can do
 * @param {() => string} [hint]
 */
export function inlineFunctions(module, hint = inlineHint) {
  return publicFunctions({
    ...module,
    variable: processVariable,
    newPage: browserPage,
    newContext: anyContext,
    get hint() {
      return hint();
    },
  });
}
