// A test's clock that stands still: what was called under it, and everything later, settles.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "node:test";
import { runToEnd } from "../support/child.mjs";
import { packageDir, testsDir } from "../support/package.mjs";

const entry = JSON.stringify(pathToFileURL(join(packageDir, "index.js")).href);

const clocks = /** @type {Record<string, { install: string, undo: string }>} */ ({
  sinon: {
    install:
      "const { default: sinon } = await import('sinon'); const clock = sinon.useFakeTimers();",
    undo: "clock.restore();",
  },
  "sinon, with everything it can replace": {
    install: `
      const { default: sinon } = await import('sinon');
      const toFake = ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "setInterval", "clearInterval",
        "Date", "nextTick", "hrtime", "performance", "queueMicrotask"];
      const clock = sinon.useFakeTimers({ toFake });
    `,
    undo: "clock.restore();",
  },
  "node:test's": {
    install: "const { mock } = await import('node:test'); mock.timers.enable();",
    undo: "mock.timers.reset();",
  },
  "one that loses what it is given": {
    install: `
      const before = { setTimeout, clearTimeout, queueMicrotask };
      Object.assign(globalThis, { setTimeout: () => 1, clearTimeout() {}, queueMicrotask() {} });
    `,
    undo: "Object.assign(globalThis, before);",
  },
});

describe("a clock that stands still", { concurrency: 2 }, () => {
  for (const [name, { install, undo }] of Object.entries(clocks)) {
    for (const when of ["before", "after"]) {
      it(`${name}, from ${when} the package is loaded`, async () => {
        const load = `const { initTracer, flush } = await import(${entry});`;
        const program = `
          import { setTimeout as sleep } from "node:timers/promises";
          ${when === "before" ? install + load : load + install}
          const options = {
            apiKey: "hh_guest", serverUrl: "http://127.0.0.1:2", mergeWindowMs: 20,
            fetch: async () => new Response("{}"),
          };
          const tracer = await initTracer(options);
          const first = tracer.enrichSession({ metadata: { a: 1 } });
          const second = tracer.enrichSession({ outputs: { b: 1 } });
          ${undo}
          const third = tracer.enrichSession({ metadata: { c: 1 } });
          const settled = [await third, await second, await first];
          const report = await flush({ timeoutMs: 500 });
          const other = await initTracer(options);
          settled.push(await other.enrichSession({ metadata: { d: 1 } }));
          await other.close();
          console.log(JSON.stringify({ settled: settled.map(({ status }) => status), report }));
          process.exit();
        `;
        const { code, stdout, stderr } = await runToEnd(
          process.execPath,
          ["--input-type=module", "--eval", program],
          { cwd: testsDir, timeoutMs: 20_000 },
        );
        assert.equal(code, 0, `${stdout}\n${stderr}`);
        const { settled, report } = JSON.parse(stdout);
        assert.deepEqual(settled, ["delivered", "delivered", "delivered", "delivered"]);
        assert.deepEqual(report, { delivered: 3, dropped: 0, pending: 0 });
      });
    }
  }
});
