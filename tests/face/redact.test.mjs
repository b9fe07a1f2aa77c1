// The caller's own masking: what it is shown, what becomes of it, and that it fails closed.

import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import fc from "fast-check";
import { redaction, redactJson } from "../../pkg-template/src/redact.js";
import { face, logged } from "./face.mjs";

/**
 * @param {any} redact
 * @param {unknown} fields
 */
async function sent(redact, fields) {
  const it = face();
  const tracer = await it.initTracer({ redact });
  await tracer.enrichSession(/** @type {any} */ (fields));
  return JSON.parse(String(it.core.calls.at(-1)?.json));
}

test("a function is shown every value, parts before the whole, with its path", () => {
  /** @type {unknown[]} */
  const seen = [];
  redactJson(
    (value, path) => (seen.push([path.join("."), JSON.stringify(value)]), value),
    '{"metadata":{"a":[1,{"b":null}]},"duration":5}',
  );
  assert.deepEqual(seen, [
    ["metadata.a.0", "1"],
    ["metadata.a.1.b", "null"],
    ["metadata.a.1", '{"b":null}'],
    ["metadata.a", '[1,{"b":null}]'],
    ["metadata", '{"a":[1,{"b":null}]}'],
    ["duration", "5"],
  ]);
});

test("what a function returns is stored, whatever it is", async () => {
  const fields = { metadata: { keep: 1, mask: "x", drop: 2, map: 3, list: [1, 2] } };
  const redact = (/** @type {unknown} */ value, /** @type {readonly string[]} */ path) => {
    switch (path.at(-1)) {
      case "mask":
        return "***";
      case "drop":
      case "1":
        return undefined;
      case "map":
        return new Map([["a", 1n]]);
      default:
        return value;
    }
  };
  assert.deepEqual(await sent(redact, fields), {
    metadata: { keep: 1, mask: "***", map: { a: 1 }, list: [1, null] },
  });
  assert.deepEqual(fields.metadata.list, [1, 2]);
});

test("a function that throws masks the whole field, and only that", async () => {
  const redact = (/** @type {unknown} */ value, /** @type {readonly string[]} */ path) => {
    if (path.includes("bad")) throw new Error("no");
    return value;
  };
  assert.deepEqual(
    await sent(redact, { metadata: { secret: 1, bad: 2 }, outputs: { a: 1 }, bad: "secret" }),
    { metadata: { redacted: "[Redacted]" }, outputs: { a: 1 }, bad: "[Redacted]" },
  );
});

test("the function sees what a session starts with, and metrics", async () => {
  const it = face();
  const redact = (/** @type {unknown} */ value, /** @type {readonly string[]} */ path) =>
    path.join(".") === "inputs.q" || path.join(".") === "metrics.secret" ? undefined : value;
  const tracer = await it.initTracer({ redact, inputs: { q: 1, r: 2 } });
  assert.equal(it.core.options.get(1)?.start, '{"inputs":{"r":2}}');
  assert.equal(it.core.options.get(1)?.redact, false);
  const child = tracer.startSession({ inputs: { q: 1 } });
  assert.equal(it.core.options.get(2)?.start, '{"inputs":{}}');
  await child.addMetrics({ n: 1, secret: 2 });
  assert.equal(it.core.calls.at(-1)?.json, '{"n":1}');
});

test("patterns mask every match in every string, whatever their flags", async () => {
  const patterns = [/a\d/, /b\d/g, /c\d/y, /D\d/gi, vm.runInNewContext("/e\\d/")];
  const fields = {
    metadata: { s: "a1 a2 b1 b2 c1 xc2 d1 d2 e1", n: 1, list: ["a1"], key_a1: true },
  };
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await sent({ patterns }, fields), {
      metadata: {
        s: Array(9)
          .fill("[Redacted]")
          .join(" ")
          .replace(/^(.*? .*? .*? .*? .*?) /, "$1 x"),
        n: 1,
        list: ["[Redacted]"],
        "key_[Redacted]": true,
      },
    });
  }
});

test("masking that can not be used leaves the default on", async () => {
  await logged(() => {
    for (const redact of [
      undefined,
      null,
      true,
      "all",
      5,
      [],
      {},
      { patterns: 5 },
      { patterns: ["x"] },
      { patterns: /x/ },
      { patterns: [null] },
    ]) {
      // prettier-ignore
      const { redactor, rename, ...core } = redaction(redact);
      assert.deepEqual(core, { redact: true, redactKeys: undefined, redactPatterns: true });
      assert.equal(redactor, undefined);
      assert.equal(rename, undefined);
    }
    assert.deepEqual(redaction({ keys: ["a"] }).redactKeys, ["a"]);
    assert.equal(redaction({ keys: "abc" }).redactKeys, undefined);
    assert.deepEqual(redaction({ keys: ["Café"] }).redactKeys, ["Café", "café", "CAFÉ"]);
    assert.deepEqual(redaction(false), {
      redact: false,
      redactKeys: undefined,
      redactPatterns: false,
      redactor: undefined,
      rename: undefined,
    });
  });
});

test("patterns mask keys, and the names of sessions and metrics", async () => {
  const it = face();
  const redact = { patterns: [/\d{3}-\d{2}-\d{4}/] };
  const tracer = await it.initTracer({
    redact,
    sessionName: "of 123-45-6789",
    source: "123-45-6789",
    metadata: { "123-45-6789": 1 },
  });
  const options = it.core.options.get(1);
  assert.equal(options?.sessionName, "of [Redacted]");
  assert.equal(options?.source, "[Redacted]");
  assert.equal(options?.start, '{"metadata":{"[Redacted]":1}}');
  await tracer.enrichSession({
    metadata: { list: [{ "a 123-45-6789": 1, "a 123-45-6780": 2, b: { __proto__: null } }] },
  });
  assert.equal(
    it.core.calls.at(-1)?.json,
    '{"metadata":{"list":[{"a [Redacted]":1,"a [Redacted] 2":2,"b":{}}]}}',
  );
  await tracer.addMetrics({ "123-45-6789": 1 });
  assert.equal(it.core.calls.at(-1)?.json, '{"[Redacted]":1}');
  tracer.startSession({ sessionName: "123-45-6789" });
  assert.equal(it.core.options.get(2)?.sessionName, "[Redacted]");
});

test("one that changes nothing changes nothing", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
      const json = JSON.stringify(fields);
      assert.deepEqual(JSON.parse(redactJson((value) => value, json)), JSON.parse(json));
    }),
  );
});

test("what throws at any place never lets that place through", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(20), (fields, which) => {
      let count = 0;
      const failed = /** @type {string[]} */ ([]);
      const json = redactJson((value, path) => {
        if (count++ !== which) return value;
        failed.push(String(path[0]));
        throw new Error("no");
      }, JSON.stringify(fields));
      for (const key of failed) {
        assert.ok(['"[Redacted]"', '{"redacted":"[Redacted]"}'].includes(JSON.stringify(JSON.parse(json)[key]))); // prettier-ignore
      }
    }),
  );
});
