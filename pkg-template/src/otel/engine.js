// Brings spans to their core and the ends of exports back: performs the core's requests, and holds what waits for it. The
// rules of spans are the core's.

import { isConnectionShared } from "../connections.js";
import { Promise, forwardNow } from "../globals.js";
import { attempt, messageOf, read } from "../guard.js";
import { Instance } from "../instance.js";
import { filtered } from "../lists.js";
import { LoggedLines, print } from "../log.js";
import { newRuntime } from "../runtime.js";
import { runtimeFetch } from "../send.js";
import { copiesBody, serverFetch } from "../server-fetch.js";
import { untraced } from "../untraced.js";

/** @import { SpanCore, SpanHost } from "./core.d.ts" */

/**
 * What differs between runtimes.
 * @typedef {object} SpanPlatform
 * @property {(onTrap: (error: unknown) => void) => SpanCore} open a fresh instance of the core; throws where there can be none
 * @property {(name: string) => unknown} variable an environment variable
 * @property {() => import("../context/context.d.ts").Context} newContext tells requests apart and keeps them alive
 * @property {"edge"} [place] where each request that is served has connections of its own; else it is a page's or a server's
 * @property {string} hint what to do where WebAssembly will not start
 */

/** Bytes that browsers send on after a page has gone, in all requests together. */
const KEEPALIVE_BYTES = 60_000;

/**
 * How many bodies' memory is kept: an export of 512 spans of 30 KB is as many requests. A body has some 4 MB, and with a last
 * span of the largest size 9 MB.
 */
const MOST_SPARES = 4;

/** Milliseconds in which a browser refuses a request by itself. */
const AT_ONCE_MS = 1000;

export class SpanEngine {
  platform;
  /** @type {Instance<SpanCore>} */
  #instance;
  /** What the log need not hear twice. */
  #logged = new LoggedLines();
  /** Those who wait for the end of an export, by exporter and number. @type {Map<string, (why: string | undefined) => void>} */
  #waiting = new Map();
  /** What ends the promise that holds the request of a loop alive. @type {Map<number, () => void>} */
  #ends = new Map();
  /** Exporters' own ways to fetch. @type {Map<number, Function>} */
  #transports = new Map();
  #lastTransport = 0;
  /** Whether the last request that was to outlive the page has no answer. */
  #mayHang = false;
  /** The addresses that have answered. @type {Set<string>} */
  #answered = new Set();
  /**
   * The memory of bodies that were sent, which the next bodies take. If each body of some MB took new memory, V8 would collect
   * garbage every few requests.
   * @type {ArrayBufferLike[]}
   */
  #spareMemory = [];
  /** @type {import("../context/context.d.ts").Context | undefined} */
  #context;

  /** @param {SpanPlatform} platform */
  constructor(platform) {
    this.platform = platform;
    /** @type {import("../instance.js").Purpose<SpanCore>} */
    const purpose = {
      effect: "so spans are neither enriched nor exported",
      connect: (core) => core.connect(this.#host(core)),
      trapped: (error) => this.#trapped(error),
    };
    this.#instance = new Instance(platform, purpose, this.#logged);
  }

  /** Made at the first call: nothing happens at import. */
  get context() {
    return (this.#context ??= this.platform.newContext());
  }

  /** @returns {SpanCore | undefined} nothing where WebAssembly will not start */
  get core() {
    const { core } = this.#instance;
    return core ?? /** @type {SpanCore | undefined} */ (this.#instance.open());
  }

  /**
   * A line for the log, once.
   * @param {"error" | "warn"} level
   * @param {string} message
   */
  say(level, message) {
    if (this.#logged.add(message)) print(level, message);
  }

  /** @returns {number} by which the core is to name an exporter's own fetch */
  newTransport() {
    return ++this.#lastTransport;
  }

  /**
   * Holds an exporter's own fetch while it has something to send.
   * @param {number} transport
   * @param {Function} fetch
   */
  lend(transport, fetch) {
    this.#transports.set(transport, fetch);
  }

  /** @param {number} transport */
  takeBack(transport) {
    this.#transports.delete(transport);
  }

  /**
   * @param {number} exporter
   * @param {number} call
   * @param {(why: string | undefined) => void} ended
   */
  wait(exporter, call, ended) {
    this.#waiting.set(`${exporter} ${call}`, ended);
  }

  /** @param {unknown} error */
  #trapped(error) {
    const why = `an internal error of honeyhive-edge/otel (${messageOf(error)})`;
    print("error", `${why}: its queue of spans is lost, later spans are exported`);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const ended of waiting) ended(why);
    for (const end of this.#ends.values()) end();
    this.#ends = new Map();
  }

  /**
   * @param {SpanCore} core
   * @returns {SpanHost}
   */
  #host(core) {
    const ends = this.#ends;
    return {
      ...newRuntime((loop) => core.runScope(loop)),
      settle: (exporter, call, why) => {
        // What an instance that died still says does not count.
        if (this.#instance.core !== core) return;
        const key = `${exporter} ${call}`;
        const ended = this.#waiting.get(key);
        this.#waiting.delete(key);
        ended?.(why);
      },
      log: print,
      beginLoop: (loop, scope) => {
        const held = new Promise((/** @type {(_: void) => void} */ end) => ends.set(loop, end));
        this.context.waitUntil(scope, held);
      },
      endLoop: (loop) => {
        ends.get(loop)?.();
        ends.delete(loop);
      },
      forgetLoop: (loop) => void ends.delete(loop),
      bodyArray: (length) => this.#bodyArray(length),
      fetch: (transport, url, init) => this.#fetch(transport, url, init),
    };
  }

  /** @param {number} length */
  #bodyArray(length) {
    /** @type {ArrayBufferLike | undefined} */
    let fitting;
    this.#spareMemory = filtered(this.#spareMemory, (memory) => {
      if (fitting || memory.byteLength < length) return true;
      fitting = memory;
      return false;
    });
    return fitting ? new Uint8Array(fitting, 0, length) : new Uint8Array(length);
  }

  /** @param {ArrayBufferLike} memory that nothing reads any more */
  #keepMemory(memory) {
    const spare = this.#spareMemory;
    spare[spare.length] = memory;
    // The oldest may be too small for today's bodies.
    if (spare.length > MOST_SPARES) {
      this.#spareMemory = filtered(spare, (other) => other !== spare[0]);
    }
  }

  /**
   * @param {number} transport
   * @param {string} url
   * @param {RequestInit} init
   * @returns {Promise<Response>}
   */
  async #fetch(transport, url, init) {
    const own = this.#transports.get(transport);
    if (transport && !own) throw new Error("the exporter's fetch is gone");
    const fetch = own ?? serverFetch();
    const isCopied = !own && copiesBody(runtimeFetch());
    // Instrumentations of fetch would make spans of it, for ever.
    const ask = (/** @type {RequestInit} */ as) => untraced(() => fetch(url, as));
    const body = /** @type {string | Uint8Array} */ (init.body);
    const outlives = !this.#mayHang && isPageHidden() && body.length < KEEPALIVE_BYTES;
    const hasAnswered = this.#answered.has(url);
    const isApart = outlives && !hasAnswered && !isConnectionShared();
    const isUsual = !outlives && !this.#mayHang && hasAnswered;
    const answer = await (isUsual ? ask(init) : this.#askGently(ask, init, outlives, isApart));
    this.#answered.add(url);
    if (isCopied) this.#keepMemory(/** @type {Uint8Array} */ (body).buffer);
    return answer;
  }

  /**
   * Chromium holds the connection of a request that outlives its page for half a minute if the server never answers,
   * so there is one at a time, and none after one that was not answered until the server answers another. Until the first
   * answer, a browser is to take a connection for it that the site's own requests do not use: one without cookies.
   * @param {(init: RequestInit) => Promise<Response>} ask
   * @param {RequestInit} init
   * @param {boolean} outlives
   * @param {boolean} isApart
   */
  async #askGently(ask, init, outlives, isApart) {
    const sentAt = forwardNow();
    let answer;
    try {
      if (outlives) this.#mayHang = true;
      /** @type {RequestInit} */
      const apart = isApart ? { credentials: "omit" } : {};
      answer = await ask(outlives ? { ...init, ...apart, keepalive: true } : init);
      if (isApart && mayLackCookies(answer)) answer = await ask(init);
    } catch (error) {
      // Others may hold what the browser allows: then it refuses at once, and no server was asked.
      const isRefused = !init.signal?.aborted && forwardNow() - sentAt < AT_ONCE_MS;
      if (!outlives || !isRefused) throw error;
      answer = await ask(init);
    }
    this.#mayHang = false;
    return answer;
  }
}

/** Whether the site may want its cookies from whoever asks. @param {unknown} answer */
function mayLackCookies(answer) {
  const status = read(answer, "status");
  // A redirect, perhaps to a login page, says 0 in a browser.
  return status === 0 || status === 401 || status === 403;
}

/** A page that is being left has no time for an answer. */
function isPageHidden() {
  const { document } = /** @type {any} */ (globalThis);
  return attempt(() => read(document, "visibilityState") === "hidden", false);
}
