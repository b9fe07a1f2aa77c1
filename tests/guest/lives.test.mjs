// "No wrong session" as a property, whatever stands in place of `Promise`: in Node, Chromium and workerd.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "node:test";
import { build } from "esbuild";
import { runToEnd } from "../support/child.mjs";
import { consumer, packageDir, testsDir } from "../support/package.mjs";
import { pageHtml, reportOfChromium } from "../support/site.mjs";
import { assertQuiet, bundleWorker, served } from "../support/workerd.mjs";

const LIVES = 60;

/** @param {import("./lives.mjs").Seen} seen @param {{ follows: boolean }} world */
function assertRight({ right, none, wrong, thens }, { follows }) {
  assert.deepEqual(wrong, []);
  assert.equal(thens, 0, "then was called more than once");
  assert.ok(right > LIVES, `${right} enrichments reached their session`);
  if (follows) assert.equal(none, 0);
}

const REPLACED = ["nothing", "zone.js", "Bluebird", "Bluebird with asyncHooks", "a subclass"];

describe("random programs in Node", { concurrency: 2 }, () => {
  const api = pathToFileURL(join(packageDir, "index.js")).href;
  for (const what of [...REPLACED, "zone.js and a document"]) {
    for (const when of what === "nothing" ? ["never"] : ["before", "after"]) {
      it(`${what} in place of Promise, ${when} the package is loaded`, async () => {
        const program = join(testsDir, "guest", "program.mjs");
        const { code, stdout, stderr } = await runToEnd(
          process.execPath,
          [program, what, when, api, String(LIVES)],
          { cwd: testsDir },
        );
        assert.equal(code, 0, stderr);
        assertRight(JSON.parse(stdout), { follows: true });
      });
    }
  }
});

describe("random programs in a page", { concurrency: 1 }, () => {
  const replacing = /** @type {Record<string, string>} */ ({
    nothing: "",
    "zone.js": 'import "zone.js";',
    Bluebird: 'import "./bluebird-first.mjs";',
    "a subclass": 'import "./subclass-first.mjs";',
  });
  for (const [what, first] of Object.entries(replacing)) {
    for (const target of ["es2022", "es2016"]) {
      it(`${what} in place of Promise, compiled for ${target}`, async (t) => {
        const project = await consumer(`guest-${what.replace(/\W/g, "")}-${target}`, {
          "bluebird-first.mjs": `import Bluebird from "bluebird"; globalThis.Promise = Bluebird;`,
          "subclass-first.mjs": "globalThis.Promise = class extends Promise {};",
          "page.mjs":
            `
            ${first}
            import * as api from "honeyhive-edge";
            import { liveAll } from ${JSON.stringify(join(testsDir, "guest", "lives.mjs"))};
            const world = { api, Promises: Promise, follows: false };
            const report = await liveAll(0, ${LIVES}, world).catch((error) => ({ failed: String(error.stack) }));
            await fetch("/__report", { method: "POST", body: JSON.stringify(report) });
          `.replace("const report = await", "void (async () => { const report = await") + "})();",
          "index.html": pageHtml("./page.js"),
        });
        await build({
          entryPoints: [join(project, "page.mjs")],
          outfile: join(project, "page.js"),
          bundle: true,
          format: "esm",
          target,
          conditions: ["browser"],
          nodePaths: [join(testsDir, "node_modules")],
          logLevel: "error",
        });
        assertRight(await reportOfChromium(t, project), { follows: false });
      });
    }
  }
});

describe("random programs in workerd", { concurrency: 1 }, () => {
  const replacing = /** @type {Record<string, string>} */ ({
    nothing: "",
    "zone.js": 'import "zone.js";',
    Bluebird: 'import "./bluebird-first.mjs";',
  });
  for (const [what, first] of Object.entries(replacing)) {
    it(`${what} in place of Promise, in requests that take turns`, async (t) => {
      await runsInWorkerd(t, what, first);
    });
  }
});

/**
 * @param {import("node:test").TestContext} t
 * @param {string} what
 * @param {string} first the import that replaces `Promise`
 */
async function runsInWorkerd(t, what, first) {
  const project = await consumer(`guest-workerd-${what.replace(/\W/g, "")}`, {
    "bluebird-first.mjs": `import Bluebird from "bluebird"; globalThis.Promise = Bluebird;`,
    "worker.mjs": `
        ${first}
        import * as api from "honeyhive-edge";
        import { liveAll } from ${JSON.stringify(join(testsDir, "guest", "lives.mjs"))};
        export default {
          async fetch(request) {
            const { from, to } = await request.json();
            const world = { api, Promises: Promise, follows: true, losesThen: ${what === "Bluebird"} };
            const is = globalThis.Zone ? "zone.js" : Promise.promisify ? "Bluebird" : "nothing";
            return Response.json({ is, ...(await liveAll(from, to, world)) });
          },
        };
      `,
  });
  const bundle = await bundleWorker(project);
  const { post, output } = await served(t, bundle, { compatibilityDate: "2026-01-01" });
  const requests = Array.from({ length: 6 }, (_, n) =>
    post("/", { from: n * 10, to: (n + 1) * 10 }),
  );
  for (const seen of await Promise.all(requests)) {
    assert.deepEqual(seen.wrong, []);
    assert.equal(seen.is, what);
    assert.equal(seen.thens, 0, "then was called more than once");
    assert.ok(seen.right > 10);
  }
  assertQuiet(output);
}
