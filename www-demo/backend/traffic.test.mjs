// What is told of clients that overlap, send out of order or write twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { traffic } from "./traffic.js";

/** @typedef {import("./request-log.js").Exchange} Exchange */

let seq = 0;

/** @param {Partial<Exchange>} [fields] */
function exchange(fields) {
  seq += 1;
  return /** @type {Exchange} */ ({
    seq,
    key: "k",
    session: "s",
    path: "/v1/events/s",
    timestamp: null,
    headers: {},
    raw: "{}",
    fate: "pending",
    ...fields,
  });
}

/**
 * @param {ReturnType<typeof traffic>} watched
 * @param {Partial<Exchange>} [fields]
 */
function begin(watched, fields) {
  const made = exchange(fields);
  watched.opened();
  watched.identified(made);
  return made;
}

/**
 * @param {ReturnType<typeof traffic>} watched
 * @param {Exchange} made
 * @param {import("./request-log.js").Fate} [fate]
 */
function end(watched, made, fate = "answered") {
  made.fate = fate;
  watched.ended(made);
}

test("requests of one session that overlap are told, with both numbers", () => {
  const watched = traffic();
  const one = begin(watched);
  const other = begin(watched, { session: "t" });
  const two = begin(watched);
  end(watched, one);
  end(watched, other);
  end(watched, two);
  const { overlaps, inFlight } = watched.stats();
  assert.deepEqual(overlaps, {
    count: 1,
    samples: [{ session: "s", seq: one.seq, during: [two.seq] }],
  });
  assert.deepEqual(inFlight, { now: 0, max: 3, maxPerSession: 2, session: "s" });
});

test("the same id under two keys is two sessions", () => {
  const watched = traffic();
  const one = begin(watched, { key: "k1", timestamp: "2" });
  const two = begin(watched, { key: "k2", timestamp: "1" });
  watched.stored(one);
  watched.stored({ ...two, timestamp: "2" });
  end(watched, one);
  end(watched, two);
  const { overlaps, timestamps, duplicates, inFlight } = watched.stats();
  assert.deepEqual(
    [overlaps.count, timestamps.outOfOrder.count, duplicates.count, inFlight.maxPerSession],
    [0, 0, 0, 1],
  );
});

test("a request that the client gave up does not count as overlapping its successor", () => {
  const watched = traffic();
  const given = begin(watched);
  const next = begin(watched);
  end(watched, given, "client-left");
  end(watched, next);
  assert.equal(watched.stats().overlaps.count, 0);
});

test("one after the other never overlaps, interleaved sessions neither", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 40 }), (sessions) => {
      const watched = traffic();
      /** @type {Map<string, Exchange>} */
      const open = new Map();
      for (const session of sessions) {
        const before = open.get(session);
        if (before) end(watched, before);
        open.set(session, begin(watched, { session }));
      }
      for (const each of open.values()) end(watched, each);
      const { overlaps, inFlight } = watched.stats();
      assert.equal(overlaps.count, 0);
      assert.equal(inFlight.maxPerSession, sessions.length > 0 ? 1 : 0);
      assert.equal(inFlight.now, 0);
    }),
  );
});

test("timestamps are compared as numbers of any length, each client by itself", () => {
  const watched = traffic();
  const stamps = ["999", "1000", "1000", "99999999999999999999", "99999999999999999998"];
  for (const timestamp of stamps) end(watched, begin(watched, { timestamp }));
  end(watched, begin(watched, { timestamp: "5", headers: { "user-agent": "another" } }));
  for (const timestamp of ["", "1e9", "-1", "007"]) end(watched, begin(watched, { timestamp }));
  end(watched, begin(watched));
  const { missing, malformed, outOfOrder } = watched.stats().timestamps;
  assert.deepEqual([missing, malformed, outOfOrder.count], [1, 4, 1]);
  assert.deepEqual(
    /** @type {any} */ (outOfOrder.samples[0]).before,
    "99999999999999999999",
    "the one that came too late is held against the latest before it",
  );
});

test("the count of timestamps that go back is that of a plain list", () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 1n, max: 120n })), (stamps) => {
      const watched = traffic();
      let latest = 0n;
      let wanted = 0;
      for (const stamp of stamps) {
        end(watched, begin(watched, { timestamp: `${stamp}` }));
        if (stamp < latest) wanted += 1;
        else latest = stamp;
      }
      assert.equal(watched.stats().timestamps.outOfOrder.count, wanted);
    }),
  );
});

test("a write stored twice is told; another body, time or route is another write", () => {
  const watched = traffic();
  const first = exchange({ timestamp: "7" });
  const again = exchange({ timestamp: "7" });
  watched.stored(first);
  watched.stored(exchange({ timestamp: "8" }));
  watched.stored(exchange({ timestamp: "7", raw: '{"a":1}' }));
  watched.stored(exchange({ timestamp: "7", path: "/events" }));
  watched.stored(exchange({ timestamp: "7", session: "t" }));
  watched.stored(exchange());
  watched.stored(exchange());
  assert.equal(watched.stats().duplicates.count, 0);
  watched.stored(again);
  assert.deepEqual(watched.stats().duplicates.samples, [
    { session: "s", timestamp: "7", first: first.seq, again: again.seq },
  ]);
});

test("what the log let go is forgotten here as well", () => {
  const watched = traffic();
  const first = exchange({ timestamp: "7" });
  const second = exchange({ timestamp: "7", raw: "[]" });
  watched.stored(first);
  watched.stored(second);
  watched.forget(first);
  watched.stored(exchange({ timestamp: "7" }));
  assert.equal(watched.stats().duplicates.count, 0);
  watched.stored(exchange({ timestamp: "7", raw: "[]" }));
  assert.equal(watched.stats().duplicates.count, 1);
});
