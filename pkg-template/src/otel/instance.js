// Keeps one instance of the spans' core: starts it when it is first needed, and a fresh one should it die.

import { messageOf } from "../guard.js";
import { print } from "../log.js";

/** @import { SpanCore } from "./core.d.ts" */

/**
 * What differs between runtimes.
 * @typedef {object} Platform
 * @property {(onTrap: (error: unknown) => void) => SpanCore} open a fresh instance of the core; throws where there can be none
 * @property {string} hint what to do where WebAssembly will not start
 */

export class Instance {
  #platform;
  /** @type {SpanCore | undefined} */
  #core;
  /** What the log need not hear twice. @type {Set<string>} */
  #said = new Set();

  /** @param {Platform} platform */
  constructor(platform) {
    this.#platform = platform;
  }

  /** @returns {SpanCore | undefined} nothing where WebAssembly will not start */
  get core() {
    if (this.#core) return this.#core;
    try {
      const core = this.#platform.open((error) => {
        if (this.#core === core) this.#core = undefined;
        this.say("error", `an internal error of honeyhive-edge/otel (${messageOf(error)})`);
      });
      this.#core = core;
    } catch (error) {
      this.say(
        "error",
        `WebAssembly could not be started (${messageOf(error)}), so spans are not enriched. ${this.#platform.hint}`,
      );
    }
    return this.#core;
  }

  /**
   * A line for the log, once.
   * @param {"error" | "warn"} level
   * @param {string} message
   */
  say(level, message) {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    print(level, message);
  }
}
