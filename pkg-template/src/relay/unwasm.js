// `honeyhive-edge/relay` for builds that name all edge runtimes at once and import WebAssembly by unwasm, as Nitro's do.

import { createCore } from "#relay";
import { openModule } from "../load.js";
import { edgeHint, edgePlatform, forbidden, importedModule } from "../workers.js";
import { relayFunctions } from "./public.js";

const module = /* @__PURE__ */ importedModule(
  // Nitro replaces this expression by the name of its preset. For this preset, unwasm compiles bytes at the top of the
  // function's only file. Vercel's edge forbids that, so the whole function would fail.
  () => (import.meta.preset === "vercel-edge" ? forbidden() : import("./relay.wasm?module")),
);

export const { issueTicket, createRelay, createConsumer } = /* @__PURE__ */ relayFunctions({
  .../* @__PURE__ */ edgePlatform(),
  open: (onTrap) => openModule(createCore, module(), onTrap),
  get hint() {
    return edgeHint();
  },
});
