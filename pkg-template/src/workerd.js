// Entry for Cloudflare Workers, where WebAssembly comes only as a module of the Worker's own.

import * as workers from "cloudflare:workers";
import { createCore } from "#core";
import module from "./core.wasm";
import { openModule } from "./load.js";
import { publicFunctions } from "./public.js";
import { ofServers } from "./servers.js";
import { workersPlatform } from "./workers.js";

export const { initTracer, withSession, enrichSession, enrichEvent, activeTracer, flush } =
  /* @__PURE__ */ publicFunctions({
    open: (onTrap) => openModule(createCore, module, onTrap),
    .../* @__PURE__ */ workersPlatform(workers),
    ...ofServers,
    hint: "The bundler has to leave this package's import of core.wasm to the Workers runtime.",
  });
export { newEventId, sessionIdFrom, sessionIdFromHeaders } from "./public.js";
