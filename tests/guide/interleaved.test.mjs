// Every example of the guide, in two requests of which each goes on while the other waits: what comes of
// either is what comes of it alone. In workerd and in the servers of Node, Deno, Bun and Vercel's edge.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { CONFIGURATIONS } from "../isolation/workers.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { consumer } from "../support/package.mjs";
import { SERVER_RUNTIMES, serverProject } from "../support/servers.mjs";
import { assertQuiet, bundleWorker, startWorker } from "../support/workerd.mjs";
import { checkGuide } from "./check.mjs";

/** Each example awaits at least three times. */
const LEAST_STEPS = 40;

const worker = `
  import * as api from "honeyhive-edge";
  import { answer } from "./guide/interleaved.mjs";

  export default {
    fetch: async (request) => Response.json(await answer(api, await request.json())),
  };
`;

const own = () => readFile(new URL("interleaved.mjs", import.meta.url), "utf8");

/**
 * @param {import("node:test").TestContext} t
 * @param {(what: unknown) => Promise<any>} ask
 */
async function twoRequests(t, ask) {
  const backends = await startBackends();
  t.after(() => backends.close());
  // Each writes where the other's second tracer does: what goes astray is at a wrong server or under a wrong key.
  const one = { backend: backends.v1, key: KEYS.main };
  const other = { backend: backends.second, key: KEYS.other };
  const scene = (/** @type {typeof one} */ first, /** @type {typeof one} */ second) => ({
    backendUrl: first.backend.url,
    apiKey: first.key,
    otherBackendUrl: second.backend.url,
    otherApiKey: second.key,
  });
  const answers = await Promise.all([
    ask({ who: 0, scene: scene(one, other) }),
    ask({ who: 1, scene: scene(other, one) }),
  ]);
  assert.equal(answers[0].steps, answers[1].steps);
  assert.ok(answers[0].steps > LEAST_STEPS, `they took turns ${answers[0].steps} times`);
  for (const { strays } of answers) assert.deepEqual(strays, []);
  const where = (/** @type {typeof one} */ first, /** @type {typeof one} */ second) => ({
    backend: first.backend,
    key: first.key,
    other: second.backend,
    otherKey: second.key,
  });
  await checkGuide(answers[0].facts, where(one, other));
  await checkGuide(answers[1].facts, where(other, one));
}

describe("the guide in two interleaved requests", { concurrency: 2 }, () => {
  /** @type {string} */
  let bundle;
  /** @type {Awaited<ReturnType<typeof serverProject>>} */
  let project;
  before(async () => {
    const files = { "guide/interleaved.mjs": await own() };
    bundle = await bundleWorker(
      await consumer("guide-interleaved-worker", { ...files, "worker.mjs": worker }),
    );
    project = await serverProject("guide-interleaved", {
      ...files,
      "answer.mjs": `export { answer } from "./guide/interleaved.mjs";`,
    });
  });

  for (const [name, options] of Object.entries(CONFIGURATIONS)) {
    it(`in workerd ${name}`, async (t) => {
      const { url, output, stop } = await startWorker(bundle, options);
      t.after(stop);
      await twoRequests(t, async (what) => {
        const response = await fetch(url, { method: "POST", body: JSON.stringify(what) });
        const text = await response.text();
        assert.equal(response.status, 200, `${text}\n${output.stderr}`);
        return JSON.parse(text);
      });
      assertQuiet(output);
    });
  }
  for (const runtime of SERVER_RUNTIMES) {
    it(`in ${runtime}`, async (t) => {
      const { ask, output } = await project.serve(t, runtime);
      await twoRequests(t, ask);
      assert.equal(output.stderr, "");
    });
  }
});
