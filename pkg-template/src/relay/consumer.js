// Delivers a batch of a queue to the backend. The core decides what is sent for each session, and what the queue is told
// about each message.

import { disregard } from "../thenables.js";
import { attempt, listOf, messageOf, read } from "../guard.js";
import { alive } from "./engine.js";
import { settingsJson } from "./options.js";

/** @import { RelayEngine } from "./engine.js" */
/** @import { RelayCore } from "./core.d.ts" */

export class Consumer {
  #engine;
  #options;
  /** @type {string | undefined} */
  #settings;

  /**
   * @param {RelayEngine} engine
   * @param {unknown} options
   */
  constructor(engine, options) {
    this.#engine = engine;
    this.#options = options;
  }

  /**
   * @param {any} batch
   * @returns {Promise<void>} never rejects: each message is acknowledged or retried
   */
  async deliver(batch) {
    const messages = this.#messagesOf(batch);
    /** @type {(true | number | null)[]} */
    let fates = [];
    try {
      fates = await this.#delivered(await this.#engine.core(), messages);
    } catch (error) {
      this.#complain("the queue's consumer failed, and all comes again", error);
    }
    for (let place = 0; place < messages.length; place++) {
      this.#tell(messages[place], fates[place] ?? null);
    }
  }

  /**
   * @param {any} batch
   * @returns {any[]}
   */
  #messagesOf(batch) {
    try {
      // A program that pulls messages may pass them without a batch around them.
      return listOf(Array.isArray(batch) ? batch : batch.messages);
    } catch (error) {
      const advice = "pass on what the queue handler gets, as in queue: (batch) => deliver(batch)";
      this.#complain(`the queue's consumer got no batch, and delivers nothing: ${advice}`, error);
      // The queue takes a batch of which it is told nothing for delivered.
      attempt(() => batch.retryAll());
      return [];
    }
  }

  /**
   * @param {any} message
   * @param {true | number | null} fate true if it is stored, or the seconds after which the queue is to deliver it again;
   *   null for the queue's own delay
   */
  #tell(message, fate) {
    const again = fate === null ? undefined : { delaySeconds: fate };
    try {
      disregard(fate === true ? message.ack() : message.retry(again));
    } catch (error) {
      // The queue takes a message that is neither acknowledged nor retried for delivered when the consumer ends.
      const what = fate === true ? "could not be acknowledged" : "is lost: it cannot come again";
      this.#complain(`a message of the queue ${what}`, error);
    }
  }

  /**
   * @param {string} what
   * @param {unknown} why
   */
  #complain(what, why) {
    this.#engine.complain(this.#options, `${what}: ${messageOf(why)}`);
  }

  /**
   * @param {RelayCore} core
   * @param {any[]} messages
   */
  async #delivered(core, messages) {
    this.#settings ??= this.#settingsOf(core);
    const texts = messages.map((message) => {
      const body = read(message, "body");
      return typeof body === "string" ? body : "";
    });
    // A count that is not a number becomes 0, which means that the queue does not count.
    const attempts = Uint32Array.from(messages, (message) => {
      const count = read(message, "attempts");
      return typeof count === "number" ? count : 0;
    });
    const settings = this.#settings;
    return this.#engine.call(core, this.#options, (call) =>
      core.deliver(call, settings, texts, attempts),
    );
  }

  /** @param {RelayCore} core */
  #settingsOf(core) {
    const engine = this.#engine;
    const json = settingsJson(this.#options, (name) => engine.variable(name), {});
    engine.say(alive(core.check(json)).log);
    return json;
  }
}
