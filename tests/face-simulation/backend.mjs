// HoneyHive's backend behind a `fetch`, as far as its documents describe it, with everything that can go wrong on
// the way.

/** @import { Random } from "./random.mjs" */
/** @import { Time } from "./time.mjs" */

const MERGED = ["metadata", "config", "feedback", "metrics", "user_properties"];
const BY_START = ["metadata", "user_properties"];

/** @typedef {Record<string, any>} Fields */

export class Backend {
  /** By key and id. @type {Map<string, Fields>} */
  sessions = new Map();
  /** When what is in a place was sent. @type {Map<string, bigint>} */
  #times = new Map();
  /** Everything that was sent, as text. @type {string[]} */
  bodies = [];
  /** Of a hundred requests, so many go wrong. */
  faultRate = 0;
  #random;
  #time;

  /** @param {Random} random @param {Time} time */
  constructor(random, time) {
    this.#random = random;
    this.#time = time;
  }

  /** @param {string} url @param {RequestInit} init @returns {Promise<Response>} */
  fetch = async (url, init) => {
    const body = String(init.body ?? "{}");
    this.bodies.push(body);
    const headers = /** @type {Record<string, string>} */ (init.headers);
    const key = String(headers["authorization"]).replace("Bearer ", "");
    const at = BigInt(headers["hh-client-timestamp"] ?? this.#time.now * 1_000_000);
    const take = () =>
      this.#take(String(init.method), new URL(url).pathname, key, JSON.parse(body), at);
    const fault = this.#random.below(100) < this.faultRate ? this.#random.below(7) : -1;
    await this.#time.sleep(this.#random.below(fault === 6 ? 20_000 : 200));
    switch (fault) {
      case 0:
        throw new TypeError("fetch failed");
      case 1:
        return new Response("", { status: this.#random.pick([500, 502, 503, 408, 425]) });
      case 2:
        return new Response("slow down", { status: 429, headers: { "retry-after": "1" } });
      // Told to have failed after the server has stored.
      case 3:
        take();
        throw new TypeError("terminated");
      // Twice.
      case 4:
        take();
        return take();
      // Never answered.
      case 5:
        return new Promise((_, reject) => {
          const fail = () => reject(new DOMException("aborted", "AbortError"));
          init.signal?.addEventListener("abort", fail);
        });
      default:
        return take();
    }
  };

  /**
   * @param {string} method @param {string} path @param {string} key @param {Fields} given
   * @param {bigint} at when it was sent, by its sender: what was sent before, and comes later, changes nothing
   */
  #take(method, path, key, given, at) {
    const isStart = method === "POST" && path === "/v1/sessions";
    const id = isStart ? given["session_id"] : path.replace("/v1/events/", "");
    const name = `${key} ${id}`;
    if (path === "/v1/events/search") return Response.json({ events: [], count: 0 });
    const known = this.sessions.get(name);
    if (JSON.stringify(given).includes("poison")) return Response.json({}, { status: 422 });
    if (known && method === "GET") return Response.json({ event_id: id, ...known });
    if (!known && !isStart) return Response.json({ message: "no such session" }, { status: 404 });
    const session = known ?? {};
    this.sessions.set(name, session);
    const isLatest = (/** @type {string} */ place) => {
      const before = this.#times.get(`${name} ${place}`) ?? 0n;
      if (before <= at) this.#times.set(`${name} ${place}`, at);
      return before <= at;
    };
    for (const [field, value] of Object.entries(given)) {
      if (isStart && known && !BY_START.includes(field)) continue;
      if (MERGED.includes(field)) {
        const latest = Object.entries(value).filter(([part]) => isLatest(`${field}.${part}`));
        session[field] = { ...session[field], ...Object.fromEntries(latest) };
      } else if (isLatest(field)) session[field] = value;
    }
    return Response.json({ session_id: id, inputs: session["inputs"] });
  }
}
