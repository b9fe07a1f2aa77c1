// What must outlive a request: one Durable Object a conversation, with its messages and totals.
// It talks to nobody; turn.js reads it before an answer and adds to it after.

import * as workers from "cloudflare:workers";

/** @typedef {import("./model.js").Message} Message */
/** @typedef {Message & { eventId?: string }} Said an answer with the id of its event */
/** @typedef {import("./model.js").Used} Used */
/** @typedef {Used & { enrichments: number }} Totals */
/** @typedef {{ startedAt: number, visitorId: string, messages: Said[], totals: Partial<Totals>, ended?: boolean }} State */
/** @typedef {{ get(key: string): Promise<any>, put(key: string, value: unknown): Promise<void> }} Storage */

const DurableObject = /** @type {new (...given: any[]) => { ctx: { storage: Storage } }} */ (
  workers.DurableObject
);

export class Conversation extends DurableObject {
  /** @returns {Promise<State | undefined>} */
  load() {
    return this.ctx.storage.get("state");
  }

  /** @param {string} visitorId @param {number} startedAt */
  async begin(visitorId, startedAt) {
    await this.#save({ startedAt, visitorId, messages: [], totals: {} });
  }

  /** @param {Said[]} messages */
  async addMessages(messages) {
    const state = await this.load();
    if (state) await this.#save({ ...state, messages: [...state.messages, ...messages] });
  }

  /** @param {Partial<Totals>} used */
  async addUsed(used) {
    const state = await this.load();
    if (!state) return;
    const totals = { ...state.totals };
    for (const key of /** @type {(keyof Totals)[]} */ (Object.keys(used))) {
      totals[key] = (totals[key] ?? 0) + (used[key] ?? 0);
    }
    await this.#save({ ...state, totals });
  }

  async end() {
    const state = await this.load();
    if (state) await this.#save({ ...state, ended: true });
  }

  /** @param {State} state */
  #save(state) {
    return this.ctx.storage.put("state", state);
  }
}
