// The log's bounds: never more than allowed, always the newest, and no count of it drifts.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { exchangeJson, requestLog } from "./request-log.js";

const head = { method: "PUT", path: "/", query: "", headers: {}, key: null, timestamp: null };

test("keeps the newest within its bounds, whatever the order of heads and bodies", () => {
  const steps = fc.array(
    fc.oneof(
      fc.constant({ open: true, which: 0, size: 0 }),
      fc.record({ open: fc.constant(false), which: fc.nat(5), size: fc.nat(40) }),
    ),
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 6 }), fc.nat(100), (todo, records, bytes) => {
      /** @type {number[]} */
      const forgotten = [];
      const log = requestLog({ records, bytes, forget: (each) => forgotten.push(each.seq) });
      /** @type {import("./request-log.js").Exchange[]} */
      const waiting = [];
      let opened = 0;
      for (const { open, which, size } of todo) {
        if (open) {
          waiting.push(log.open(head));
          opened += 1;
        } else {
          const [exchange] = waiting.splice(which % (waiting.length || 1), 1);
          if (exchange) log.body(exchange, "x".repeat(size));
        }
        const kept = log.read({});
        const sum = kept.reduce((before, each) => before + each.raw.length, 0);
        assert.ok(kept.length <= records);
        assert.ok(sum <= bytes || kept.length === 1);
        assert.deepEqual(log.size(), { total: opened, kept: kept.length, characters: sum });
        assert.deepEqual(
          [...forgotten, ...kept.map((each) => each.seq)],
          Array.from({ length: opened }, (_, i) => i + 1),
        );
      }
    }),
  );
});

test("read gives what came after a request, of one session, up to a limit", () => {
  const log = requestLog({ records: 2500, bytes: 1e6, forget() {} });
  for (let i = 1; i <= 5000; i += 1) log.open(head).session = i % 2 ? "odd" : "even";
  /** @param {Parameters<typeof log.read>[0]} query */
  const seqs = (query) => log.read(query).map((each) => each.seq);
  assert.equal(seqs({}).length, 2500);
  assert.deepEqual(seqs({ since: 4998 }), [4999, 5000]);
  assert.deepEqual(seqs({ since: 4994, session: "even" }), [4996, 4998, 5000]);
  assert.deepEqual(seqs({ since: 3, limit: 2 }), [2501, 2502]);
  assert.deepEqual(seqs({ since: 5000 }), []);
  assert.deepEqual(seqs({ since: 9000 }), []);
});

test("exchangeJson shows a body as text and, where it is JSON, parsed", () => {
  const log = requestLog({ records: 5, bytes: 1e6, forget() {} });
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (raw) => {
      const exchange = log.open({ ...head, headers: { "x-quote": '"' } });
      log.body(exchange, raw);
      /** @type {unknown} */
      let body = null;
      exchange.isJson = true;
      try {
        body = JSON.parse(raw);
      } catch {
        exchange.isJson = false;
      }
      const shown = JSON.parse(exchangeJson(exchange));
      assert.deepEqual([shown.raw, shown.body, shown.headers], [raw, body, exchange.headers]);
    }),
  );
});
