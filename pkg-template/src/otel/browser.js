// Entry that bundlers for browsers choose: index.js with its module deflated, so that a visitor waits for less.

import deflated, { length } from "#otel.deflated.base64";
import { inflateNow } from "../page/inflate.js";
import { inlineFunctions } from "./inline.js";

export const { enrichSpan, SessionSpanProcessor, SessionPropagator, HoneyHiveSpanExporter } =
  /* @__PURE__ */ inlineFunctions(() => inflateNow(deflated, length));
