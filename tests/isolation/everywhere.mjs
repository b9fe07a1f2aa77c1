// The same check on every server: workerd in each of its configurations, and the other runtimes.

import assert from "node:assert/strict";
import { before, it } from "node:test";
import { consumer } from "../support/package.mjs";
import { SERVER_RUNTIMES, serverProject } from "../support/servers.mjs";
import { assertQuiet, bundleWorker, startWorker } from "../support/workerd.mjs";
import { CONFIGURATIONS } from "./workers.mjs";

const worker = `
  import * as api from "honeyhive-edge";
  import { answer } from "./answer.mjs";

  export default {
    fetch: async (request) => Response.json(await answer(api, await request.json())),
  };
`;

/** A request, by what it asks and is answered. @typedef {(what: unknown) => Promise<any>} Ask */

/**
 * To be called in a `describe`.
 * @param {string} name of the projects that are made
 * @param {() => Promise<Record<string, string>>} read their files: `answer.mjs` exports what answers a request
 * @param {(t: import("node:test").TestContext, ask: Ask) => Promise<void>} check
 */
export function onEveryServer(name, read, check) {
  /** @type {string} */
  let bundle;
  /** @type {Awaited<ReturnType<typeof serverProject>>} */
  let project;
  before(async () => {
    const files = await read();
    bundle = await bundleWorker(
      await consumer(`${name}-worker`, { ...files, "worker.mjs": worker }),
    );
    project = await serverProject(name, files);
  });

  for (const [configuration, options] of Object.entries(CONFIGURATIONS)) {
    it(`in workerd ${configuration}`, async (t) => {
      const { url, output, stop } = await startWorker(bundle, options);
      t.after(stop);
      await check(t, async (what) => {
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
      await check(t, ask);
      assert.equal(output.stderr, "");
    });
  }
}
