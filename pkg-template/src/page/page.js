// A browser's page, or worker, around the core: tells it when the page is left and comes back and when the
// network does, and keeps what is unsent for it. What follows from that is the core's to say.

import {
  DOCUMENT_GOES_ON,
  DOUBTS,
  HIDES,
  LEAVES,
  OFFLINE,
  RESTS,
  WORKER_GOES_ON,
} from "../boundary.js";
import { plainJson } from "../json.js";
import { clearTimer, delay, Promise, firstOf, microtask, tryTimer } from "../globals.js";
import { attempt, messageOf } from "../guard.js";
import { printAt } from "../log.js";
import { Store } from "./store.js";

/** @import { Core } from "../core.d.ts" */

/** Milliseconds after which a message to oneself counts as lost. */
const SOON_MS = 500;

/** Milliseconds that a page which still loads has before the core opens. */
const LOADING_MS = 50;

/** Milliseconds that the first session waits for what earlier pages left: `indexedDB.open` was known to hang. */
const PATIENCE_MS = 1000;

/** Milliseconds after which the store is looked into again: at first, and at most. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** Pauses above this are for the store alone that cannot be opened, or has something of other living pages. */
const ALONE_MS = 8000;

/** Records that earlier pages left, given to the core in one task. */
const SLICE = 50;

/**
 * @param {() => void} leaving does what {@link Page.soon} still keeps waiting
 * @returns {Page | undefined} nothing where there is no browser around
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
  /** What the core is still to be told of; nothing until there is a core, or the store is open. @type {string[] | undefined} */
  #left;
  /** @type {Promise<unknown> | undefined} */
  #claimed;
  /** @type {unknown} */
  #logLevel;
  #isWhole = true;
  /** Milliseconds after which the store is looked into again. */
  #pauseMs = FIRST_PAUSE_MS;
  /** @type {unknown} */
  #nextClaim;
  /** @type {Promise<void> | undefined} */
  #lastClaim;
  /** From the first listener of `pagehide` on, until the page comes back. */
  #isLeft = false;
  #isResting = false;
  #leaving;
  #document = globalThis.document;
  /** Each begins to listen to one thing. @type {(() => void)[]} */
  #listeners = [];
  /** Settles when somebody sees the page, where a browser loads it before. @type {Promise<unknown> | undefined} */
  #activated;
  /** Addresses that the site's content security policy refuses to be asked. @type {Set<string>} */
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
        // Where nobody saw the page, there may be no later moment than this.
        if (document.hidden && !attempt(runsAddedListeners, false)) this.#leave();
        // Listening last: the page's own listeners may have something to say.
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
      // Chromium does not run a listener that is added to a window's event while that runs. There this
      // event follows `pagehide`, or `freeze` where the page was hidden before.
      if (this.#isLeft) return depart();
      this.#store?.leaving();
      this.#leaving();
      this.#core?.turn(HIDES);
    });
    // It may be frozen for hours, in which another page sends what this one has.
    this.#hear(document, "freeze", depart);
    this.#hear(document, "resume", () => (this.#isLeft ? undefined : this.#comeBack()));
    if (/** @type {any} */ (document).prerendering) {
      this.#activated = new Promise((resolve) => {
        this.#hear(document, "prerenderingchange", () => resolve(undefined));
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
    this.#listeners.push(() => target.addEventListener(type, listener, isFirst));
  }

  /** Once more changes nothing where they are there; `document.open()` takes all listeners away. */
  #listen() {
    this.#listeners.forEach((listen) => listen());
  }

  /**
   * What is unsent is kept from now on.
   * @param {unknown} logLevel
   */
  persist(logLevel) {
    if (this.#store) return;
    this.#logLevel = logLevel;
    this.#left = undefined;
    this.#lastClaim = undefined;
    this.#pauseMs = FIRST_PAUSE_MS;
    // jsdom has none, and in Node a timer or a channel of the store would keep a test's process from its end.
    if (!("indexedDB" in globalThis)) return this.#refused("there is none");
    this.#store = new Store(
      (error) => this.#refused(error),
      () => void this.#claim(),
      () => {
        const what = "the browser grants no Web Lock, so tabs know of one another by messages";
        printAt(this.#logLevel, "debug", what);
      },
    );
    this.#claimed = this.#claimOnceSeen();
  }

  async #claimOnceSeen() {
    await this.#activated;
    await new Promise((go) => this.soon(() => go(undefined)));
    await firstOf(this.#claim(), delay(PATIENCE_MS));
  }

  /**
   * Work that the visitor need not wait for: what they see is drawn first.
   * @param {() => void} task
   */
  soon(task) {
    this.#listen();
    // Where nothing is drawn any more, there may be no other moment.
    const isSeen = this.#document && !this.#document.hidden && !this.#isLeft;
    if (!isSeen) return task();
    let isToCome = true;
    // A message that somebody else's channel loses is not waited for for ever.
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
    // The page's own files come first, as long as the core has yet to open.
    if (this.#core || this.#document?.readyState === "complete") return send();
    addEventListener("load", send, { once: true });
    tryTimer(send, LOADING_MS);
  }

  /** Settles when somebody sees the page, and it is known what earlier pages left or that it cannot be known. */
  async begins() {
    await this.#activated;
    await this.#claimed;
  }

  /**
   * Why a request was not even tried, or was refused by the browser, if that is known.
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
   * Keeping begins, even where it cannot be known yet what earlier pages left: the store writes when it can.
   * @param {Core} core that has just begun
   */
  run(core) {
    this.#core = core;
    if (this.#store) this.#left ??= [];
    this.#restore();
    this.#turn();
  }

  /**
   * The core died, and what it had was told to be lost.
   * @param {string | undefined} cutOff said where the browser ended it: then what is kept goes on as what a page leaves
   *   that dies
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
    // A page that died meanwhile may have left something.
    this.#pauseMs = FIRST_PAUSE_MS;
    if (this.#left) void this.#claim();
  }

  #leave() {
    // A page that is thrown away before anybody saw it has said nothing.
    if (/** @type {any} */ (this.#document)?.prerendering) return;
    this.#store?.leaving();
    this.#leaving();
    this.#core?.turn(LEAVES);
  }

  /** The page is frozen or left, and may come back. */
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
      const still = await this.#store?.back();
      if (still && this.#left) this.#core?.onlyKept(plainJson(still));
    } catch (error) {
      this.#refused(error);
    }
    this.#isResting = false;
    this.#goOn();
  }

  /** One after the other: two at once would give what they find the same numbers. */
  #claim() {
    return (this.#lastClaim = this.#claimAfter(this.#lastClaim));
  }

  /** @param {Promise<void> | undefined} before */
  async #claimAfter(before) {
    await before;
    const store = this.#store;
    try {
      const left = await store?.claim();
      // The core died meanwhile, and the next one begins with another store.
      if (store !== this.#store) return;
      this.#left = (this.#left ?? []).concat(left ?? []);
      this.#restore();
      if (!store?.isShared && this.#pauseMs > ALONE_MS) return;
    } catch (error) {
      this.#refused(error);
    }
    // What is wrong with the store may pass. Who lives may die without a word, and who has just died may have
    // written something that is only seen now.
    clearTimer(this.#nextClaim);
    this.#nextClaim = tryTimer(() => void this.#claim(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  /** In slices, between which the page may draw. */
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
