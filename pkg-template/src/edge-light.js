// Entry for Vercel's edge runtime and Next.js on it: `?module` has the bundler hand over a compiled module.

import { createCore } from "#core";
import module from "./core.wasm?module";
import { anyContext } from "./context/any.js";
import { processVariable } from "./env.js";
import { openModule } from "./load.js";
import { publicFunctions } from "./public.js";
import { ofServers } from "./servers.js";

export const { initTracer, withSession, enrichSession, enrichEvent, activeTracer, flush } =
  /* @__PURE__ */ publicFunctions({
    open: (onTrap) => openModule(createCore, module, onTrap),
    ...ofServers,
    variable: processVariable,
    newContext: anyContext,
    place: "edge",
    hint: "The bundler has to hand over core.wasm?module as a compiled module.",
  });
export { newEventId, sessionIdFrom, sessionIdFromHeaders } from "./public.js";
