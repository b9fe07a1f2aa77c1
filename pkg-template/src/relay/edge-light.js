// `honeyhive-edge/relay` for Vercel's edge runtime and Next.js on it: with `?module`, the bundler provides a compiled module.

import { createCore } from "#relay";
import module from "./relay.wasm?module";
import { processVariable } from "../env.js";
import { openModule } from "../load.js";
import { relayFunctions } from "./public.js";

export const { issueTicket, createRelay, createConsumer } = /* @__PURE__ */ relayFunctions({
  open: (onTrap) => openModule(createCore, module, onTrap),
  variable: processVariable,
  hint: "The bundler has to hand over relay.wasm?module as a compiled module.",
});
