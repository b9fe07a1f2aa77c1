// One line at error for each of misconfigured.mjs' mistakes: it names the server or the variable,
// says what to set, and never shows the key.

import assert from "node:assert/strict";
import { KEYS } from "../support/backends.mjs";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value: facts, lines }, backends) {
  const { servers } = backends.params;
  // A page is asked for a ticket: whoever reads the line there must not put a key into it.
  const missing = facts.isPage ? [/ticket/, /^(?!.*api.?key)/i] : [/HH_API_KEY/];
  for (const [name, reason, patterns] of /** @type {[string, string[], RegExp[]][]} */ ([
    ["none", ["rejected"], [exactly(servers.none), /HH_API_URL|serverUrl/]],
    ["none405", ["rejected"], [exactly(servers.none405), /HH_API_URL|serverUrl/]],
    ["page", ["rejected", "retries_exhausted"], [exactly(servers.page), /HH_API_URL|serverUrl/]],
    ["missingKey", ["disabled"], missing],
    ["wrongKey", ["rejected"], [/HH_API_KEY|apiKey/]],
    ["newlineWithin", ["disabled", "rejected", "invalid"], [/HH_API_KEY|apiKey/]],
    ["noUrl", ["disabled", "rejected", "invalid"], [/HH_API_URL|serverUrl/]],
  ])) {
    const { deliveries, report, wentOn } = facts[name];
    assert.equal(wentOn, true);
    for (const delivery of deliveries) {
      assert.equal(delivery.status, "dropped", `${name}: ${JSON.stringify(delivery)}`);
      assert.ok(reason.includes(delivery.reason), `${name}: ${JSON.stringify(delivery)}`);
      assert.ok(delivery.message.length > 10, name);
    }
    assert.deepEqual(report, { delivered: 0, dropped: 2, pending: 0 }, name);
    const errors = facts[name].lines.filter((/** @type {any} */ line) => line.level === "error");
    assert.equal(errors.length, 1, `${name}: ${JSON.stringify(facts[name].lines)}`);
    assert.match(errors[0].text, /^\[honeyhive-edge\] /, name);
    for (const pattern of patterns) assert.match(errors[0].text, pattern, name);
  }
  assert.equal(facts.missingKey.enabled, false);
  {
    // The same mistake again, which may well be the next request's: what was said once stands.
    const { enabled, deliveries, lines: own } = facts.emptyKey;
    assert.equal(enabled, false);
    for (const delivery of deliveries) assert.equal(delivery.reason, "disabled");
    assert.ok(own.length <= 1, JSON.stringify(own));
  }

  {
    // Whether the stray newline is cut off or the key refused: never half of either.
    const { deliveries, lines: own, sessionId } = facts.newlineKey;
    const statuses = new Set(deliveries.map((/** @type {any} */ each) => each.status));
    assert.equal(statuses.size, 1, JSON.stringify(deliveries));
    const errors = own.filter((/** @type {any} */ line) => line.level === "error");
    assert.equal(errors.length, 1, JSON.stringify(own));
    assert.match(errors[0].text, /HH_API_KEY|apiKey/);
    assert.match(errors[0].text, /newline|line break|whitespace/i);
    if (statuses.has("delivered")) await backends.v1.session(sessionId);
  }
  {
    const { deliveries, lines: own, enabled, sessionId } = facts.disabled;
    assert.equal(enabled, false);
    for (const delivery of deliveries) assert.equal(delivery.reason, "disabled");
    assert.deepEqual(
      own.filter((/** @type {any} */ line) => line.level === "error"),
      [],
    );
    assert.deepEqual(await backends.v1.requests(sessionId), []);
  }
  for (const key of Object.values(KEYS)) {
    for (const piece of [key, key.slice(0, 12), key.slice(-8)]) {
      assert.ok(!JSON.stringify({ facts, lines }).includes(piece), `a key shows: ${piece}`);
    }
  }
}

/** @param {string} text */
const exactly = (text) => new RegExp(text.replace(/[.\\/]/g, "\\$&"));
