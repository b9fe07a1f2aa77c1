// A Worker for store.test.mjs: holds the store in SQLite against its model where SQLite is, in a Durable Object.

import assert from "node:assert/strict";
import * as workers from "cloudflare:workers";
import fc from "fast-check";
import { longTexts } from "./long-text.js";
import { sqliteStore } from "./sqlite-store.js";
import { agreesWithModel, writes } from "./store-model.js";

const DurableObject = /** @type {new (...given: any[]) => { ctx: import("./worker.js").State }} */ (
  workers.DurableObject
);

export class Check extends DurableObject {
  /** @param {Request} request */
  async fetch({ url }) {
    try {
      if (url.endsWith("/model")) this.#model();
      else this.#texts();
      return new Response("holds");
    } catch (error) {
      return new Response(error instanceof Error ? error.message : String(error));
    }
  }

  #model() {
    const store = sqliteStore(this.ctx.storage);
    const holds = fc.property(writes, fc.integer({ min: 1, max: 9 }), (made, limit) => {
      store.clear();
      agreesWithModel(store, made, limit);
    });
    fc.assert(holds, { numRuns: 60 });
  }

  #texts() {
    const texts = longTexts(this.ctx.storage.sql);
    // Cut at every place of a few, some in the middle of a surrogate pair.
    for (const length of [0, 1, 599_999, 600_000, 600_001, 1_200_000, 2_500_003]) {
      for (const piece of ["a", "ü", "🍯"]) {
        const text = `"${piece.repeat(length / piece.length)}"`;
        const kept = texts.keep(text);
        assert.equal(texts.read(kept) === text, true, `${length} of ${piece}`);
        texts.forget(kept);
      }
    }
    const left = this.ctx.storage.sql.exec("SELECT count(*) AS count FROM parts").one();
    assert.equal(left.count, 0, "nothing is left of what was forgotten");
  }
}

export default {
  /** @param {Request} request @param {any} env */
  fetch: (request, env) => env.CHECK.get(env.CHECK.idFromName("check")).fetch(request),
};
