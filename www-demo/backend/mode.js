// Which backend this one plays: a current one, an older one, or no HoneyHive at all; and whose keys
// it takes. Not for faults, which come and go (faults.js).

import * as v from "valibot";

export const modeSchema = v.strictObject({
  // "all": a current deployment, which still knows the legacy routes.
  routes: v.optional(v.picklist(["all", "v1", "legacy", "none"]), "all"),
  // The status of a write to a route that is not there.
  missing: v.optional(v.picklist([404, 405]), 404),
  // Whether such a route is answered with a page instead of JSON.
  html: v.optional(v.boolean(), false),
  // Whether there is GET /v1/events/:id, which deployments had at times and at times had not.
  reads: v.optional(v.boolean(), true),
  // The keys that are good; without the list any is.
  keys: v.optional(v.array(v.string())),
});

/** @typedef {v.InferOutput<typeof modeSchema>} Mode */

/** @type {Mode} */
export const DEFAULT_MODE = { routes: "all", missing: 404, html: false, reads: true };

/**
 * @param {Mode} mode
 * @param {"v1" | "legacy"} family
 */
export const hasRoutes = (mode, family) => mode.routes === "all" || mode.routes === family;
