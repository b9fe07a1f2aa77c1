// `honeyhive-edge/relay` for Cloudflare Workers, where WebAssembly must be a module of the Worker itself.

import * as workers from "cloudflare:workers";
import { createCore } from "#relay";
import module from "./relay.wasm";
import { processVariable } from "../env.js";
import { read } from "../guard.js";
import { openModule } from "../load.js";
import { relayFunctions } from "./public.js";

export const { issueTicket, createRelay, createConsumer } = /* @__PURE__ */ relayFunctions({
  open: (onTrap) => openModule(createCore, module, onTrap),
  variable: (name) => read(workers.env, name) ?? processVariable(name),
  hint: "The bundler has to leave this package's import of relay.wasm to the Workers runtime.",
});
