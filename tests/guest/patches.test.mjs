// Settings and data of the package's own do not pass through what others put on prototypes: in Node, in a page.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "node:test";
import { runToEnd } from "../support/child.mjs";
import { consumer, packageDir, testsDir } from "../support/package.mjs";
import { pageHtml, reportOfChromium } from "../support/site.mjs";
import { readFile } from "node:fs/promises";

const STORED = {
  list: [1, "two", { three: 3 }],
  map: { a: [1] },
  boxed: ["text", 1, true],
  date: "1970-01-01T00:00:00.000Z",
  bytes: [1, 2],
};

/** @param {any} report */
function assertUntouched(report) {
  for (const [name, { outcomes, headers, bodies }] of Object.entries(report)) {
    assert.deepEqual(outcomes.statuses, ["delivered", "delivered"], `${name}: ${outcomes.threw}`);
    assert.match(outcomes.baggage, /^session_id=[0-9a-f-]+,project=own,/, name);
    assert.ok(headers.length > 0);
    for (const header of headers) assert.equal(header, "yes", name);
    const metadata = Object.assign(
      {},
      ...bodies.map((/** @type {any} */ body) => metadataOf(body)),
    );
    const { email, straße, text, ...rest } = metadataOf(bodies[0]);
    assert.equal(email, "[Redacted]", name);
    assert.equal(straße, "[Redacted]", name);
    assert.equal(text, "[Redacted] and [Redacted]", name);
    assert.deepEqual(rest, STORED, name);
    assert.equal(metadata.email, "masked", name);
  }
}

/** @param {any} body @returns {any} */
const metadataOf = (body) => body.metadata ?? body.session?.metadata ?? {};

describe("patched prototypes", () => {
  it("in Node", async () => {
    const api = JSON.stringify(pathToFileURL(join(packageDir, "index.js")).href);
    const patches = JSON.stringify(pathToFileURL(join(testsDir, "guest", "patches.mjs")).href);
    const program = `
      const { underPatches } = await import(${patches});
      console.log(JSON.stringify(await underPatches(await import(${api}))));
    `;
    const { code, stdout, stderr } = await runToEnd(
      process.execPath,
      ["--input-type=module", "--eval", program],
      { cwd: testsDir },
    );
    assert.equal(code, 0, stderr);
    assertUntouched(JSON.parse(stdout));
  });

  it("in Chromium", async (t) => {
    const project = await consumer("guest-patches", {
      "patches.mjs": await readFile(join(testsDir, "guest", "patches.mjs"), "utf8"),
      "page.mjs": `
        import * as api from "./node_modules/honeyhive-edge/browser.js";
        import { underPatches } from "./patches.mjs";
        const report = await underPatches(api);
        await fetch("/__report", { method: "POST", body: JSON.stringify(report) });
      `,
      "index.html": pageHtml("./page.mjs"),
    });
    assertUntouched(await reportOfChromium(t, project, undefined, { timeoutMs: 20_000 }));
  });
});
