// Entry for Cloudflare Workers, where WebAssembly comes only as a module of the Worker's own.

import * as workers from "cloudflare:workers";
import { createCore } from "#core";
import module from "./core.wasm";
import { workerdContext } from "./context/workerd.js";
import { processVariable } from "./env.js";
import { read } from "./guard.js";
import { openModule } from "./load.js";
import { publicFunctions } from "./public.js";
import { ofServers } from "./servers.js";

export const { initTracer, withSession, enrichSession, enrichEvent, activeTracer, flush } =
  /* @__PURE__ */ publicFunctions({
    open: (onTrap) => openModule(createCore, module, onTrap),
    ...ofServers,
    // With Node's compatibility the bindings are in process.env too, but not in every version.
    variable: (name) => read(workers.env, name) ?? processVariable(name),
    newContext: () => workerdContext(workers),
    place: "edge",
    hint: "The bundler has to leave this package's import of core.wasm to the Workers runtime.",
  });
export { newEventId, sessionIdFrom, sessionIdFromHeaders } from "./public.js";
