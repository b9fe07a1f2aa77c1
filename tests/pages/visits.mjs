// Which browsers a page is visited in, and from what kind of origin: over plain http a browser has no Web Locks.

import * as browsers from "../support/driven.mjs";

export const visits = Object.entries(browsers).flatMap(([name, start]) =>
  [true, false].map((isSecure) => ({
    title: isSecure ? name : `${name}, on an insecure origin`,
    name,
    start,
    isSecure,
  })),
);
