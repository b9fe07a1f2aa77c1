// What each row of values.mjs has to be stored as.

import assert from "node:assert/strict";
import { messageOf } from "../guide/check.mjs";

const threw = (/** @type {string} */ message) => ({
  before: 1,
  bad: `[Threw: ${message}]`,
  after: 2,
});

/** Left out: a row whose stored form takes more than a comparison; see `special`. */
const stored = {
  date: "2026-01-02T03:04:05.678Z",
  invalidDate: null,
  url: "https://example.com/a?b=c",
  toJson: { made: "by toJSON", key: "toJson" },

  bigIntExact: 42,
  bigIntNegative: -9007199254740991,
  bigIntLarge: "12345678901234567890123",
  bigIntInList: [1, [2]],

  notANumber: null,
  infinities: [null, null],
  minusZero: 0,

  undefinedInObject: { kept: 1 },
  undefinedInList: [null, 1],
  functions: { kept: [null, null] },
  symbols: { kept: [null] },
  hole: [1, null, 3],

  map: { a: 1, 2: { b: [1] } },
  emptyMap: {},
  set: [1, "two", { three: 3 }],

  bytes: [0, 1, 255],
  floats: [1.5, null],
  bigInts: [1, -2],
  buffer: [7, 8],
  kilobyte: Array(1024).fill(1),
  manyBytes: "[4096 bytes]",
  largeBuffer: "[1025 bytes]",
  largeFloats: "[4096 bytes]",

  cycle: { name: "a", list: ["[Circular]"], self: "[Circular]" },
  cycleInMap: { self: "[Circular]" },
  shared: { a: { leaf: true }, b: [{ leaf: true }, { leaf: true }] },

  getterThrows: threw("no such column"),
  getterThrowsText: { bad: "[Threw: just text]" },
  toJsonThrows: threw("lazy relation"),
  proxyThrows: threw("revoked grant"),

  loneSurrogate: "a\ufffdb",
  loneSurrogateLow: "\ufffd",
  loneSurrogateKey: { "k\ufffd": 1 },
  pair: "\u{1f41d}",
  control: '\u0000\u2028"\\',

  boxed: [1, "s", false],
  protoKey: JSON.parse('{"__proto__":{"a":1},"constructor":2}'),
  nullPrototype: { a: 1 },
  instance: { x: 1 },
  nothing: null,
  bigString: "x".repeat(70_000),
};

/** @type {Record<string, (value: any, stacks: any) => void>} */
const special = {
  error: (value, stacks) =>
    assert.deepEqual(value, { name: "RangeError", message: "too far", stack: stacks.error }),
  errorSubclass: (value, stacks) =>
    assert.deepEqual(value, {
      name: "QuotaError",
      message: "no more",
      stack: stacks.errorSubclass,
    }),
  errorInList: (value, stacks) =>
    assert.deepEqual(value, [{ name: "Error", message: "listed", stack: stacks.errorInList }]),
  deepEnough(value) {
    let depth = 0;
    for (; value.in; value = value.in) depth += 1;
    assert.deepEqual([depth, value], [80, { end: true }]);
  },
  tooDeep({ before, deep, after }) {
    assert.deepEqual([before, after], [1, 2]);
    let depth = 0;
    for (; deep.in; deep = deep.in) depth += 1;
    assert.equal(deep, "[Too deep]");
    assert.ok(depth >= 95 && depth <= 100, `cut at ${depth}`);
  },
  tooDeepList(value) {
    let depth = 0;
    for (; Array.isArray(value); [value] = value) depth += 1;
    assert.equal(value, "[Too deep]");
    assert.ok(depth >= 95 && depth <= 100, `cut at ${depth}`);
  },
  proxyRevoked({ before, bad, after }) {
    assert.deepEqual([before, after], [1, 2]);
    // The engine's own wording.
    assert.match(bad, /^\[Threw: .*(revoked|proxy).*\]$/i);
  },
};

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value: facts }, { v1 }) {
  assert.deepEqual(facts.statuses, ["delivered"]);
  assert.equal(facts.pending, 0);
  assert.deepEqual(new Set(facts.strange), new Set(["string"]));

  const { rows } = await import("./values.mjs");
  const names = Object.keys(rows);
  assert.deepEqual([...names].sort(), [...Object.keys(stored), ...Object.keys(special)].sort());
  /** @type {string[]} */
  const wrong = [];
  for (const [way, id] of /** @type {const} */ ([
    ["alone", facts.sessionId],
    ["beside a BigInt", facts.beside],
  ])) {
    const { metadata } = await v1.session(id);
    const expectedNames = way === "alone" ? names : [...names, "big"];
    assert.deepEqual(Object.keys(metadata).sort(), [...expectedNames].sort(), way);
    for (const name of names) {
      try {
        const judge = special[name];
        if (judge) judge(metadata[name], facts.stacks);
        else assert.deepEqual(metadata[name], /** @type {any} */ (stored)[name]);
      } catch (error) {
        wrong.push(`${name}, ${way}: ${messageOf(error)}`);
      }
    }
  }
  const whole = await v1.session(facts.whole);
  try {
    assert.deepEqual(
      [whole.metadata, whole.config, whole.feedback, whole.user_properties],
      [{ from: "a map" }, stored.cycle, { rating: 1 }, { by: "proxy" }],
    );
  } catch (error) {
    wrong.push(`in the place of a field: ${messageOf(error)}`);
  }
  assert.equal(wrong.length, 0, `\n${wrong.join("\n\n")}`);
}
