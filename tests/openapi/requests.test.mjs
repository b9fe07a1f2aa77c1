// Everything that the package sends is as HoneyHive's routes are described, by a third party's judgement: the scenarios
// that run in every runtime, spans, and some thousand random enrichments, on v1 routes and on legacy ones.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { runScenarios } from "../scenarios/runner.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { packageDir } from "../support/package.mjs";
import { startValidator } from "./validator.mjs";

/** Those that send what is well-formed to servers that are HoneyHive. */
const SCENARIOS = [
  "guide",
  "guideOnLegacy",
  "fields",
  "touch",
  "names",
  "tracers",
  "events",
  "values",
];

const RANDOM_SESSIONS = 200;

/** @type {typeof import("honeyhive-edge")} */
let edge;
/** @type {Awaited<ReturnType<typeof startBackends>>} */
let backends;
/** @type {Record<"v1" | "second" | "legacy", Awaited<ReturnType<typeof startValidator>>>} */
let validators;

before(async () => {
  edge = await import(pathToFileURL(join(packageDir, "index.js")).href);
  backends = await startBackends();
  const [v1, second, legacy] = await Promise.all(
    [backends.v1, backends.second, backends.legacy].map(({ url }) => startValidator(url)),
  );
  validators = /** @type {any} */ ({ v1, second, legacy });
});
after(async () => {
  const requests = Object.values(validators).reduce((sum, { seen }) => sum + seen.requests, 0);
  console.log(`# ${requests} requests were held to the description`);
  for (const { close } of Object.values(validators)) await close();
  await backends.close();
});

/** @param {import("./validator.mjs").Seen[]} seen */
function assertValid(...seen) {
  for (const { invalid } of seen) assert.deepEqual(invalid, []);
}

describe("all that is sent is valid", () => {
  it("in the scenarios", async () => {
    const { v1, second, legacy } = validators;
    const servers = {
      ...backends.params.servers,
      v1: v1.url,
      second: second.url,
      legacy: legacy.url,
    };
    const params = { keys: KEYS, servers };
    const report = await runScenarios({ api: edge, names: SCENARIOS, params });
    for (const [name, { error }] of Object.entries(report)) assert.equal(error, undefined, name);
    assertValid(v1.seen, second.seen, legacy.seen);
    for (const operation of ["startSession", "updateEvent", "readEvent", "searchEvents"]) {
      assert.ok(v1.seen.operations.has(operation), operation);
    }
    for (const operation of ["startSessionLegacy", "updateEventLegacy"]) {
      assert.ok(legacy.seen.operations.has(operation), operation);
    }
  });

  for (const name of /** @type {const} */ (["v1", "legacy"])) {
    it(`of random enrichments of sessions and events, on ${name} routes`, async () => {
      const { url, seen } = validators[name];
      const earlier = seen.requests;
      const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
      const anything = fc.oneof(
        object,
        fc.anything({ withBigInt: true, withDate: true, withMap: true }),
      );
      const fields = fc.record(
        {
          metadata: anything,
          feedback: anything,
          metrics: anything,
          config: anything,
          outputs: anything,
          inputs: anything,
          userProperties: anything,
          error: anything,
          duration: fc.oneof(fc.double(), fc.anything()),
          endTime: fc.oneof(fc.nat(), fc.anything()),
        },
        { requiredKeys: [] },
      );
      const id = fc.oneof(
        fc.uuid(),
        fc.string(),
        fc.constantFrom("sess_abc123xyz", "a/b?c#d", "..", "É"),
      );
      const calls = fc.array(fc.tuple(fc.nat(4), id, fields), { minLength: 4, maxLength: 8 });
      const options = fc.record(
        {
          sessionId: id,
          sessionName: fc.string(),
          source: fc.string(),
          project: fc.string(),
          metadata: anything,
          inputs: anything,
          config: anything,
        },
        { requiredKeys: [] },
      );
      for (const [given, said] of fc.sample(fc.tuple(options, calls), RANDOM_SESSIONS)) {
        const tracer = await edge.initTracer({
          .../** @type {any} */ (given),
          apiKey: KEYS.main,
          serverUrl: url,
          mergeWindowMs: 0,
          logLevel: "silent",
        });
        for (const [kind, named, enrichment] of said) {
          const of = /** @type {any} */ (enrichment);
          if (kind === 0) void tracer.enrichEvent(named, of);
          else if (kind === 1) void tracer.enrichSession(named, of);
          else if (kind === 2) void tracer.addMetrics({ [named]: 1 });
          else await tracer.enrichSession(of);
        }
        await tracer.close();
      }
      const sent = seen.requests - earlier;
      assert.ok(sent > 3 * RANDOM_SESSIONS, `${sent} requests`);
      assertValid(seen);
    });
  }

  it("through a relay, from a page's tickets", async () => {
    const { createRelay, issueTicket } = /** @type {typeof import("honeyhive-edge/relay")} */ (
      await import(pathToFileURL(join(packageDir, "relay.js")).href)
    );
    const secret = "a secret that is long enough for the tests of tickets";
    for (const { url, seen } of Object.values(validators)) {
      const apiKey = seen === validators.second.seen ? KEYS.other : KEYS.main;
      const relay = createRelay({ apiKey, serverUrl: url, secret });
      const eventId = edge.newEventId();
      const sessionId = `conversation of ${url}`;
      const ticket = await issueTicket({
        sessionId,
        events: [sessionId, eventId],
        fields: ["feedback", "metadata", "inputs", "error"],
        secret,
      });
      const page = await edge.initTracer({
        ticket,
        serverUrl: "https://shop.example/honeyhive",
        inputs: { q: "hi" },
        logLevel: "silent",
        fetch: /** @type {any} */ (
          (/** @type {string} */ at, /** @type {RequestInit} */ init) =>
            relay(new Request(at, init))
        ),
      });
      const stored = await page.enrichSession({ feedback: { rating: 5 }, error: new Error("x") });
      assert.equal(stored.status, "delivered", JSON.stringify(stored));
      await page.enrichEvent(eventId, { feedback: { thumb: "up" } });
      await page.close();
      assertValid(seen);
    }
  });

  it("and a mistake would have been seen", async () => {
    const { url, close, seen } = await startValidator(backends.v1.url);
    const authorization = `Bearer ${KEYS.main}`;
    const headers = {
      authorization,
      "content-type": "application/json",
      "hh-client-timestamp": "1700000000000000000",
    };
    const put = (/** @type {string} */ path, /** @type {unknown} */ body) =>
      fetch(url + path, { method: "PUT", headers, body: JSON.stringify(body) });
    const id = edge.newEventId();
    for (const [path, body] of /** @type {[string, unknown][]} */ ([
      ["/v1/events/sess_abc123xyz", { metadata: {} }],
      [`/v1/events/${id}`, { metadata: [] }],
      [`/v1/events/${id}`, { outputs: "text" }],
      [`/v1/events/${id}`, { inputs: {} }],
      ["/events", { metadata: {} }],
      ["/v2/events", {}],
    ])) {
      const { length } = seen.invalid;
      await put(path, body);
      assert.ok(seen.invalid.length > length, `${path} ${JSON.stringify(body)}`);
    }
    await close();
  });
});
