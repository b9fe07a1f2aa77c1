// Entry for everything that may compile WebAssembly from bytes: Node, Deno, Bun, and browsers without a bundler.

import { createCore } from "#core";
import base64 from "#core.wasm.base64";
import { inlineFunctions } from "./inline.js";
import { bytesOf, inlineOpener, openBytes, openModule } from "./load.js";
import { publicFunctions } from "./public.js";
import { ofServers } from "./servers.js";
import { sharedFunctions } from "./shared.js";
import { edgeHint, isWorkers, workersAtStart } from "./workers.js";

const openNow = (/** @type {(error: unknown) => void} */ onTrap) =>
  openBytes(createCore, bytesOf(base64), onTrap);
const openLater = /* @__PURE__ */ inlineOpener(createCore, async () => bytesOf(base64));

function workersFunctions() {
  const { compiled, ...platform } = workersAtStart(() => bytesOf(base64));
  return publicFunctions({
    ...platform,
    open: (onTrap) => openModule(createCore, compiled(), onTrap),
    ...ofServers,
  });
}

/**
 * A page is drawn meanwhile; elsewhere the first request leaves some milliseconds earlier.
 * @type {import("./engine.js").EnginePlatform["open"]}
 */
const open = (onTrap) => ("document" in globalThis ? openLater : openNow)(onTrap);

export const { initTracer, withSession, enrichSession, enrichEvent, activeTracer, flush } =
  // A page has no `require`, and the packages of two sites' widgets on it are none of each other's business.
  "document" in globalThis
    ? inlineFunctions({ open, openNow, ...ofServers })
    : sharedFunctions(() =>
        isWorkers()
          ? workersFunctions()
          : inlineFunctions({ open, openNow, ...ofServers }, edgeHint),
      );
export { newEventId, sessionIdFrom, sessionIdFromHeaders } from "./public.js";
