// Owns the running instance of the relay's core, which all relays and consumers of a process share. It starts the instance
// when it is first needed, and replaces one that has trapped. Requests that were in progress are then answered as failed;
// rate limits and the memory of consumers start anew.

import { Promise } from "../globals.js";
import { messageOf } from "../guard.js";
import { print } from "../log.js";
import { newRuntime } from "../runtime.js";
import { runtimeFetch } from "../send.js";
import { untraced } from "../untraced.js";
import { option } from "./options.js";

/** @import { Lines, RelayCore, RelayHost } from "./core.d.ts" */

/**
 * What differs between runtimes.
 * @typedef {object} Platform
 * @property {(onTrap: (error: unknown) => void) => RelayCore | Promise<RelayCore>} open a fresh instance of the core
 * @property {(name: string) => unknown} variable an environment variable
 * @property {string} hint what to do where WebAssembly will not start
 */

/**
 * A call of the core's that has not ended, and the options of the relay that it was made for: their functions are the
 * caller's, and looked up when they are called.
 * @typedef {object} Owed
 * @property {unknown} options
 * @property {(result: any) => void} resolve
 * @property {(error: Error) => void} reject
 */

const DIED = "the relay's core died";

/** Different lines that are remembered as said: a relay says little, but may be told strange things. */
const REMEMBERED_LINES = 64;

export class Instance {
  #platform;
  /** @type {RelayCore | undefined} */
  #core;
  /** What the log need not hear twice. @type {Set<string>} */
  #said = new Set();
  /** Calls that the running core has not ended. @type {Map<number, Owed>} */
  #owed = new Map();
  #lastCall = 0;

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
      const opening = this.#platform.open((error) => this.#trapped(opened, error));
      // Not awaited where it is there: of a burst of requests each would open one of its own.
      opened = opening instanceof Promise ? await opening : opening;
    } catch (error) {
      const why = `WebAssembly could not be started (${messageOf(error)}), so nothing is relayed.`;
      this.say([["error", `${why} ${this.#platform.hint}`]]);
      throw error;
    }
    // Where several began, one is enough.
    if (this.#core) return this.#core;
    opened.connect(this.#newHost(opened));
    return (this.#core = opened);
  }

  /**
   * Makes a call that the core ends later.
   * @param {RelayCore} core
   * @param {unknown} options of the relay
   * @param {(call: number) => void} begin
   * @returns {Promise<any>} rejects where the core dies meanwhile
   */
  call(core, options, begin) {
    return new Promise((resolve, reject) => {
      // Nobody would ever end it.
      if (core !== this.#core) return reject(new Error(DIED));
      do this.#lastCall = (this.#lastCall + 1) >>> 0;
      while (this.#owed.has(this.#lastCall));
      const call = this.#lastCall;
      this.#owed.set(call, { options, resolve, reject });
      begin(call);
    });
  }

  /**
   * @param {RelayCore | undefined} core
   * @param {unknown} error
   */
  #trapped(core, error) {
    this.say([["error", `an internal error of honeyhive-edge/relay (${messageOf(error)})`]]);
    if (core === undefined || core !== this.#core) return;
    this.#core = undefined;
    const owed = [...this.#owed.values()];
    this.#owed.clear();
    for (const { reject } of owed) reject(new Error(DIED));
  }

  /**
   * @param {RelayCore} core
   * @returns {RelayHost}
   */
  #newHost(core) {
    /** What an instance that died still says does not count. @param {number} call */
    const take = (call) => {
      if (this.#core !== core) return undefined;
      const owed = this.#owed.get(call);
      this.#owed.delete(call);
      return owed;
    };
    const optionOf = (/** @type {number} */ call, /** @type {string} */ name) =>
      option(this.#owed.get(call)?.options, name);
    return {
      ...newRuntime((scope) => core.runScope(scope)),
      fetch(call, url, init) {
        const own = optionOf(call, "fetch");
        const fetch = typeof own === "function" ? own : runtimeFetch();
        return untraced(() => fetch(url, init));
      },
      enqueue: (call, message) => optionOf(call, "queue").send(message, { contentType: "text" }),
      settle(call, result) {
        const owed = take(call);
        if (result === undefined) owed?.reject(new Error("the runtime makes no Response"));
        else owed?.resolve(result);
      },
      forgetCall: (call) => void take(call),
      log: (level, message) => this.say([[level, message]]),
    };
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
 * @template T
 * @param {T | undefined} said
 * @returns {T}
 */
export function alive(said) {
  if (said === undefined) throw new Error(DIED);
  return said;
}
