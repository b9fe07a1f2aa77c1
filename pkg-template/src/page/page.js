// A browser's page or worker around the core. It reports to the core when the page is left, when it comes back, and when
// the network changes, and it keeps unsent enrichments. The core decides what follows from that.

import {
  DOCUMENT_GOES_ON,
  DOUBTS,
  HIDES,
  LEAVES,
  OFFLINE,
  RESTS,
  STORE_FAILS,
  WORKER_GOES_ON,
} from "../boundary.js";
import { plainJson } from "../json.js";
import { clearTimer, delay, Promise, firstOf, microtask, tryTimer } from "../globals.js";
import { attempt, messageOf } from "../guard.js";
import { printAt } from "../log.js";
import { Store } from "./store.js";
import { each } from "../lists.js";

/** @import { Core } from "../core.d.ts" */

/** Milliseconds after which a message from the page to itself counts as lost. */
const SOON_MS = 500;

/** How long the core waits for the page to load before it opens, in milliseconds. */
const LOADING_MS = 50;

/** How long the first session waits for the entries of earlier pages, in milliseconds. `indexedDB.open` may hang. */
const PATIENCE_MS = 1000;

/** Milliseconds until the store is searched again: the first time, and at most. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** Longer pauses are only made if the store cannot be opened, or contains entries of other open pages. */
const ALONE_MS = 8000;

/** How many entries of earlier pages are passed to the core in one task. */
const SLICE = 50;

/**
 * @param {() => void} leaving runs what {@link Page.soon} still delays
 * @returns {Page | undefined} undefined outside of browsers
 */
export function browserPage(leaving) {
  const { Deno, addEventListener, location, navigator } = /** @type {any} */ (globalThis);
  // Deno's workers have all of these, and so has its main thread with `--location`.
  const isPage = !Deno && typeof addEventListener === "function" && location && navigator;
  return isPage ? new Page(leaving) : undefined;
}

export class Page {
  /** @type {Core | undefined} */
  #core;
  /** @type {Store | undefined} */
  #store;
  /** The entries to pass to the core; undefined until there is a core, or the store is open. @type {string[] | undefined} */
  #left;
  /** @type {Promise<unknown> | undefined} */
  #claimed;
  /** @type {unknown} */
  #logLevel;
  #isWhole = true;
  /** Milliseconds until the store is searched again. */
  #pauseMs = FIRST_PAUSE_MS;
  /** @type {unknown} */
  #nextClaim;
  /** @type {Promise<void> | undefined} */
  #lastClaim;
  /** Whether the last search has not begun, and will find what another one would. */
  #isClaimToCome = false;
  /** Whether the page is being left: from the first listener of `pagehide` until the page comes back. */
  #isLeft = false;
  #isResting = false;
  #leaving;
  #document = globalThis.document;
  /** Functions that each add one event listener. @type {(() => void)[]} */
  #listeners = [];
  /** Resolves when the visitor sees the page, if the browser prerenders it. @type {Promise<unknown> | undefined} */
  #activated;
  /** The addresses to which the site's content security policy allows no requests. @type {Set<string>} */
  #refusedAddresses = new Set();

  /** @param {() => void} leaving */
  constructor(leaving) {
    this.#leaving = leaving;
    this.#hear(globalThis, "online", () => this.#goOn());
    this.#hear(globalThis, "offline", () => this.#core?.turn(OFFLINE));
    this.#hear(globalThis, "securitypolicyviolation", (event) => {
      if (event.effectiveDirective !== "connect-src" || event.disposition === "report") return;
      this.#refusedAddresses.add(String(event.blockedURI));
    });
    if (this.#document) this.#hearDocument(this.#document);
    this.#listen();
  }

  /** @param {Document} document */
  #hearDocument(document) {
    const depart = () => this.#depart();
    this.#hear(
      globalThis,
      "pagehide",
      () => {
        this.#isLeft = true;
        // A page that was never seen may get no later event than this one.
        if (document.hidden && !attempt(runsAddedListeners, false)) this.#leave();
        // Added last, because the page's own listeners may still make calls.
        addEventListener("pagehide", depart, { once: true });
      },
      true,
    );
    this.#hear(globalThis, "pageshow", () => {
      removeEventListener("pagehide", depart);
      this.#isLeft = false;
      void this.#comeBack();
    });
    this.#hear(document, "visibilitychange", () => {
      if (!document.hidden) return this.#goOn();
      // Chromium does not run a listener that is added to a window's event during that event. There,
      // `visibilitychange` follows `pagehide`, or `freeze` if the page was hidden before.
      if (this.#isLeft) return depart();
      this.#goAway(HIDES);
    });
    // The page may be frozen for hours, during which another page sends its entries.
    this.#hear(document, "freeze", depart);
    this.#hear(document, "resume", () => {
      if (!this.#isLeft) void this.#comeBack();
    });
    if (/** @type {any} */ (document).prerendering) {
      this.#activated = new Promise((resolve) => {
        this.#hear(document, "prerenderingchange", resolve);
      });
    }
  }

  /**
   * @param {EventTarget} target
   * @param {string} type
   * @param {(event: any) => void} listener
   * @param {boolean} [isFirst]
   */
  #hear(target, type, listener, isFirst = false) {
    const { length } = this.#listeners;
    this.#listeners[length] = () => target.addEventListener(type, listener, isFirst);
  }

  /** Adds all listeners. `document.open()` removes them, and adding one again has no effect. */
  #listen() {
    each(this.#listeners, (listen) => listen());
  }

  /**
   * Begins to keep unsent enrichments.
   * @param {unknown} logLevel
   */
  persist(logLevel) {
    if (this.#store) return;
    this.#logLevel = logLevel;
    this.#left = undefined;
    this.#lastClaim = undefined;
    this.#isClaimToCome = false;
    this.#pauseMs = FIRST_PAUSE_MS;
    // jsdom has no IndexedDB, and a timer or channel of the store would keep Node from ending a test.
    if (!("indexedDB" in globalThis)) return this.#refused("there is none");
    this.#store = new Store(
      (error) => this.#refused(error),
      () => this.#claimAgain(),
      () => {
        const what = "the browser grants no Web Lock: tabs exchange messages";
        printAt(this.#logLevel, "debug", what);
      },
    );
    this.#claimed = this.#claimOnceSeen();
  }

  async #claimOnceSeen() {
    await this.#activated;
    await new Promise((go) => this.soon(/** @type {() => void} */ (go)));
    await firstOf(this.#claim(), delay(PATIENCE_MS));
  }

  /**
   * Runs a task after the page has been drawn, because the visitor need not wait for it.
   * @param {() => void} task
   */
  soon(task) {
    this.#listen();
    // A page that is not drawn any more may get no later chance.
    const isSeen = this.#document && !this.#document.hidden && !this.#isLeft;
    if (!isSeen) return task();
    let isToCome = true;
    // A replaced MessageChannel may lose the message.
    const timer = tryTimer(() => once(), SOON_MS);
    const once = () => {
      clearTimer(timer);
      const isFirst = isToCome;
      isToCome = false;
      if (isFirst) task();
    };
    const send = () => {
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
    };
    // The page's own files come first, until the core has opened.
    if (this.#core || this.#document?.readyState === "complete") return send();
    addEventListener("load", send, { once: true });
    tryTimer(send, LOADING_MS);
  }

  /** Resolves when the visitor sees the page, and the store was searched or cannot be. */
  async begins() {
    await this.#activated;
    await this.#claimed;
  }

  /**
   * The reason why the browser refused a request, if it is known.
   * @param {string} url
   * @returns {string | undefined}
   */
  refusal(url) {
    for (const address of this.#refusedAddresses) {
      if (!url.startsWith(address)) continue;
      const { origin } = new URL(url, location.href);
      return `the page's content security policy refuses it: let connect-src allow ${origin}`;
    }
    if (globalThis.origin === "null") {
      return "perhaps because this document has no origin: give its frame's sandbox allow-same-origin";
    }
    return undefined;
  }

  /**
   * Connects a new core. Keeping begins even if the store was not searched yet: the store writes when it can.
   * @param {Core} core
   */
  run(core) {
    this.#core = core;
    if (this.#store) this.#left ??= [];
    this.#restore();
    this.#turn();
  }

  /**
   * Disconnects a core that died. Its enrichments were reported as lost.
   * @param {string | undefined} cutOff the line to log if the browser ended the script. Then the entries are kept, as those
   *   of a page that is gone
   */
  lose(cutOff) {
    this.#core = undefined;
    if (!cutOff) return this.#store?.forgetAll();
    printAt(this.#logLevel, "debug", cutOff);
    const before = this.#store;
    if (!before) return;
    this.#store = undefined;
    this.persist(this.#logLevel);
    if (this.#isLeft || this.#isResting) /** @type {Store | undefined} */ (this.#store)?.leave();
    before.leaving();
    before.leave();
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
    this.#store?.goesOn();
    this.#turn();
    // A page that was closed meanwhile may have left entries.
    if (this.#left) this.#claimAgain();
  }

  #leave() {
    // A prerendered page that is discarded has made no calls that count.
    if (/** @type {any} */ (this.#document)?.prerendering) return;
    this.#goAway(LEAVES);
  }

  /** @param {number} turn whether the page is hidden or left */
  #goAway(turn) {
    this.#store?.leaving();
    this.#leaving();
    if (this.#store?.isFailing) this.#core?.turn(STORE_FAILS);
    this.#core?.turn(turn);
  }

  /** Handles a page that is frozen or left, and may come back. */
  #depart() {
    this.#leave();
    // After the requests that this causes.
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
      const still = await this.#store?.back();
      if (still && this.#left) this.#core?.onlyKept(plainJson(still));
    } catch (error) {
      this.#refused(error);
    }
    this.#isResting = false;
    this.#goOn();
  }

  /** Searches the store now and soon afterwards, because pages that end together do not all say so. */
  #claimAgain() {
    this.#pauseMs = FIRST_PAUSE_MS;
    void this.#claim();
  }

  /** Searches the store for entries, one search at a time, because two would give their entries the same numbers. */
  #claim() {
    if (!this.#isClaimToCome) this.#lastClaim = this.#claimAfter(this.#lastClaim);
    return this.#lastClaim;
  }

  /** @param {Promise<void> | undefined} before */
  async #claimAfter(before) {
    const store = this.#store;
    this.#isClaimToCome = true;
    await before;
    if (store !== this.#store) return;
    this.#isClaimToCome = false;
    try {
      const left = await store?.claim();
      // The core died meanwhile, and the next one uses another store.
      if (store !== this.#store) return;
      this.#left = (this.#left ?? []).concat(left ?? []);
      this.#restore();
      if (!store?.isShared && this.#pauseMs > ALONE_MS) return;
    } catch (error) {
      this.#refused(error);
    }
    // A fault of the store may be temporary. An open page may be killed without notice, and entries that a page wrote
    // at its end may become visible only now.
    clearTimer(this.#nextClaim);
    this.#nextClaim = tryTimer(() => void this.#claim(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  /** Passes entries to the core in slices, between which the page may be drawn. */
  #restore() {
    if (!this.#core || !this.#left) return;
    if (this.#store?.isSlow) this.#core.turn(DOUBTS);
    this.#core.restore(plainJson(this.#left.splice(0, SLICE)));
    if (this.#left.length > 0) this.soon(() => this.#restore());
  }

  /** @param {unknown} error */
  #refused(error) {
    if (!this.#isWhole) return;
    this.#isWhole = false;
    const what = "the queue is not kept across page loads, because the browser refuses IndexedDB";
    printAt(this.#logLevel, "debug", `${what} (${messageOf(error)})`);
  }
}

/**
 * Whether an event of the window runs a listener that is added during it. It does not in Chromium, and not with zone.js.
 */
function runsAddedListeners() {
  const name = "honeyhive-edge";
  let isRun = false;
  const add = () => addEventListener(name, () => (isRun = true), { once: true });
  addEventListener(name, add, { capture: true, once: true });
  dispatchEvent(new Event(name));
  return isRun;
}
