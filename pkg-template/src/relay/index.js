// `honeyhive-edge/relay` for everything that may compile WebAssembly from bytes: Node, Deno, Bun.

import { createCore } from "#relay";
import base64 from "#relay.wasm.base64";
import { processVariable } from "../env.js";
import { bytesOf, openBytes, openModule } from "../load.js";
import { edgeHint, isWorkers, workersAtStart } from "../workers.js";
import { relayFunctions } from "./public.js";

const bytes = () => bytesOf(base64);

function workersFunctions() {
  const { compiled, ...platform } = workersAtStart(bytes);
  return relayFunctions({
    ...platform,
    open: (onTrap) => openModule(createCore, compiled(), onTrap),
  });
}

function serverFunctions() {
  return relayFunctions({
    open: (onTrap) => openBytes(createCore, bytes(), onTrap),
    variable: processVariable,
    get hint() {
      return edgeHint();
    },
  });
}

export const { issueTicket, createRelay, createConsumer } = isWorkers()
  ? workersFunctions()
  : serverFunctions();
