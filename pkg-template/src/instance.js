// The running instance of a module of WebAssembly. An instance that has trapped is in no state to go on with: it is given
// up, and the next call opens another.

import { messageOf, attempt } from "./guard.js";
import { print } from "./log.js";
import { isThenable } from "./thenables.js";

/** @import { OnTrap } from "./core.d.ts" */
/** @import { LoggedLines } from "./log.js" */

/**
 * What an instance is for.
 * @template C
 * @typedef {object} Purpose
 * @property {string} effect the consequence if none starts, such as "so nothing is sent"
 * @property {(core: C) => void} connect gives a fresh instance its host; throws if it cannot be started
 * @property {(error: unknown, isCutOff?: boolean) => void} trapped is called when the running instance has trapped
 */

/** @template C the functions of an instance */
export class Instance {
  /** The running instance. @type {C | undefined} */
  core;
  /** Why the last one did not start. @type {string | undefined} */
  failure;
  isOpening = false;
  #platform;
  #purpose;
  #logged;

  /**
   * @param {{ open(onTrap: OnTrap): C | Promise<C>, readonly hint: string }} platform `hint` is advice for a runtime in
   *   which WebAssembly does not start
   * @param {Purpose<C>} purpose
   * @param {LoggedLines} logged
   */
  constructor(platform, purpose, logged) {
    this.#platform = platform;
    this.#purpose = purpose;
    this.#logged = logged;
  }

  /** Whether it is known if there is an instance. */
  get isSettled() {
    return this.core !== undefined || this.failure !== undefined;
  }

  /** The reason why none started may be gone. */
  forgetFailure() {
    this.failure = undefined;
  }

  /**
   * Opens an instance. Calls may open several at a time, since on Workers no request may await what another one began; the
   * first that has opened is kept.
   * @returns {C | undefined | Promise<C | undefined>} the running one; undefined if none starts. Neither throws nor rejects
   */
  open() {
    this.isOpening = true;
    try {
      const opening = this.#run(this.#platform.open);
      return isThenable(opening) ? this.#opened(opening) : opening;
    } catch (error) {
      return this.#fail(error);
    }
  }

  /**
   * Opens an instance synchronously while another is opening. If that is impossible, the other is waited for.
   * @param {(onTrap: OnTrap) => C} open
   */
  openNow(open) {
    attempt(() => this.#run(open));
  }

  /** @param {PromiseLike<C | undefined>} opening */
  async #opened(opening) {
    try {
      return await opening;
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** @param {(onTrap: OnTrap) => C | Promise<C>} open */
  #run(open) {
    /** @type {C | undefined} */
    let opened;
    const run = (/** @type {C} */ fresh) => {
      if (this.core) return this.core;
      this.core = opened = fresh;
      this.#purpose.connect(fresh);
      this.isOpening = false;
      return this.core;
    };
    const opening = open((error, isCutOff) => {
      if (opened === undefined || opened !== this.core) return;
      this.core = undefined;
      this.#purpose.trapped(error, isCutOff);
    });
    return isThenable(opening) ? runLater(opening, run) : run(opening);
  }

  /** @param {unknown} error */
  #fail(error) {
    // Meanwhile another may have been opened.
    if (!this.isOpening) return this.core;
    const what = `WebAssembly could not be started (${messageOf(error)})`;
    this.failure = `${what}, ${this.#purpose.effect}. ${this.#platform.hint}`;
    this.isOpening = false;
    if (this.#logged.add(this.failure)) print("error", this.failure);
    return undefined;
  }
}

/**
 * @template C
 * @param {PromiseLike<C>} opening
 * @param {(core: C) => C | undefined} run
 */
async function runLater(opening, run) {
  return run(await opening);
}
