// Each row of the design's table of values, and that no value whatever gets past it.

import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import fc from "fast-check";
import { snapshot, snapshotAll } from "../../pkg-template/src/snapshot.js";
import { anyValue } from "../support/values.mjs";

/** @param {unknown} value */
const stored = (value) => JSON.parse(snapshot(value));

/** @param {unknown} value as one field among plain ones */
const field = (value) => stored({ metadata: { before: 1, value, after: 2 } }).metadata;

/**
 * @param {number} levels
 * @returns {any}
 */
function nested(levels) {
  /** @type {any} */
  let value = "end";
  for (let i = 0; i < levels; i++) value = { deeper: value };
  return value;
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {unknown} expected undefined: left out
 */
function row(name, value, expected) {
  test(name, () => {
    const rest = { before: 1, after: 2 };
    assert.deepEqual(field(value), expected === undefined ? rest : { ...rest, value: expected });
    // Beside something that needs the careful walk it is stored the same.
    assert.deepEqual(stored({ value, big: 1n }).value, expected);
  });
}

const revoked = Proxy.revocable({}, {});
revoked.revoke();

class Point {
  x = 1;
  #secret = 2;
  get computed() {
    return this.#secret;
  }
}

row("a date", new Date(0), "1970-01-01T00:00:00.000Z");
row("an invalid date", new Date(NaN), null);
row("a working toJSON", { toJSON: () => ({ a: 1 }) }, { a: 1 });
row("a toJSON told its key", { toJSON: (/** @type {string} */ key) => key }, "value");
row("a toJSON that says undefined", { toJSON: () => undefined }, undefined);
row("a toJSON that gives a map", { toJSON: () => new Map([["a", 1]]) }, { a: 1 });
row("a toJSON that is data", { toJSON: 5, a: 1 }, { toJSON: 5, a: 1 });
row("an inherited toJSON", new URL("http://localhost/a"), "http://localhost/a");
row("a toJSON that is hidden", Object.defineProperty({}, "toJSON", { value: () => 7 }), 7);
row("a bigint that is exact", 9007199254740991n, 9007199254740991);
row("a negative bigint", -5n, -5);
row("a bigint that is not exact", 9007199254740993n, "9007199254740993");
row("a large bigint", -(2n ** 64n), "-18446744073709551616");
row("not a number", NaN, null);
row("infinity", -Infinity, null);
row("minus zero", -0, 0);
row("undefined", undefined, undefined);
row("a function", () => 1, undefined);
row("a symbol", Symbol("s"), undefined);
row("a list of what is left out", [undefined, () => 1, Symbol("s"), NaN], [null, null, null, null]);
row(
  "a map",
  new Map(
    /** @type {any} */ ([
      ["a", 1],
      [2, "b"],
      [Symbol("c"), 3],
    ]),
  ),
  { a: 1, 2: "b", "Symbol(c)": 3 },
);
row(
  "a map with object keys",
  new Map([
    [{ a: 1 }, 1],
    [{ a: 2 }, 2],
  ]),
  { '{"a":1}': 1, '{"a":2}': 2 },
);
row("a map of maps", new Map([["a", new Map([["b", new Set([1])]])]]), { a: { b: [1] } });
row(
  "a map with what is left out",
  new Map([
    ["a", undefined],
    ["b", 1],
  ]),
  { b: 1 },
);
row("a set", new Set([1, "a", undefined]), [1, "a", null]);
row("bytes", new Uint8Array([1, 2, 255]), [1, 2, 255]);
row(
  "1 KB of bytes",
  new Uint8Array(1024).fill(7),
  Array.from({ length: 1024 }, () => 7),
);
row("more bytes", new Uint8Array(1025), "[1025 bytes]");
row("wide numbers", new Float64Array([1.5, NaN, -Infinity]), [1.5, null, null]);
row("too many wide numbers", new Float64Array(129), "[1032 bytes]");
row("big numbers", new BigInt64Array([1n, -(2n ** 60n)]), [1, "-1152921504606846976"]);
row("a buffer", new Uint8Array([1, 2]).buffer, [1, 2]);
row("a shared buffer", new SharedArrayBuffer(2), [0, 0]);
row("a large buffer", new ArrayBuffer(4096), "[4096 bytes]");
row("a view", new DataView(new Uint8Array([1, 2, 3]).buffer, 1), [2, 3]);
row("Node's Buffer", Buffer.from([1, 2]), [1, 2]);
row("a large Buffer", Buffer.alloc(4096), "[4096 bytes]");
row("a transferred buffer", transferred(), []);
row("a number object", Object(5), 5);
row("a string object", Object("s"), "s");
row("a boolean object", Object(false), false);
row("a bigint object", Object(5n), 5);
row("an instance", new Point(), { x: 1 });
row("no prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 });
row(
  "a revoked proxy",
  revoked.proxy,
  threw(() => Reflect.get(revoked.proxy, "toJSON")),
);
row("a lone surrogate", "a\ud800b\udc00c", "a\ufffdb\ufffdc");
row("a pair", "\ud83d\ude00", "\ud83d\ude00");
row("an escape as text", "\\ud800 \\\ud800", "\\ud800 \\\ufffd");
row("a pattern and a promise", [/a\/"/giu, Promise.resolve(1)], ['/a\\/"/giu', {}]);
row("a pattern with a text of its own", Object.assign(/a/, { toString: () => "b" }), "/a/");
row("headers", new Headers({ a: "1", b: "2" }), { a: "1", b: "2" });
row("a name that comes twice", new URLSearchParams("a=1&b=2&a=3"), { a: ["1", "3"], b: "2" });
row("headers that come twice", cookies(), { "set-cookie": ["a=1", "b=2"], x: "1, 2" });
row("a form", form(), { text: "t", file: ["[4096 bytes]", "[2 bytes]"] });
row("a blob", new Blob(["abc"]), "[3 bytes]");
row(
  "a map with names that are the same",
  new Map(
    /** @type {any} */ ([
      [1, "a"],
      ["1", "b"],
      ["left out", undefined],
    ]),
  ),
  { 1: ["a", "b"] },
);
row("what only claims to be headers", { [Symbol.toStringTag]: "Headers", a: 1 }, { a: 1 });
row(
  "an answer",
  new Response("body", { status: 404, statusText: "gone", headers: { "set-cookie": "secret" } }),
  { url: "", status: 404, statusText: "gone" },
);
row("a request", new Request("http://localhost/a", { headers: { authorization: "secret" } }), {
  method: "GET",
  url: "http://localhost/a",
});
row(
  "several errors in one",
  [new AggregateError([new RangeError("one"), "two"], "several")].map((error) => {
    error.stack = "stack";
    error.errors[0].stack = "stack of one";
    return error;
  }),
  [
    {
      name: "AggregateError",
      message: "several",
      stack: "stack",
      errors: [{ name: "RangeError", message: "one", stack: "stack of one" }, "two"],
    },
  ],
);
row(
  "a getter that throws",
  {
    get a() {
      throw new Error("no");
    },
    b: 1,
  },
  { a: "[Threw: no]", b: 1 },
);
row(
  "a getter that throws nothing",
  {
    get a() {
      throw undefined;
    },
  },
  { a: "[Threw: undefined]" },
);
row(
  "a toJSON that throws",
  {
    toJSON() {
      throw new Error("no");
    },
  },
  "[Threw: no]",
);
row(
  "a proxy that throws",
  new Proxy(
    {},
    {
      ownKeys() {
        throw new Error("no");
      },
    },
  ),
  "[Threw: no]",
);
row("a proxy of a map", new Proxy(new Map([["a", 1]]), {}), {});
row("what only claims to be a map", { [Symbol.toStringTag]: "Map", a: 1 }, { a: 1 });
row("what claims to be a buffer", { [Symbol.toStringTag]: "ArrayBuffer", a: 1 }, { a: 1 });
row(
  "a tag that throws",
  {
    get [Symbol.toStringTag]() {
      throw new Error("no");
    },
    a: 1n,
  },
  { a: 1 },
);
row(
  "a conversion that throws",
  {
    [Symbol.toPrimitive]() {
      throw new Error("no");
    },
    a: 1n,
  },
  { a: 1 },
);
row(
  "an error that is not asked for its extras",
  Object.assign(errorWith("no", undefined), { request: { key: "k" } }),
  { name: "Error", message: "no" },
);
row(
  "an error with a cause",
  errorWith("no", new TypeError("why")),
  (() => {
    const e = { name: "Error", message: "no" };
    return { ...e, cause: { name: "TypeError", message: "why" } };
  })(),
);
row("an error whose message throws", hostileError(), { name: "Error", message: "[Threw: no]" });

/**
 * Without stacks, which nobody can predict.
 * @param {string} message
 * @param {Error | undefined} cause
 */
function errorWith(message, cause) {
  const error = cause ? new Error(message, { cause }) : new Error(message);
  for (const one of [error, cause]) if (one) Reflect.deleteProperty(one, "stack");
  return error;
}

function hostileError() {
  const error = errorWith("", undefined);
  return Object.defineProperty(error, "message", {
    get() {
      throw new Error("no");
    },
  });
}

function transferred() {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

/** @param {() => unknown} fn */
function threw(fn) {
  try {
    fn();
  } catch (error) {
    return `[Threw: ${/** @type {Error} */ (error).message}]`;
  }
  return assert.fail("did not throw");
}

test("an error has its name, message and stack", () => {
  const error = new RangeError("too far");
  assert.deepEqual(stored({ error }).error, {
    name: "RangeError",
    message: "too far",
    stack: error.stack,
  });
  const { name, message } = stored({ error: new DOMException("no", "AbortError") }).error;
  assert.deepEqual({ name, message }, { name: "AbortError", message: "no" });
});

test("values of another realm are stored the same", () => {
  const foreign = vm.runInNewContext(`({
    plain: { a: [1, { b: 2 }] }, map: new Map([["a", 1]]), set: new Set([1]), date: new Date(0),
    error: new TypeError("no"), bytes: new Uint8Array([1]), buffer: new ArrayBuffer(2), number: new Number(5),
  })`);
  const { error, ...rest } = stored(foreign);
  assert.deepEqual(rest, {
    plain: { a: [1, { b: 2 }] },
    map: { a: 1 },
    set: [1],
    date: "1970-01-01T00:00:00.000Z",
    bytes: [1],
    buffer: [0, 0],
    number: 5,
  });
  assert.equal(error.name, "TypeError");
});

test("a cycle is named, a repetition is not one", () => {
  const shared = { a: 1 };
  /** @type {any} */
  const value = { one: shared, two: shared, list: [shared] };
  assert.deepEqual(stored(value), { one: { a: 1 }, two: { a: 1 }, list: [{ a: 1 }] });
  value.self = value;
  value.list.push(value.list);
  assert.deepEqual(stored(value), {
    one: { a: 1 },
    two: { a: 1 },
    list: [{ a: 1 }, "[Circular]"],
    self: "[Circular]",
  });
  const around = { toJSON: () => ({ around }) };
  assert.deepEqual(stored({ around }), { around: { around: "[Circular]" } });
  const map = new Map();
  map.set("self", map);
  assert.deepEqual(stored({ map }), { map: { self: "[Circular]" } });
});

test("100 levels are kept, what is deeper is named", () => {
  assert.deepEqual(stored({ metadata: nested(100) }), { metadata: nested(100) });
  let value = stored({ metadata: nested(101) }).metadata;
  for (let i = 0; i < 99; i++) value = value.deeper;
  assert.deepEqual(value, { deeper: "[Too deep]" });
  assert.ok(snapshot({ metadata: nested(100_000) }).includes("[Too deep]"));
  assert.ok(snapshot({ metadata: nested(101), big: 1n }).includes("[Too deep]"));
});

test("keys that mean something to JavaScript are only keys", () => {
  const json = '{"__proto__":{"a":1},"constructor":2,"toString":3}';
  assert.equal(snapshot(JSON.parse(json)), json);
  assert.equal(snapshot({ ...JSON.parse(`{"x":${json}}`), big: 1n }), `{"x":${json},"big":1}`);
});

test("a list that is mostly holes keeps what is there", () => {
  /** @type {unknown[]} */
  const list = [];
  list[999_999_999] = "far";
  list[0] = "near";
  assert.deepEqual(stored({ list }), { list: { 0: "near", 999999999: "far" } });
  assert.deepEqual(stored({ list: [1, , 3] }), { list: [1, null, 3] }); // oxlint-disable-line no-sparse-arrays
});

test("what grows without end is cut off, as JSON, after so many looks", () => {
  /** @type {any} */
  let doubling = { a: 1 };
  let looks = 0;
  for (let i = 0; i < 60; i++) doubling = { left: doubling, right: doubling };
  /** @type {any} */
  const endless = { get self() { looks++; return { get self() { return endless; }, also: [endless.self] }; } }; // prettier-ignore
  for (const value of [
    doubling,
    { endless },
    { list: Array.from({ length: 3_000_000 }, () => doubling) },
  ]) {
    const json = snapshot(value);
    assert.ok(JSON.parse(json));
    assert.ok(json.length < 64 * 1024 * 1024);
  }
  assert.ok(looks < 10_000, `${looks} looks`);
});

test("the walk reads each property once and changes nothing", () => {
  let reads = 0;
  const value = {
    big: 1n,
    get once() {
      return ++reads;
    },
    get toJSON() {
      reads++;
      return undefined;
    },
  };
  const before = Object.getOwnPropertyDescriptors(value);
  assert.deepEqual(stored(value), { big: 1, once: reads });
  assert.deepEqual(Object.getOwnPropertyDescriptors(value), before);
  const frozen = Object.freeze({ map: Object.freeze(new Map([["a", Object.freeze([1n])]])) });
  assert.deepEqual(stored(frozen), { map: { a: [1] } });
});

test("the runtime's own objects do no harm", () => {
  for (const value of [globalThis, process, new Request("http://localhost"), performance]) {
    assert.doesNotThrow(() => JSON.parse(snapshot({ value })));
  }
});

test("what is no object is still JSON", () => {
  for (const [value, json] of /** @type {const} */ ([
    [undefined, "null"],
    [null, "null"],
    [5, "5"],
    [() => 1, "null"],
    [Symbol("s"), "null"],
    [5n, "5"],
    ["\ud800", '"\ufffd"'],
  ])) {
    assert.equal(snapshot(value), json);
  }
});

test("plain JSON is stored as JSON.stringify has it, the quick way and the careful one", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      assert.equal(snapshot(value), JSON.stringify(value));
      // The bigint sends everything beside it through the walk.
      assert.equal(snapshot([value, 0n]), JSON.stringify([value, 0]));
    }),
    { numRuns: 2000 },
  );
});

test("strings are stored well-formed", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.constantFrom("\ud800", "\udc00", "\\", "\\ud800", '"'),
        ),
      ),
      (parts) => {
        const text = parts.join("");
        const expected = Buffer.from(text, "utf8").toString("utf8");
        assert.deepEqual(stored({ [`k${text}`]: text }), { [`k${expected}`]: expected });
      },
    ),
    { numRuns: 2000 },
  );
});

const leaf = fc.oneof(
  anyValue({ maxDepth: 3 }),
  fc.constantFrom(Symbol("s"), () => 1, new WeakMap()),
);

test("many values are written as each by itself, and one that is not plain costs the others nothing", () => {
  const value = fc.oneof(fc.jsonValue(), leaf, fc.constant("\ud800"));
  fc.assert(
    fc.property(fc.array(value), (values) => {
      const each = values.map((it) => stored(it));
      assert.deepEqual(JSON.parse(snapshotAll(values)), each);
      const all = JSON.parse(snapshotAll([...values, revoked.proxy, ...values]));
      assert.deepEqual(all.slice(0, values.length), each);
      assert.deepEqual(all.slice(values.length + 1), each);
    }),
    { numRuns: 2000 },
  );
});

test("no generated value gets past it", () => {
  fc.assert(
    fc.property(leaf, leaf, fc.constantFrom(...hostileTraps()), (value, other, traps) => {
      /** @type {any} */
      const object = { value, list: [other, value], map: new Map([[other, value]]) };
      // Not made by the generator, which could not bear them itself.
      object.hostile = [revoked.proxy, hostileError()];
      object.proxy = new Proxy(typeof value === "object" && value ? value : {}, traps);
      object.self = object;
      assert.doesNotThrow(() => JSON.parse(snapshot(object)));
      assert.doesNotThrow(() => JSON.parse(snapshot(object.proxy)));
    }),
    { numRuns: 1000 },
  );
});

/** @returns {ProxyHandler<any>[]} */
function hostileTraps() {
  const fail = () => {
    throw new Error("no");
  };
  return [
    { get: fail },
    { ownKeys: fail },
    { getPrototypeOf: fail },
    { getOwnPropertyDescriptor: fail },
    { get: () => Infinity, ownKeys: () => ["length"] },
    { get: (target, key) => (key === "length" ? 1e9 : target[key]) },
    { get: (target, key) => (key === Symbol.toStringTag ? 5 : Reflect.get(target, key)) },
    { get: () => () => fail },
    { has: fail, get: () => revoked.proxy },
  ];
}

test("lone surrogates cost a few times what plain text does, in one long text and in many", () => {
  const time = (/** @type {unknown} */ value) => {
    let best = Infinity;
    for (let run = 0; run < 7; run++) {
      const start = performance.now();
      snapshot({ value });
      best = Math.min(best, performance.now() - start);
    }
    return best;
  };
  const many = (/** @type {string} */ text) => Array.from({ length: 2_000 }, () => text.repeat(50));
  for (const shape of [(/** @type {string} */ text) => text.repeat(100_000), many]) {
    const ratio = time(shape("\ud800")) / time(shape("a"));
    assert.ok(ratio < 60, `${ratio} times`);
  }
});

function cookies() {
  const headers = new Headers({ x: "1" });
  headers.append("x", "2");
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  return headers;
}

function form() {
  const data = new FormData();
  data.append("text", "t");
  data.append("file", new Blob([new Uint8Array(4096)]), "a.bin");
  data.append("file", new Blob(["ab"]), "b.txt");
  return data;
}
