// Session ids from names, sessions in headers, and the environment: what works before any wasm is loaded.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { baggageHeaders, sessionIdFromHeaders } from "../../pkg-template/src/baggage.js";
import { environment, processVariable } from "../../pkg-template/src/env.js";
import { newSessionId, sessionIdFrom, sessionIdOf } from "../../pkg-template/src/ids.js";
import { logged } from "./face.mjs";

const RANDOM_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("a name maps to the UUID that every other implementation gives", () => {
  // python3 -c 'import uuid; print(uuid.uuid5(uuid.NAMESPACE_URL, "conversation-42"))'
  assert.equal(sessionIdFrom("conversation-42"), "9ef19b5f-10a9-5c11-b87a-071520f60cb9");
  assert.equal(sessionIdFrom("grüße 🐝"), "45475c9a-1791-5e01-8c3d-13fb143b87b4");
});

test("a UUID comes back in lower case, whatever its version", () => {
  for (const id of [
    "3CD74a5e-7a3e-4b5e-8d3c-6d0d8e1f2a3b",
    "0190b6a4-3f6e-7c3d-9b1a-2f4e6d8c0a1b",
    "3cd70a6e-7d5b-ff3a-0b39-0c9c6a1f2e4d",
  ]) {
    assert.equal(sessionIdFrom(id), id.toLowerCase());
    assert.equal(sessionIdFrom(`\t${id.toUpperCase()} `), id.toLowerCase());
  }
  // Without hyphens it may be a trace's id.
  assert.match(sessionIdFrom("3cd70a6e7d5b4f3a9b390c9c6a1f2e4d"), UUID);
});

test("a name of any kind gives its id, the same one each time", async () => {
  const lines = await logged(() => {
    for (const name of [42, 5n, "\ud800", "undefined", new URL("https://a.example"), [7]]) {
      assert.match(sessionIdFrom(name), UUID);
      assert.equal(sessionIdFrom(name), sessionIdFrom(String(name)));
    }
  });
  assert.deepEqual(lines, []);
});

test("what is no name gives a fresh id and an error line, and never everybody's session", async () => {
  const throwing = {
    toString() {
      throw new Error("no");
    },
  };
  const noText = Object.create(null);
  const nothings = [
    undefined,
    null,
    "",
    "  ",
    "\ufeff\n",
    [],
    [[]],
    [null],
    {},
    new Map(),
    throwing,
    noText,
    Number.NaN,
    true,
    Symbol("s"),
    Symbol(),
    () => 1,
  ];
  for (const nothing of nothings) {
    const lines = await logged(() => {
      const ids = [sessionIdFrom(nothing), sessionIdFrom(nothing)];
      for (const id of ids) assert.match(id, RANDOM_UUID);
      assert.notEqual(ids[0], ids[1]);
    });
    assert.equal(lines.length, 2);
    for (const { level, line } of lines) {
      assert.equal(level, "error");
      assert.match(line, /sessionIdFrom\(\) got no name/);
    }
  }
});

test("an id of a name is the hash that others make of it, at any length", () => {
  const namespace = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");
  for (let length = 1; length < 300; length++) {
    const name = "é€".repeat(length).slice(0, length);
    const sha1 = createHash("sha1").update(namespace).update(name).digest("hex");
    const digits = sessionIdFrom(name).replaceAll("-", "");
    assert.match(sessionIdFrom(name), UUID);
    assert.equal(digits.slice(0, 12), sha1.slice(0, 12));
    assert.equal(digits.slice(12, 13), "5");
    assert.equal(digits.slice(13, 16), sha1.slice(13, 16));
    assert.equal(digits.slice(17), sha1.slice(17, 32));
  }
});

test("a page without HTTPS has new ids too", () => {
  const { randomUUID } = crypto;
  try {
    crypto.randomUUID = /** @type {any} */ (undefined);
    const ids = Array.from({ length: 100 }, newSessionId);
    for (const id of ids) assert.match(id, RANDOM_UUID);
    assert.equal(new Set(ids).size, ids.length);
  } finally {
    crypto.randomUUID = randomUUID;
  }
});

test("members of others are kept, those of another session are not", () => {
  const headers = (
    /** @type {any} */ kept,
    /** @type {string | undefined} */ project = undefined,
  ) => baggageHeaders({ session_id: "id", project }, kept).baggage;
  assert.equal(headers(undefined), "session_id=id");
  for (const kept of [
    { Baggage: " vendor=1;p=2 , session_id=other,honeyhive.session_id=other,b=%20" },
    { baggage: ["vendor=1;p=2", "honeyhive_session_id=other,b=%20,b=again"] },
    new Headers({ baggage: "vendor=1;p=2,b=%20,," }),
  ]) {
    assert.equal(headers(kept), "session_id=id,vendor=1;p=2,b=%20");
  }
  assert.equal(headers({ baggage: "project=theirs" }), "session_id=id,project=theirs");
  assert.equal(headers({ baggage: "project=theirs" }, "ours"), "session_id=id,project=ours");
  const hostile = {
    get baggage() {
      throw new Error("no");
    },
  };
  for (const kept of [hostile, 3, null, "baggage"]) assert.equal(headers(kept), "session_id=id");
});

test("a header has 8,192 bytes at most, and never less than a whole member", () => {
  const long = (/** @type {number} */ length) => "x".repeat(length);
  const kept = { baggage: `big=${long(9000)},small=1,${long(100)}=2` };
  assert.equal(
    baggageHeaders({ session_id: "id", project: long(8000) }, kept).baggage,
    `session_id=id,project=${long(8000)},small=1,${long(100)}=2`,
  );
  const fits = long(8192 - "session_id=".length);
  assert.equal(baggageHeaders({ session_id: fits, source: "dev" }).baggage?.length, 8192);
  // Without room for the session, another's must not take its place.
  const stale = { baggage: "honeyhive_session_id=other" };
  assert.deepEqual(baggageHeaders({ session_id: `${fits}x` }, stale), {});
  // Bytes as they are sent: an emoji has twelve of them.
  assert.deepEqual(baggageHeaders({ session_id: "😀".repeat(700) }), {});
});

test("what is sent in headers is found in them again", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.string(), (id, project) => {
      const headers = baggageHeaders({ session_id: id, project, source: "prod" });
      assert.match(String(headers.baggage), /^[\x21-\x7e]+$/);
      assert.equal(sessionIdFromHeaders(headers), sessionIdOf(id));
      assert.equal(sessionIdFromHeaders(new Headers(headers)), sessionIdFromHeaders(headers));
    }),
  );
});

test("sessions are found under each name, in the order in which they count", () => {
  /** @type {[any, string | undefined][]} */
  const cases = [
    [{ baggage: "session_id=a" }, "a"],
    [{ Baggage: "a=b, session_id = x%20y ;p=1" }, "x y"],
    [{ BAGGAGE: ["other=1", "honeyhive_session_id=b"] }, "b"],
    [{ baggage: "honeyhive.session_id=c" }, "c"],
    [{ baggage: "honeyhive.session_id=c,honeyhive_session_id=b,session_id=a" }, "a"],
    [
      new Headers([
        ["baggage", "x=1"],
        ["baggage", "session_id=a"],
      ]),
      "a",
    ],
    [{ baggage: "session_id=%E0%A4%A" }, "%E0%A4%A"],
    [{ baggage: "session_id=a=b" }, "a=b"],
    [{ baggage: "session_id=" }, undefined],
    [{ baggage: "session_id=%20,honeyhive_session_id=b" }, "b"],
    [{ baggage: "session_id=3CD74A5E-7A3E-4B5E-8D3C-6D0D8E1F2A3B" }, "3cd74a5e-7a3e-4b5e-8d3c-6d0d8e1f2a3b"], // prettier-ignore
    [{ baggage: "SESSION_ID=a" }, undefined],
    [{ baggage: "" }, undefined],
    [{ baggage: undefined }, undefined],
    [{}, undefined],
    [new Headers(), undefined],
    [undefined, undefined],
    [null, undefined],
    [42, undefined],
    [{ get: () => 5 }, undefined],
    [{ get() { throw new Error("no"); } }, undefined], // prettier-ignore
  ];
  for (const [headers, name] of cases) {
    assert.equal(sessionIdFromHeaders(headers), name && sessionIdFrom(name));
  }
});

test("variables are read where the runtime has them, and only ours", (t) => {
  const set = { HH_API_KEY: "k", HH_SOURCE: "", HONEYHIVE_API_KEY: "o", OTHER: "x" };
  assert.deepEqual(
    environment((name) => /** @type {any} */ (set)[name]),
    { HH_API_KEY: "k", HH_SOURCE: "", HONEYHIVE_API_KEY: "o" },
  );
  assert.deepEqual(environment(() => 5), {}); // prettier-ignore
  const failing = () => {
    throw new Error("no");
  };
  assert.deepEqual(environment(failing), {});
  process.env.HH_SOURCE = "test";
  t.after(() => delete process.env.HH_SOURCE);
  assert.equal(processVariable("HH_SOURCE"), "test");
});

test("Deno is asked for no variable that it has not granted", (t) => {
  const global = /** @type {any} */ (globalThis);
  const granted = new Map([["HH_API_KEY", "k"]]);
  global.Deno = {
    env: {
      get(/** @type {string} */ name) {
        assert.ok(granted.has(name), "it would ask the person at the terminal");
        return granted.get(name);
      },
    },
    permissions: {
      querySync: ({ variable = "" }) => ({ state: granted.has(variable) ? "granted" : "prompt" }),
    },
  };
  t.after(() => delete global.Deno);
  assert.deepEqual(environment(processVariable), { HH_API_KEY: "k" });
});
