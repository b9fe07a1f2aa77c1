// `honeyhive-edge/relay` for everything that may compile WebAssembly from bytes: Node, Deno, Bun.

import { createCore } from "#relay";
import base64 from "#relay.wasm.base64";
import { processVariable } from "../env.js";
import { bytesOf, openBytes } from "../load.js";
import { relayFunctions } from "./public.js";

export const { issueTicket, createRelay, createConsumer } = /* @__PURE__ */ relayFunctions({
  open: (onTrap) => openBytes(createCore, bytesOf(base64), onTrap),
  variable: processVariable,
  hint: "The runtime has to allow WebAssembly.",
});
