// What a caller's function returns is looked at: a promise of it that rejects ends no process, and a masking that
// answers later masks everything.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { it } from "node:test";
import { runToEnd } from "../support/child.mjs";
import { packageDir } from "../support/package.mjs";

const entry = (/** @type {string} */ name) => pathToFileURL(join(packageDir, name)).href;

/**
 * @param {string} program
 * @param {Record<string, string>} [env]
 */
async function run(program, env = {}) {
  const { code, stdout, stderr } = await runToEnd(
    process.execPath,
    ["--input-type=module", "--eval", program],
    { env },
  );
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return { report: JSON.parse(stdout), log: stderr };
}

it("async callbacks that reject end no process, and an async redact masks whole fields", async () => {
  const { report, log } = await run(`
    import { initTracer } from ${JSON.stringify(entry("index.js"))};
    const bodies = [];
    const rejects = async () => { throw new Error("mine"); };
    const dropped = [];
    const given = {
      apiKey: "hh_guest", serverUrl: "http://127.0.0.1:9", mergeWindowMs: 1, deadlineMs: 300,
      waitUntil: rejects,
      onDrop: async (lost) => { dropped.push(lost.reason); throw new Error("mine"); },
      fetch: async (_, { body }) => { bodies.push(body); return new Response("{}"); },
    };
    const masked = await initTracer({ ...given, redact: rejects });
    await masked.enrichSession({ metadata: { a: "secret" }, outputs: { b: "secret" } });
    const late = await initTracer({ ...given, redact: async (value) => value });
    await late.enrichSession({ metadata: { a: "secret" } });
    const odd = await initTracer({ ...given, fetch: () => ({ status: 200, headers: { get: rejects }, text: rejects }) });
    const statuses = [
      await odd.enrichSession({ metadata: { later: { toJSON: rejects }, a: 1 } }),
      await (await initTracer({ ...given, fetch: rejects })).enrichSession({ metadata: { a: 1 } }),
      await (await initTracer({ ...given, fetch: () => ({ status: rejects() }) })).enrichSession({}),
    ].map(({ status }) => status);
    await new Promise((resolve) => setTimeout(resolve, 100));
    console.log(JSON.stringify({ bodies, statuses, dropped }));
  `);
  assert.deepEqual(report.statuses, ["delivered", "dropped", "dropped"]);
  assert.ok(report.bodies.length >= 2);
  for (const body of report.bodies) {
    assert.doesNotMatch(body, /secret/);
    assert.match(body, /"metadata":\{"redacted":"\[Redacted\]"\}/);
  }
  assert.match(log, /redact returned a promise/);
  assert.equal(report.dropped.length, 2);
});

it("an exporter's callback and a queue's message that reject end no process", async () => {
  const { report } = await run(`
    import { createConsumer } from ${JSON.stringify(entry("relay.js"))};
    const rejects = async () => { throw new Error("mine"); };
    const consumer = createConsumer({ apiKey: "hh_guest", fetch: async () => new Response("{}") });
    const messages = [
      { body: "nonsense", ack: rejects, retry: rejects },
      { body: 1, ack() { throw new Error("mine"); }, retry() { throw new Error("mine"); } },
    ];
    await (consumer.queue ?? consumer)({ messages });
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(JSON.stringify("over"));
  `);
  assert.equal(report, "over");
});

it("quotes around a variable's value are left out, and spoken of once", async () => {
  const { report, log } = await run(
    `
      import { initTracer } from ${JSON.stringify(entry("index.js"))};
      const requests = [];
      const fetch = async (url, { headers, body }) => {
        requests.push({ url, headers, body: JSON.parse(body) });
        return new Response("{}");
      };
      for (let i = 0; i < 2; i++) {
        const tracer = await initTracer({ fetch, mergeWindowMs: 1 });
        await tracer.enrichSession({ metadata: { a: 1 } });
      }
      console.log(JSON.stringify(requests[0]));
    `,
    {
      HH_API_KEY: '"hh_quoted"',
      HH_API_URL: "'http://127.0.0.1:9'",
      HH_SOURCE: ' "prod" ',
      HH_SESSION_NAME: `"it's"`,
      HH_PROJECT: '"only the first',
    },
  );
  assert.equal(report.headers.authorization ?? report.headers.Authorization, "Bearer hh_quoted");
  assert.match(report.url, /^http:\/\/127\.0\.0\.1:9\//);
  assert.equal(report.body.source, "prod");
  assert.equal(report.body.session_name, "it's");
  for (const name of ["HH_API_KEY", "HH_API_URL", "HH_SOURCE", "HH_SESSION_NAME"]) {
    assert.equal(log.split(`${name} is set with quotes`).length, 2, `${name} in:\n${log}`);
  }
  assert.doesNotMatch(log, /HH_PROJECT is set|hh_quoted/);
});
