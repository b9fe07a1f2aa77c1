// The local backend as a Worker: the same routes, kept in SQLite inside one Durable Object, and the
// viewer's files beside them.

import * as workers from "cloudflare:workers";
import { createBackend } from "./app.js";
import { sqliteStore } from "./sqlite-store.js";
import { views } from "./views/index.js";

/**
 * @typedef {object} Env
 * @property {{ idFromName(name: string): unknown, get(id: unknown): { fetch(request: Request): Promise<Response> } }} BACKEND
 * @property {{ fetch(request: Request): Promise<Response> }} [ASSETS] the viewer's files, below /viewer/
 * @property {string} [BACKEND_OPTIONS] JSON: app.js's limits
 */
/** @typedef {{ storage: import("./sqlite-store.js").Storage }} State */

const DurableObject = /** @type {new (...given: any[]) => { ctx: State, env: Env }} */ (
  workers.DurableObject
);

export class Backend extends DurableObject {
  /** @param {State} ctx @param {Env} env */
  constructor(ctx, env) {
    super(ctx, env);
    const { store, routes, ended } = views(ctx.storage, sqliteStore(ctx.storage));
    const limits = JSON.parse(env.BACKEND_OPTIONS ?? "{}");
    this.backend = createBackend({ ...limits, store, views: routes, onRequest: ended });
  }

  /** @param {Request} request */
  fetch(request) {
    return this.backend.fetch(request);
  }
}

/** The plots' library writes styles into its drawings. */
const VIEWER_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export default {
  /** @param {Request} request @param {Env} env @returns {Promise<Response>} */
  async fetch(request, env) {
    if (env.ASSETS && new URL(request.url).pathname.startsWith("/viewer/")) {
      const asset = await env.ASSETS.fetch(request);
      const page = new Response(asset.body, asset);
      page.headers.set("content-security-policy", VIEWER_POLICY);
      page.headers.set("x-content-type-options", "nosniff");
      return page;
    }
    return env.BACKEND.get(env.BACKEND.idFromName("backend")).fetch(request);
  },
};
