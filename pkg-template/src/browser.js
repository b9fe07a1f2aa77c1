// Entry that bundlers for browsers choose: index.js with its module deflated, so that a visitor waits for less.

import { createCore } from "#core";
import deflated, { length } from "#core.deflated.base64";
import { inlineFunctions } from "./inline.js";
import { inlineOpener, openBytes } from "./load.js";
import { inflate, inflateNow } from "./page/inflate.js";

export const { initTracer, withSession, enrichSession, enrichEvent, activeTracer, flush } =
  /* @__PURE__ */ inlineFunctions({
    open: /* @__PURE__ */ inlineOpener(createCore, () => inflate(deflated, length)),
    openNow: (onTrap) => openBytes(createCore, inflateNow(deflated, length), onTrap),
  });
export { newEventId, sessionIdFrom, sessionIdFromHeaders } from "./public.js";
