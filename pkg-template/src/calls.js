// The calls that wait for the core, in order. They are made in a microtask of their own, or on a visible page in a task of
// its own; the first of them opens an instance of the core.

import { forwardNow, microtask, startTimer } from "./globals.js";
import { attempt } from "./guard.js";
import { isThenable } from "./thenables.js";

/** @import { Core } from "./core.d.ts" */
/** @import { Instance } from "./instance.js" */

/** A call that waits for the core. It is made without one if no core starts. @typedef {(core: Core | undefined) => void} Call */

/** How long calls are made to the core without a pause, in milliseconds: less than a page's frame. */
const SLICE_MS = 10;

/** Calls made between two looks at the clock. */
const CALLS_BETWEEN_LOOKS = 32;

/** Milliseconds after which a timer that was to make the next calls counts as lost. */
const LATE_SLICE_MS = 1000;

/**
 * The most bytes of calls that may wait for the end of the caller's turn. Further calls are masked and queued
 * synchronously. On a server, a burst of a few thousand calls stays below this limit.
 */
const MAX_WAITING = { page: 1024 * 1024, edge: 1024 * 1024, server: 8 * 1024 * 1024 };

/** The most bytes that may wait for the core to start, unless `maxQueueBytes` is set: as much as a page may hold. */
const MAX_WITHOUT_CORE = 4 * 1024 * 1024;

/** The bytes that a call takes besides its text: its promise and closures. */
const CALL_BYTES = 512;

export class Calls {
  #instance;
  #soon;
  /** Those before `#head` have been made. @type {Call[]} */
  #queue = [];
  #head = 0;
  /** When the rest of the calls was left to a timer. */
  #slicedAt = Infinity;
  /** The approximate bytes of the waiting calls. */
  #bytes = 0;

  /**
   * @param {Instance<Core>} instance
   * @param {(task: () => void) => void} soon calls `task` when the visitor of a page need not wait for it
   */
  constructor(instance, soon) {
    this.#instance = instance;
    this.#soon = soon;
  }

  get isEmpty() {
    return this.#head === this.#queue.length;
  }

  /**
   * Makes room for a call. Waiting calls are outside of the core's byte budget, so a large amount is passed to the core at
   * once.
   * @param {number} chars the characters of the call's arguments
   * @param {"page" | "edge" | "server"} place
   * @param {number | undefined} most bytes that may wait, if that was set
   * @returns {boolean} false if there is no room until the core has started
   */
  reserve(chars, place, most) {
    const bytes = this.#bytes + chars + CALL_BYTES;
    const { isOpening } = this.#instance;
    this.#bytes = bytes;
    if (bytes > Math.min(MAX_WAITING[place], most ?? Infinity) && !isOpening) this.drain(true);
    if (this.#instance.isSettled || this.#bytes <= (most ?? MAX_WITHOUT_CORE)) return true;
    this.#bytes -= chars + CALL_BYTES;
    return false;
  }

  /**
   * Makes the call in a later microtask: the caller has already waited for the snapshot and should not wait for the rest of
   * the work.
   * @param {Call} call
   */
  add(call) {
    const wasEmpty = this.isEmpty;
    this.#queue[this.#queue.length] = call;
    // The timer of the next slice may never fire, under a fake clock or in a request that was torn down.
    const isLate = forwardNow() - this.#slicedAt > LATE_SLICE_MS;
    if (wasEmpty || isLate) void microtask(() => this.#drainSoon());
    if (isLate) this.#slicedAt = Infinity;
  }

  /**
   * Makes the call at once if the core runs and no other call waits for it.
   * @param {Call} call
   */
  addFirst(call) {
    const { core, isSettled, isOpening } = this.#instance;
    if (isSettled && this.isEmpty) return call(core);
    this.#queue[this.#queue.length] = call;
    if (!isSettled && !isOpening) this.#open();
  }

  /**
   * Makes the waiting calls, or opens an instance for them. Thousands of calls are made in slices, so that the application
   * can do other work in between.
   * @param {boolean} [atOnce] whether to make all of them now, because there may be no later moment
   */
  drain(atOnce = false) {
    const instance = this.#instance;
    const end = forwardNow() + SLICE_MS;
    let calls = 0;
    this.#slicedAt = Infinity;
    // A call may call this function again, and may trap the instance.
    while (instance.isSettled && !this.isEmpty) {
      const call = /** @type {Call} */ (this.#queue[this.#head++]);
      call(instance.core);
      if (atOnce || ++calls % CALLS_BETWEEN_LOOKS > 0 || forwardNow() < end) continue;
      if (attempt(() => (startTimer(() => this.drain(), 0, undefined), true), false)) {
        this.#slicedAt = forwardNow();
        return;
      }
    }
    if (this.isEmpty) {
      this.#queue = [];
      this.#head = 0;
      this.#bytes = 0;
    } else if (!instance.isOpening) {
      this.#open();
    }
  }

  #drainSoon() {
    this.#soon(() => this.drain());
  }

  #open() {
    const opening = this.#instance.open();
    if (isThenable(opening)) void this.#drainAfter(opening);
    else this.#drainSoon();
  }

  /** @param {PromiseLike<unknown>} opening */
  async #drainAfter(opening) {
    await opening;
    this.#drainSoon();
  }
}
