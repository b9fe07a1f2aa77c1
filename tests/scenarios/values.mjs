// Every row of the design's "Values": a value that JSON cannot hold, or that fights back, as it is
// handed to enrichSession. Each is sent by itself and once more beside a BigInt, so that both the
// engine's own JSON.stringify and the careful walk meet it.

/** How the stored value is told: `stored` is what values.check.mjs compares, `null` is JSON's. */
export const rows = {
  date: () => new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
  invalidDate: () => new Date(NaN),
  url: () => new URL("https://example.com/a?b=c"),
  toJson: () => ({ toJSON: (/** @type {string} */ key) => ({ made: "by toJSON", key }) }),

  bigIntExact: () => 42n,
  bigIntNegative: () => -9007199254740991n,
  bigIntLarge: () => 12345678901234567890123n,
  bigIntInList: () => [1n, [2n]],

  notANumber: () => NaN,
  infinities: () => [Infinity, -Infinity],
  minusZero: () => -0,

  undefinedInObject: () => ({ gone: undefined, kept: 1 }),
  undefinedInList: () => [undefined, 1],
  functions: () => ({ gone() {}, kept: [() => 1, Map] }),
  symbols: () => ({ gone: Symbol("s"), [Symbol("key")]: 1, kept: [Symbol.iterator] }),
  hole: () => [1, , 3], // eslint-disable-line no-sparse-arrays -- the hole is what is tested

  map: () =>
    new Map(
      /** @type {[any, any][]} */ ([
        ["a", 1],
        [2, new Map([["b", new Set([1])]])],
      ]),
    ),
  emptyMap: () => new Map(),
  set: () => new Set([1, "two", { three: 3 }]),
  error: () => withStack(new RangeError("too far")),
  errorSubclass: () =>
    withStack(
      new (class QuotaError extends Error {
        name = "QuotaError";
        code = 429;
      })("no more"),
    ),
  errorInList: () => [withStack(new Error("listed"))],

  bytes: () => new Uint8Array([0, 1, 255]),
  floats: () => new Float64Array([1.5, NaN]),
  bigInts: () => new BigInt64Array([1n, -2n]),
  buffer: () => new Uint8Array([7, 8]).buffer,
  kilobyte: () => new Uint8Array(1024).fill(1),
  manyBytes: () => new Uint8Array(4096),
  largeBuffer: () => new ArrayBuffer(1025),
  largeFloats: () => new Float64Array(512),

  cycle() {
    /** @type {any} */
    const node = { name: "a", list: [] };
    node.self = node;
    node.list.push(node);
    return node;
  },
  cycleInMap() {
    /** @type {Map<string, any>} */
    const map = new Map();
    map.set("self", map);
    return map;
  },
  shared() {
    // The same object twice is no cycle.
    const leaf = { leaf: true };
    return { a: leaf, b: [leaf, leaf] };
  },
  deepEnough: () => nest(80),
  tooDeep: () => ({ before: 1, deep: nest(5000), after: 2 }),
  tooDeepList: () => nestList(5000),

  getterThrows: () => ({
    before: 1,
    get bad() {
      throw new Error("no such column");
    },
    after: 2,
  }),
  getterThrowsText: () => ({
    get bad() {
      throw "just text";
    },
  }),
  toJsonThrows: () => ({
    before: 1,
    bad: {
      toJSON() {
        throw new Error("lazy relation");
      },
    },
    after: 2,
  }),
  proxyThrows: () => ({
    before: 1,
    bad: new Proxy(
      {},
      {
        ownKeys() {
          throw new Error("revoked grant");
        },
        get(_target, key) {
          if (key === "toJSON") return undefined;
          throw new Error("revoked grant");
        },
      },
    ),
    after: 2,
  }),
  proxyRevoked() {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return { before: 1, bad: proxy, after: 2 };
  },

  loneSurrogate: () => "a\ud800b",
  loneSurrogateLow: () => "\udc00",
  loneSurrogateKey: () => ({ "k\ud83d": 1 }),
  pair: () => "\u{1f41d}",
  control: () => '\u0000\u2028"\\',

  boxed: () => [new Number(1), new String("s"), new Boolean(false)],
  protoKey: () => JSON.parse('{"__proto__":{"a":1},"constructor":2}'),
  nullPrototype: () => Object.assign(Object.create(null), { a: 1 }),
  instance: () =>
    new (class Point {
      x = 1;
      get y() {
        return 2;
      }
    })(),
  nothing: () => null,
  bigString: () => "x".repeat(70_000),
};

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys }) {
  const tracer = await api.initTracer({
    apiKey: keys.main,
    serverUrl: servers.v1,
    sessionName: "values",
    mergeWindowMs: 1,
    // Redaction is not the subject, and must not pass for it.
    redact: false,
  });
  const beside = tracer.startSession({ sessionName: "values beside a BigInt" });
  const whole = tracer.startSession({ sessionName: "whole" });
  /** @type {Record<string, any>} */
  const stacks = {};
  const deliveries = [];
  for (const [name, make] of Object.entries(rows)) {
    const value = make();
    if (name.startsWith("error")) stacks[name] = (Array.isArray(value) ? value[0] : value).stack;
    deliveries.push(tracer.enrichSession({ metadata: { [name]: value } }));
    deliveries.push(beside.enrichSession({ metadata: { [name]: value, big: 1n } }));
  }

  // Not inside a field but in the place of one.
  const hostile = [
    { metadata: new Map([["from", "a map"]]) },
    { config: rows.cycle() },
    {
      feedback: { rating: 1 },
      get metrics() {
        throw new Error("a field that throws");
      },
    },
    new Proxy({ userProperties: { by: "proxy" } }, {}),
  ];
  const odd = [null, 3, "", () => 1, Symbol("s"), 1n, [], new Proxy(() => {}, {})];
  /** @type {any[]} */
  const strange = [];
  for (const params of hostile) deliveries.push(whole.enrichSession(/** @type {any} */ (params)));
  for (const params of odd)
    strange.push(await whole.enrichSession(whole.sessionId, /** @type {any} */ (params)));

  const statuses = (await Promise.all(deliveries)).map((delivery) => delivery.status);
  const report = await api.flush();
  await Promise.all([beside.close(), whole.close()]);
  await tracer.close();
  return {
    sessionId: tracer.sessionId,
    beside: beside.sessionId,
    whole: whole.sessionId,
    statuses: [...new Set(statuses)],
    pending: report.pending,
    strange: strange.map((delivery) => typeof delivery?.status),
    stacks,
  };
}

/** @param {Error} error */
function withStack(error) {
  // Some engines make a stack only when it is read or thrown.
  void error.stack;
  return error;
}

/** @param {number} levels */
function nest(levels) {
  /** @type {any} */
  let value = { end: true };
  for (let level = 0; level < levels; level += 1) value = { in: value };
  return value;
}

/** @param {number} levels */
function nestList(levels) {
  /** @type {any} */
  let value = [];
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}
