// Keeps one instance of the relay's core, with what is the same for all relays and consumers in a
// process: starts it when it is first needed, and a fresh one should it die. Who dies with it is
// answered that the relay failed; rates and what a consumer remembers begin anew.

import { parseJson } from "../json.js";
import { messageOf } from "../guard.js";
import { print } from "../log.js";
import { option } from "./options.js";

/** @import { Lines, RelayCore } from "./core.d.ts" */

/**
 * What differs between runtimes.
 * @typedef {object} Platform
 * @property {(onTrap: (error: unknown) => void) => RelayCore | Promise<RelayCore>} open a fresh instance of the core
 * @property {(name: string) => unknown} variable an environment variable
 * @property {string} hint what to do where WebAssembly will not start
 */

/** Different lines that are remembered as said: a relay says little, but may be told strange things. */
const REMEMBERED_LINES = 64;

export class Instance {
  #platform;
  /** @type {RelayCore | undefined} */
  #core;
  /** What the log need not hear twice. @type {Set<string>} */
  #said = new Set();

  /** @param {Platform} platform */
  constructor(platform) {
    this.#platform = platform;
  }

  /** @param {string} name */
  variable(name) {
    return this.#platform.variable(name);
  }

  /**
   * Not kept as a promise: on Workers no request may await what another one began.
   * @returns {Promise<RelayCore>} rejects where WebAssembly will not start
   */
  async core() {
    if (this.#core) return this.#core;
    /** @type {RelayCore | undefined} */
    let opened;
    try {
      const opening = this.#platform.open((error) => {
        if (this.#core === opened) this.#core = undefined;
        this.say([["error", `an internal error of honeyhive-edge/relay (${messageOf(error)})`]]);
      });
      // Not awaited where it is there: of a burst of requests each would open one of its own.
      opened = opening instanceof Promise ? await opening : opening;
    } catch (error) {
      const why = `WebAssembly could not be started (${messageOf(error)}), so nothing is relayed.`;
      this.say([["error", `${why} ${this.#platform.hint}`]]);
      throw error;
    }
    // Where several began, one is enough.
    return (this.#core ??= opened);
  }

  /**
   * A line of this side's own.
   * @param {unknown} options with a log level
   * @param {string} message
   */
  complain(options, message) {
    if (option(options, "logLevel") !== "silent") this.say([["error", message]]);
  }

  /**
   * Lines for the log, each once; at the level "debug" each time.
   * @param {Lines} lines
   */
  say(lines) {
    for (const [level, message] of lines) {
      if (this.#said.has(message)) continue;
      if (this.#said.size >= REMEMBERED_LINES) this.#said.clear();
      if (level !== "debug") this.#said.add(message);
      print(level, message);
    }
  }
}

/**
 * What the core says. Throws where it died saying it.
 * @param {string | undefined} json
 * @returns {any}
 */
export function told(json) {
  if (json === undefined) throw new Error("the relay's core died");
  return parseJson(json);
}
