// The environments that environment.mjs is run in, and what has to come of each.

import assert from "node:assert/strict";
import { assertSession } from "../guide/check.mjs";
import { KEYS } from "../support/backends.mjs";

/**
 * @typedef {import("./runner.mjs").Result} Result
 * @typedef {import("../support/backends.mjs").Backends} Backends
 * @typedef {{env: Record<string, string>, check: (result: Result) => Promise<void>}} Case
 */

/**
 * @param {Backends} backends
 * @returns {Record<string, Case>}
 */
export function environments({ v1, second, params }) {
  const named = { HH_API_URL: params.servers.v1, HH_PROJECT: "from-env", HH_SOURCE: "ci" };
  /** @param {Result} result */
  const errors = ({ lines }) => lines.filter(({ level }) => level === "error");
  return {
    "key, server and names": {
      env: { ...named, HH_API_KEY: KEYS.main, HH_SESSION_NAME: "nightly" },
      async check(result) {
        const { sessionId, ...rest } = result.value;
        assert.deepEqual(rest, {
          sessionName: "nightly",
          project: "from-env",
          source: "ci",
          enabled: true,
          delivery: { status: "delivered", sessionId },
          report: { delivered: 1, dropped: 0, pending: 0 },
        });
        assertSession(await v1.session(sessionId), {
          name: "nightly",
          source: "ci",
          metadata: { from: "the environment" },
        });
        assert.deepEqual(errors(result), []);
      },
    },
    "an ingestion key goes before, an empty variable counts as unset": {
      env: {
        HH_INGESTION_API_KEY: KEYS.other,
        HH_API_KEY: KEYS.main,
        HH_API_URL: params.servers.second,
        HH_SOURCE: "",
        HH_SESSION_NAME: "",
      },
      async check({ value: { sessionId, source, delivery } }) {
        assert.deepEqual(delivery, { status: "delivered", sessionId });
        assert.equal(source, "dev");
        assertSession(await second.session(sessionId, KEYS.other), {
          name: "session",
          metadata: { from: "the environment" },
        });
      },
    },
    "no key": {
      env: named,
      async check(result) {
        const { enabled, delivery, report } = result.value;
        assert.equal(enabled, false);
        assert.deepEqual([delivery.status, delivery.reason], ["dropped", "disabled"]);
        assert.deepEqual(report, { delivered: 0, dropped: 1, pending: 0 });
        assert.equal(errors(result).length, 1, JSON.stringify(result.lines));
        assert.match(errors(result)[0].text, /HH_API_KEY/);
      },
    },
    "a key with a stray newline": {
      env: { ...named, HH_API_KEY: `${KEYS.main}\n` },
      async check(result) {
        const { sessionId, delivery } = result.value;
        assert.equal(errors(result).length, 1, JSON.stringify(result.lines));
        assert.match(errors(result)[0].text, /HH_API_KEY/);
        assert.ok(!JSON.stringify(result).includes(KEYS.main), "the key shows");
        if (delivery.status === "delivered") await v1.session(sessionId);
        else assert.equal(delivery.reason, "disabled");
      },
    },
    "test mode": {
      env: { ...named, HH_API_KEY: KEYS.main, HH_TEST_MODE: "true" },
      async check(result) {
        const { sessionId, enabled, delivery } = result.value;
        assert.deepEqual([enabled, delivery.reason], [false, "disabled"]);
        assert.deepEqual(await v1.requests(sessionId), []);
        assert.deepEqual(errors(result), []);
      },
    },
  };
}
