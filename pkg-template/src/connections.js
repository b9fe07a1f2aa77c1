// The connections that the browser has for the site of a document.

import { attempt } from "./guard.js";

/** Whether all requests to the document's own server share one connection, as they do over HTTP/2 and HTTP/3. */
export function isConnectionShared() {
  return attempt(() => {
    const navigation = /** @type {any} */ (performance.getEntriesByType("navigation")[0]);
    return /^h[23]/.test(navigation.nextHopProtocol);
  });
}
