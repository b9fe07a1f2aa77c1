// What libraries, polyfills and careless pages put on the prototypes that everything inherits from, and what the
// package makes of it. Portable: it runs in Node and in a page, and reports what went wrong, as JSON.

/** Prototype.js 1.6 gave all lists a toJSON of its own, and took others' methods for its own. */
const patches = /** @type {Record<string, () => [any, any, any][]>} */ ({
  "a list's toJSON": () => [
    [
      Array.prototype,
      "toJSON",
      /** @this {unknown[]} */ function () {
        return "[" + this.map((value) => JSON.stringify(value)) + "]";
      },
    ],
  ],
  "an object's toJSON": () => [[Object.prototype, "toJSON", () => "everybody's"]],
  "a text's and a number's toJSON": () => [
    [String.prototype, "toJSON", () => "a text's"],
    [Number.prototype, "toJSON", () => "a number's"],
    [Boolean.prototype, "toJSON", () => "a boolean's"],
  ],
  "methods of lists": () => [
    [
      Array.prototype,
      "reduce",
      /** @this {any} */ function () {
        return this.length > 1 ? this : this[0];
      },
    ],
    [Array.prototype, "flatMap", () => []],
    [Array.prototype, "map", () => []],
    [Array.prototype, "filter", () => []],
    [Array.prototype, "some", () => false],
    [Array.prototype, "every", () => true],
    [Array.prototype, "includes", () => false],
    [Array.prototype, "entries", () => []],
  ],
  "the iterator of lists": () => [[Array.prototype, Symbol.iterator, () => [].values()]],
  "settings on every object": () => [
    [Object.prototype, "fetch", () => Promise.reject(new Error("everybody's fetch"))],
    [Object.prototype, "redact", false],
    [Object.prototype, "tracer", {}],
    [Object.prototype, "sessionId", "everybody's"],
    [Object.prototype, "serverUrl", "https://everybody.example"],
    [Object.prototype, "disabled", true],
    [Object.prototype, "waitUntil", () => {}],
    [Object.prototype, "project", () => {}],
    [Object.prototype, "forEach", () => {}],
  ],
});

/**
 * @param {typeof import("honeyhive-edge")} api
 * @returns {Promise<Record<string, unknown>>} by patch, what was sent
 */
export async function underPatches(api) {
  /** @type {Record<string, unknown>} */
  const report = {};
  for (const [name, patch] of Object.entries(patches)) {
    /** @type {string[]} */
    const bodies = [];
    /** @type {any[]} */
    const headers = [];
    const fetch = async (/** @type {string} */ _, /** @type {any} */ init) => {
      bodies[bodies.length] = init.body;
      headers[headers.length] = init.headers["x-own"];
      // Not a Response, whose own code is in JavaScript in Node.
      return { ok: true, status: 200, headers: { get: () => null }, text: async () => "{}" };
    };
    const undo = apply(patch());
    let outcomes;
    try {
      outcomes = await enrich(api, /** @type {any} */ (fetch));
    } catch (error) {
      outcomes = { threw: String(/** @type {any} */ (error).stack) };
    } finally {
      undo();
    }
    report[name] = { outcomes, headers, bodies: bodies.map((body) => JSON.parse(body)) };
  }
  return report;
}

/**
 * @param {typeof import("honeyhive-edge")} api
 * @param {typeof globalThis.fetch} fetch
 */
async function enrich(api, fetch) {
  const options = {
    apiKey: "hh_guest",
    // A page sends headers of its own to its own origin only.
    serverUrl: globalThis.location?.origin ?? "http://127.0.0.1:9",
    project: "own",
    mergeWindowMs: 1,
    deadlineMs: 2000,
    persist: false,
    headers: { "x-own": "yes" },
    fetch,
  };
  const keys = ["email", "Straße"];
  const patterns = [/secret-\d+/, /other-\d+/];
  const payload = () => ({
    metadata: {
      email: "a@b.example",
      straße: "Allee 1",
      text: "secret-12 and other-34",
      list: [1, "two", { three: 3 }],
      map: new Map().set("a", [1]),
      boxed: [Object("text"), Object(1), Object(true)],
      date: new Date(0),
      bytes: Uint8Array.of(1, 2),
    },
  });
  const byKeys = await api.initTracer({ ...options, redact: { keys, patterns } });
  const first = await byKeys.enrichSession(payload());
  const headers = byKeys.propagationHeaders();
  await byKeys.close();
  const byFunction = await api.initTracer({
    ...options,
    redact: (value, path) => (path[path.length - 1] === "email" ? "masked" : value),
  });
  const second = await byFunction.run(() => api.enrichSession(payload()));
  await byFunction.close();
  return { statuses: [first.status, second.status], baggage: headers["baggage"] };
}

/** @param {[any, any, any][]} patched */
function apply(patched) {
  /** @type {[any, string | symbol, PropertyDescriptor | undefined][]} */
  const before = [];
  for (let i = 0; i < patched.length; i++) {
    const one = /** @type {[any, any, any]} */ (patched[i]);
    const holder = one[0];
    const key = one[1];
    before[i] = [holder, key, Object.getOwnPropertyDescriptor(holder, key)];
    Object.defineProperty(holder, key, {
      value: one[2],
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }
  return () => {
    for (let i = 0; i < before.length; i++) {
      const one = /** @type {[any, string | symbol, PropertyDescriptor | undefined]} */ (before[i]);
      if (one[2]) Object.defineProperty(one[0], one[1], one[2]);
      else delete one[0][one[1]];
    }
  };
}
