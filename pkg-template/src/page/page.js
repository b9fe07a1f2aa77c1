// A browser's page, or worker, around the core: tells it when the page is left and comes back and when the
// network does, and keeps what is unsent for it. What follows from that is the core's to say.

import { plainJson } from "../json.js";
import { clearTimer, Promise, firstOf, microtask, startTimer } from "../globals.js";
import { attempt, messageOf } from "../guard.js";
import { printAt } from "../log.js";
import { Store } from "./store.js";

/** @import { Core } from "../core.d.ts" */

const WORKER_GOES_ON = 0;
const DOCUMENT_GOES_ON = 1;
const LEAVES = 2;
const OFFLINE = 3;
const RESTS = 4;
const HIDES = 5;
const DOUBTS = 6;

/** Milliseconds after which a message to oneself counts as lost. */
const SOON_MS = 500;

/** Milliseconds that the first session waits for what earlier pages left: `indexedDB.open` was known to hang. */
const PATIENCE_MS = 1000;

/**
 * @param {() => void} leaving does what {@link Page.soon} still keeps waiting
 * @returns {Page | undefined} nothing where there is no browser around
 */
export function browserPage(leaving) {
  const { addEventListener, location, navigator } = /** @type {any} */ (globalThis);
  const isPage = typeof addEventListener === "function" && location && navigator;
  return isPage ? new Page(leaving) : undefined;
}

export class Page {
  /** @type {Core | undefined} */
  #core;
  /** @type {Store | undefined} */
  #store;
  /** What the core is still to be told of; nothing until the store is open. @type {string[] | undefined} */
  #left;
  /** @type {Promise<unknown> | undefined} */
  #claimed;
  /** @type {unknown} */
  #logLevel;
  #isWhole = true;
  /** From the first listener of `pagehide` on, until the page comes back. */
  #isLeft = false;
  #isResting = false;
  #leaving;
  #document = globalThis.document;

  /** @param {() => void} leaving */
  constructor(leaving) {
    const document = this.#document;
    this.#leaving = leaving;
    addEventListener("online", () => this.#goOn());
    addEventListener("offline", () => this.#core?.turn(OFFLINE));
    if (!document) return;
    const depart = () => this.#depart();
    addEventListener(
      "pagehide",
      () => {
        this.#isLeft = true;
        // Where nobody saw the page, there may be no later moment than this.
        if (document.hidden && !attempt(runsAddedListeners, false)) this.#leave();
        // Listening last: the page's own listeners may have something to say.
        addEventListener("pagehide", depart, { once: true });
      },
      true,
    );
    addEventListener("pageshow", () => {
      removeEventListener("pagehide", depart);
      this.#isLeft = false;
      void this.#comeBack();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) return this.#goOn();
      // Chromium does not run a listener that is added to a window's event while that runs. There this
      // event follows `pagehide`, or `freeze` where the page was hidden before.
      if (this.#isLeft) return depart();
      leaving();
      this.#core?.turn(HIDES);
    });
    document.addEventListener("freeze", () => (this.#isLeft ? depart() : this.#leave()));
    document.addEventListener("resume", () => this.#goOn());
  }

  /**
   * What is unsent is kept from now on.
   * @param {unknown} logLevel
   */
  persist(logLevel) {
    if (this.#store) return;
    this.#logLevel = logLevel;
    this.#store = new Store(
      (error) => this.#refused(error),
      () => void this.#claim(),
    );
    const late = new Promise((resolve) => startTimer(resolve, PATIENCE_MS, undefined));
    this.#claimed = firstOf(this.#claim(), late);
  }

  /**
   * Work that the visitor need not wait for: what they see is drawn first.
   * @param {() => void} task
   */
  soon(task) {
    // Where nothing is drawn any more, there may be no other moment.
    const isSeen = this.#document && !this.#document.hidden && !this.#isLeft;
    if (!isSeen) return task();
    let isToCome = true;
    // A message that somebody else's channel loses is not waited for for ever.
    const timer = attempt(() => startTimer(() => once(), SOON_MS, undefined), undefined);
    const once = () => {
      clearTimer(timer);
      const isFirst = isToCome;
      isToCome = false;
      if (isFirst) task();
    };
    try {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener("message", () => {
        port1.close();
        once();
      });
      port1.start();
      port2.postMessage(0);
    } catch {
      // jsdom in Jest has no channels.
      once();
    }
  }

  /** Settles when it is known what earlier pages left, or that it cannot be known. */
  get claimed() {
    return this.#claimed;
  }

  /**
   * @param {Core} core that has just begun
   * @param {boolean} isLeaving what earlier pages left may not be known yet, and cannot be waited for
   */
  run(core, isLeaving) {
    this.#core = core;
    if (isLeaving && this.#store) this.#left ??= [];
    this.#restore();
    this.#turn();
  }

  /** The core died, and what it had was told to be lost. */
  lose() {
    this.#core = undefined;
    this.#store?.forgetAll();
  }

  /**
   * @param {number} id
   * @param {string} json
   */
  keep(id, json) {
    this.#store?.keep(id, json);
  }

  /** @param {number} id */
  forget(id) {
    this.#store?.forget(id);
  }

  #turn() {
    this.#core?.turn(this.#document ? DOCUMENT_GOES_ON : WORKER_GOES_ON);
    if (navigator.onLine === false) this.#core?.turn(OFFLINE);
  }

  #goOn() {
    if (this.#isResting) return;
    this.#turn();
    // A page that died meanwhile may have left something.
    if (this.#left) void this.#claim();
  }

  #leave() {
    this.#leaving();
    this.#core?.turn(LEAVES);
  }

  /** The page is left, and may come back from the browser's cache. */
  #depart() {
    this.#leave();
    // After what goes out because of that.
    void microtask(() => this.#rest());
  }

  #rest() {
    if (this.#isResting) return;
    this.#isResting = true;
    this.#core?.turn(RESTS);
    this.#store?.leave();
  }

  async #comeBack() {
    if (!this.#isResting) return;
    try {
      const still = this.#isWhole && this.#left && (await this.#store?.back());
      if (still) this.#core?.onlyKept(plainJson(still));
    } catch (error) {
      this.#refused(error);
    }
    this.#isResting = false;
    this.#goOn();
  }

  /** @returns {Promise<void>} */
  async #claim() {
    try {
      const left = await this.#store?.claim();
      this.#left = (this.#left ?? []).concat(left ?? []);
      this.#restore();
    } catch (error) {
      this.#refused(error);
    }
  }

  #restore() {
    if (!this.#core || !this.#left) return;
    if (this.#store?.isSlow) this.#core.turn(DOUBTS);
    this.#core.restore(plainJson(this.#left));
    this.#left = [];
  }

  /** @param {unknown} error */
  #refused(error) {
    if (!this.#isWhole) return;
    this.#isWhole = false;
    const what = "unsent enrichments are not kept across page loads, the browser refuses IndexedDB";
    printAt(this.#logLevel, "debug", `${what} (${messageOf(error)})`);
  }
}

/**
 * Whether a listener that is added to an event of the window while that is dispatched is run by it: not in
 * Chromium, nor where zone.js is around.
 */
function runsAddedListeners() {
  const name = "honeyhive-edge";
  let isRun = false;
  const add = () => addEventListener(name, () => (isRun = true), { once: true });
  addEventListener(name, add, { capture: true, once: true });
  dispatchEvent(new Event(name));
  return isRun;
}
