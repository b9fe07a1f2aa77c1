// What is the same wherever the module of spans is text in the package's own file: Node, Deno, Bun, browsers.

import { createCore } from "#otel";
import { anyContext } from "../context/any.js";
import { processVariable } from "../env.js";
import { inlineHint, openBytes } from "../load.js";
import { otelFunctions } from "./public.js";

/**
 * @param {() => BufferSource} bytes makes the module's of that text
 * @param {() => string} [hint]
 */
export function inlineFunctions(bytes, hint = inlineHint) {
  return otelFunctions({
    // Synchronously, because a span may end right after the call that enriches it.
    open: (onTrap) => openBytes(createCore, bytes(), onTrap),
    variable: processVariable,
    newContext: anyContext,
    get hint() {
      return hint();
    },
  });
}
