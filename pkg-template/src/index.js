// Entry for everything that may compile WebAssembly from bytes: Node, Deno, Bun, and browsers without a bundler.

import { createCore } from "#core";
import base64 from "#core.wasm.base64";
import { inlineFunctions } from "./inline.js";
import { deflatedOpener } from "./load.js";

export const { initTracer, withSession, enrichSession, activeTracer, flush } =
  /* @__PURE__ */ inlineFunctions(/* @__PURE__ */ deflatedOpener(createCore, base64));
export { sessionIdFrom, sessionIdFromHeaders } from "./public.js";
