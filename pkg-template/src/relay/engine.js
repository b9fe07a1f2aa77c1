// Brings calls to the relay's core, which all relays and consumers of a process share, and their results back. After a trap,
// requests that were in progress are answered as failed; rate limits and the memory of consumers start anew.

import { Promise, randomSeed } from "../globals.js";
import { messageOf } from "../guard.js";
import { Instance } from "../instance.js";
import { LoggedLines, print } from "../log.js";
import { newRuntime } from "../runtime.js";
import { serverFetch } from "../server-fetch.js";
import { untraced } from "../untraced.js";
import { option } from "./options.js";

/** @import { LogLines, RelayCore, RelayHost } from "./core.d.ts" */

/**
 * The differences between runtimes.
 * @typedef {object} RelayPlatform
 * @property {(onTrap: (error: unknown) => void) => RelayCore | Promise<RelayCore>} open starts an instance of the core
 * @property {(name: string) => unknown} variable reads an environment variable
 * @property {string} hint advice for a runtime in which WebAssembly does not start
 */

/**
 * A call to the core that has not ended, and the options of the relay that made it. Functions among the options are
 * looked up when they are called.
 * @typedef {object} RelayCall
 * @property {unknown} options
 * @property {(result: any) => void} resolve
 * @property {(error: Error) => void} reject
 */

const DIED = "the relay's core died";

export class RelayEngine {
  #platform;
  /** @type {Instance<RelayCore>} */
  #instance;
  /** The lines that were logged already. */
  #logged = new LoggedLines();
  /** The calls that the running core has not ended. @type {Map<number, RelayCall>} */
  #owed = new Map();
  #lastCall = 0;

  /** @param {RelayPlatform} platform */
  constructor(platform) {
    this.#platform = platform;
    /** @type {import("../instance.js").Purpose<RelayCore>} */
    const purpose = {
      effect: "so nothing is relayed",
      connect: (core) => core.connect(this.#newHost(core)),
      trapped: (error) => this.#trapped(error),
    };
    this.#instance = new Instance(platform, purpose, this.#logged);
  }

  /** @param {string} name */
  variable(name) {
    return this.#platform.variable(name);
  }

  /** @returns {Promise<RelayCore>} rejects if WebAssembly does not start */
  async core() {
    const core = this.#instance.core ?? (await this.#instance.open());
    if (!core) throw new Error("WebAssembly could not be started");
    return core;
  }

  /**
   * Makes a call that the core settles later.
   * @param {RelayCore} core
   * @param {unknown} options of the relay
   * @param {(call: number) => void} begin
   * @returns {Promise<any>} rejects if the core dies meanwhile
   */
  call(core, options, begin) {
    return new Promise((resolve, reject) => {
      // An instance that has died would never settle it.
      if (core !== this.#instance.core) return reject(new Error(DIED));
      do this.#lastCall = (this.#lastCall + 1) >>> 0;
      while (this.#owed.has(this.#lastCall));
      const call = this.#lastCall;
      this.#owed.set(call, { options, resolve, reject });
      begin(call);
    });
  }

  /** @param {unknown} error */
  #trapped(error) {
    this.say([["error", `an internal error of honeyhive-edge/relay (${messageOf(error)})`]]);
    const owed = [...this.#owed.values()];
    this.#owed.clear();
    for (const { reject } of owed) reject(new Error(DIED));
  }

  /**
   * @param {RelayCore} core
   * @returns {RelayHost}
   */
  #newHost(core) {
    /** Calls of an instance that has died are ignored. @param {number} call */
    const take = (call) => {
      if (this.#instance.core !== core) return undefined;
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
        const fetch = typeof own === "function" ? own : serverFetch();
        return untraced(() => fetch(url, init));
      },
      enqueue: (call, message) => optionOf(call, "queue").send(message, { contentType: "text" }),
      settle(call, result) {
        const owed = take(call);
        if (result === undefined) owed?.reject(new Error("the runtime makes no Response"));
        else owed?.resolve(result);
      },
      forgetCall: (call) => void take(call),
      randomSeed,
      log: (level, message) => this.say([[level, message]]),
    };
  }

  /**
   * Logs a problem of the JavaScript around the core.
   * @param {unknown} options contain the log level
   * @param {string} message
   */
  complain(options, message) {
    if (option(options, "logLevel") !== "silent") this.say([["error", message]]);
  }

  /**
   * Logs lines, each one once, except that those of the level "debug" are logged every time.
   * @param {LogLines} lines
   */
  say(lines) {
    for (const [level, message] of lines) {
      if (level === "debug" || this.#logged.add(message)) print(level, message);
    }
  }
}

/**
 * The result of a call to the core. Throws if the core died in the call.
 * @template T
 * @param {T | undefined} said
 * @returns {T}
 */
export function alive(said) {
  if (said === undefined) throw new Error(DIED);
  return said;
}
