// A queue's batch to the backend: the core says what is sent for which session, and what is to be said
// to the queue of each message.

import { parseJson } from "../json.js";
import { Promise } from "../globals.js";
import { disregard } from "../thenables.js";
import { attempt, messageOf, read } from "../guard.js";
import { told } from "./instance.js";
import { option, settingsJson } from "./options.js";
import { sendWith } from "./send.js";

/** @import { Instance } from "./instance.js" */
/** @import { RelayCore } from "./core.d.ts" */

/** Sessions that are sent at once: a Worker has six connections. */
const LANES = 6;

export class Consumer {
  #instance;
  #options;
  /** @type {string | undefined} */
  #settings;

  /**
   * @param {Instance} instance
   * @param {unknown} options
   */
  constructor(instance, options) {
    this.#instance = instance;
    this.#options = options;
  }

  /**
   * @param {any} batch
   * @returns {Promise<void>} never rejects: each message is told what becomes of it
   */
  async deliver(batch) {
    const messages = /** @type {any[]} */ ([...(read(batch, "messages") ?? [])]);
    /** @type {(true | number | null)[]} */
    let fates = [];
    try {
      fates = await this.#delivered(await this.#instance.core(), messages);
    } catch (error) {
      const message = `the queue's consumer failed, and all comes again: ${messageOf(error)}`;
      this.#instance.complain(this.#options, message);
    }
    for (let place = 0; place < messages.length; place++) {
      const message = messages[place];
      const fate = fates[place] ?? null;
      const again = fate === null ? undefined : { delaySeconds: fate };
      attempt(() => disregard(fate === true ? message.ack() : message.retry(again)), undefined);
    }
  }

  /**
   * @param {RelayCore} core
   * @param {any[]} messages
   */
  async #delivered(core, messages) {
    this.#settings ??= this.#settingsOf(core);
    const texts = messages.map(({ body }) => (typeof body === "string" ? body : ""));
    const { batch, sessions, timeoutMs } = told(core.openBatch(this.#settings, texts, Date.now()));
    const fetch = option(this.#options, "fetch");
    let next = 0;
    const lane = async () => {
      while (next < sessions) {
        const session = next++;
        for (;;) {
          const request = core.nextRequest(batch, session, Date.now());
          if (!request) break;
          const answer = await sendWith(fetch, parseJson(request), timeoutMs);
          const { status, retryAfter, body } = answer;
          core.batchAnswered(batch, session, status, retryAfter, body, Date.now());
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    const { fates, log } = told(core.closeBatch(batch, Date.now()));
    this.#instance.say(log);
    return fates;
  }

  /** @param {RelayCore} core */
  #settingsOf(core) {
    const instance = this.#instance;
    const json = settingsJson(this.#options, (name) => instance.variable(name), {});
    instance.say(told(core.check(json)).log);
    return json;
  }
}
