// Entry that bundlers for browsers choose: index.js with its module packed, so that a visitor waits for less.

import packed from "#core.packed.base64";
import hex from "#unpack.wasm.hex";
import { createCore } from "#core";
import { inlineFunctions } from "./inline.js";
import { inlineOpener, openBytes } from "./load.js";
import { unpack, unpackNow } from "./page/unpack.js";

export const { initTracer, withSession, enrichSession, activeTracer, flush } =
  /* @__PURE__ */ inlineFunctions(
    /* @__PURE__ */ inlineOpener(createCore, (pause) => unpack(hex, packed, pause)),
    (onTrap) => openBytes(createCore, unpackNow(hex, packed), onTrap),
  );
export { sessionIdFrom, sessionIdFromHeaders } from "./public.js";
