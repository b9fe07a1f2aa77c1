// Entry for builds that name all edge runtimes at once and import WebAssembly by unwasm, as Nitro's do.

import { createCore } from "#core";
import { openModule } from "./load.js";
import { publicFunctions } from "./public.js";
import { ofServers } from "./servers.js";
import { edgeHint, edgePlatform, forbidden, importedModule } from "./workers.js";

const module = /* @__PURE__ */ importedModule(
  // Nitro replaces this expression by the name of its preset. For this preset, unwasm compiles bytes at the top of the
  // function's only file. Vercel's edge forbids that, so the whole function would fail.
  () => (import.meta.preset === "vercel-edge" ? forbidden() : import("./core.wasm?module")),
);

export const { initTracer, withSession, enrichSession, enrichEvent, activeTracer, flush } =
  /* @__PURE__ */ publicFunctions({
    .../* @__PURE__ */ edgePlatform(),
    open: (onTrap) => openModule(createCore, module(), onTrap),
    ...ofServers,
    get hint() {
      return edgeHint();
    },
  });
export { newEventId, sessionIdFrom, sessionIdFromHeaders } from "./public.js";
