// Any baggage header that a request may carry: FUZZ_SECONDS=300 node --test face/headers.fuzz.test.mjs
// does so for five minutes, as `make fuzz` does. By grammar and at random; nothing here steers by coverage.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { baggageHeaders, sessionIdFromHeaders } from "../../pkg-template/src/baggage.js";
import { sessionIdOf } from "../../pkg-template/src/ids.js";

/** @type {fc.Parameters<any>} */
const forSomeTime = {
  interruptAfterTimeLimit: Number(process.env["FUZZ_SECONDS"] ?? 1) * 1000,
  markInterruptAsFailure: false,
  numRuns: Infinity,
};

const NAMES = ["session_id", "honeyhive_session_id", "honeyhive.session_id"];

const space = fc.constantFrom("", "", " ", "\t", "  ");
const text = fc.string({ unit: "grapheme", maxLength: 12 });
// What RFC 9110 calls a token, and what the W3C's grammar lets a value be made of.
const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const octets = fc.stringMatching(/^[\x21\x23-\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{0,12}$/);

const member = fc.record({
  key: fc.oneof(fc.constantFrom(...NAMES), token),
  // Each value as it is written and as it is meant.
  value: fc.oneof(
    text.map((meant) => ({ written: encodeURIComponent(meant), meant })),
    octets.map((octet) => ({ written: octet, meant: octet })),
    fc.constantFrom("%", "%zz", "%e0%a4", "a%").map((odd) => ({ written: odd, meant: odd })),
  ),
  properties: fc.array(fc.tuple(token, fc.option(octets)), { maxLength: 2 }),
  spaces: fc.array(space, { minLength: 4, maxLength: 4 }),
});

/** @param {any} each */
function spelled({ key, value, properties, spaces: [a, b, c, d] }) {
  const more = properties.map(
    (/** @type {[string, string | null]} */ [name, of]) =>
      `${c};${d}${name}${of === null ? "" : `=${of}`}`,
  );
  return `${a}${key}${b}=${c}${value.written}${d}${more.join("")}`;
}

test("the session is found in any header that follows the grammar", () => {
  fc.assert(
    fc.property(fc.array(member, { maxLength: 6 }), fc.boolean(), (members, asRecord) => {
      const lines = members.map(spelled);
      const headers = asRecord ? { Baggage: lines } : new Headers({ baggage: lines.join(",") });
      const meant = NAMES.map((name) => members.findLast(({ key }) => key === name)?.value.meant);
      assert.equal(
        sessionIdFromHeaders(headers),
        meant.map((value) => sessionIdOf(value ?? "")).find((id) => id),
      );
    }),
    forSomeTime,
  );
});

test("any other header is no harm", () => {
  const anything = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(fc.constantFrom("session_id", "=", ",", ";", "%", "%41", " ", "a"))
      .map((p) => p.join("")),
    fc.anything(),
  );
  fc.assert(
    fc.property(anything, anything, (baggage, other) => {
      for (const headers of [
        { baggage },
        { baggage: [baggage, other] },
        { get: () => baggage },
        other,
      ]) {
        const id = sessionIdFromHeaders(/** @type {any} */ (headers));
        assert.ok(id === undefined || (typeof id === "string" && id !== ""));
      }
    }),
    forSomeTime,
  );
});

test("what one service sends another finds, through any member in between", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }), fc.array(member), (id, others) => {
      const before = others.filter(({ key }) => !NAMES.includes(key)).map(spelled);
      const { baggage } = baggageHeaders({ session_id: id, source: "prod" });
      const passedOn = new Headers({ baggage: [...before, baggage].join(",") });
      assert.equal(sessionIdFromHeaders(passedOn), sessionIdOf(id));
    }),
    forSomeTime,
  );
});
