// Time that passes when it is told to. Nothing really waits.

const { setImmediate, MessageChannel, setTimeout } = globalThis;

/** Every microtask is over. */
const turn = () => new Promise(inNewTask());

/** What runs a function in a task of its own, as soon as the engine can. */
function inNewTask() {
  if (setImmediate) return setImmediate;
  return (/** @type {(value?: unknown) => void} */ run) => {
    if (!MessageChannel) return setTimeout(run, 0);
    const { port1, port2 } = new MessageChannel();
    const end = () => (port1.close(), run());
    port1.addEventListener("message", end);
    port1.start();
    port2.postMessage(0);
  };
}

/** Real milliseconds in which an engine compiles a module, or unpacks it. */
const PATIENCE_MS = 1_000;

export class Time {
  /** Unix milliseconds. */
  now = 1_700_000_000_000;
  /** @type {Map<number, { at: number, run: () => void }>} */
  #timers = new Map();
  #last = 0;

  /** @param {(...given: any[]) => void} run @param {number} [ms] @param {...any} given */
  setTimeout = (run, ms = 0, ...given) => {
    this.#timers.set(++this.#last, { at: this.now + Math.max(ms, 1), run: () => run(...given) });
    return this.#last;
  };

  /** @param {number} id */
  clearTimeout = (id) => void this.#timers.delete(id);

  /** @param {number} ms @returns {Promise<void>} */
  sleep(ms) {
    return new Promise((resolve) => this.setTimeout(resolve, ms));
  }

  /** Lets so many milliseconds pass. @param {number} ms */
  async pass(ms) {
    const until = this.now + ms;
    await turn();
    while (await this.#step(until));
    this.now = until;
  }

  /**
   * Lets time pass until the promise has settled.
   * @template T @param {Promise<T>} promise @returns {Promise<T>}
   */
  async until(promise) {
    const state = { isOver: false };
    const end = () => void (state.isOver = true);
    promise.then(end, end);
    await turn();
    for (let steps = 0; !state.isOver; steps++) {
      if (steps > 100_000) throw new Error("it never settles");
      if (!(await this.#step(Infinity))) await this.#wait(state);
    }
    return promise;
  }

  /** Waits for what takes real time: that of the engine. @param {{ isOver: boolean }} state */
  async #wait(state) {
    for (let ms = 0; !state.isOver && this.#timers.size === 0; ms++) {
      if (ms === PATIENCE_MS) throw new Error("it never settles");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Runs the next timer, if it is due by `until`. @param {number} until */
  async #step(until) {
    let next;
    for (const [id, timer] of this.#timers) {
      if (timer.at <= until && (!next || timer.at < next.at)) next = { id, ...timer };
    }
    if (!next) return false;
    this.#timers.delete(next.id);
    this.now = Math.max(this.now, next.at);
    next.run();
    await turn();
    return true;
  }
}
