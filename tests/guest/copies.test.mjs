// `import` and `require` in one process load two files of the package, and an application may do both: its own modules
// the one, a library the other. They are one package to it, with one active session and one queue.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "node:test";
import { runToEnd } from "../support/child.mjs";
import { packageDir, testsDir } from "../support/package.mjs";

const esm = JSON.stringify(pathToFileURL(join(packageDir, "index.js")).href);
const cjs = JSON.stringify(join(packageDir, "index.cjs"));

/** Loads the package in both ways, in either order. @param {"import" | "require"} first */
const both = (first) => {
  const imported = `const imported = await import(${esm});`;
  const required = `const required = createRequire(${esm})(${cjs});`;
  return first === "import" ? imported + required : required + imported;
};

/**
 * @param {string} program with a `double` of fetch, and `requests`; it leaves its `result`
 * @returns {Promise<any>}
 */
async function resultOf(program) {
  const source = `
    import { createRequire } from "node:module";
    const requests = [];
    const double = async (url, init) => {
      requests.push({ url: String(url), body: JSON.parse(init.body) });
      return Response.json({ success: true });
    };
    const options = { apiKey: "hh_copies", mergeWindowMs: 1, fetch: double };
    ${program}
    console.log(JSON.stringify(result));
  `;
  const args = ["--input-type=module", "--eval", source];
  const { code, stdout, stderr } = await runToEnd(process.execPath, args, { cwd: testsDir });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}

describe("one state for both", () => {
  for (const first of /** @type {const} */ (["import", "require"])) {
    it(`${first} first: a bare call through the one reaches the tracer of the other`, async () => {
      const result = await resultOf(`
        ${both(first)}
        const tracer = await imported.initTracer(options);
        const one = await required.enrichSession({ metadata: { a: 1 } });
        const within = await required.withSession({ ...options, sessionName: "inner" }, () =>
          imported.enrichSession({ metadata: { b: 2 } }),
        );
        const result = {
          session: tracer.sessionId,
          one,
          within,
          isActive: required.activeTracer()?.sessionId === tracer.sessionId,
          report: await required.flush(),
        };
      `);
      assert.deepEqual(result.one, { status: "delivered", sessionId: result.session });
      assert.equal(result.within.status, "delivered");
      assert.notEqual(result.within.sessionId, result.session);
      assert.equal(result.isActive, true);
      assert.equal(result.report.delivered, 2);
    });
  }

  it("a tracer of the one may be named to the other", async () => {
    const result = await resultOf(`
      ${both("import")}
      const a = await imported.initTracer(options);
      const b = await required.initTracer(options);
      const deliveries = await Promise.all([
        required.enrichSession({ tracer: a, metadata: { of: "a" } }),
        imported.enrichSession({ tracer: b, metadata: { of: "b" } }),
      ]);
      const result = { deliveries, sessions: [a.sessionId, b.sessionId] };
    `);
    const [a, b] = result.sessions;
    assert.deepEqual(result.deliveries, [
      { status: "delivered", sessionId: a },
      { status: "delivered", sessionId: b },
    ]);
  });

  it("where nothing can be put on the global, each works by itself", async () => {
    const result = await resultOf(`
      void Response; // Node makes its own when it is first asked for.
      Object.preventExtensions(globalThis);
      ${both("import")}
      await imported.initTracer(options);
      const tracer = await required.initTracer(options);
      const result = await tracer.enrichSession({ metadata: { a: 1 } });
    `);
    assert.equal(result.status, "delivered");
  });

  it("what somebody else left under that name is not believed", async () => {
    for (const other of ["7", "null", "{}", "{ get shared() { throw new Error() } }", "() => 1"]) {
      const result = await resultOf(`
        globalThis[Symbol.for("honeyhive-edge")] = ${other};
        ${both("require")}
        const tracer = await imported.initTracer(options);
        const result = await tracer.enrichSession({ metadata: { a: 1 } });
      `);
      assert.equal(result.status, "delivered", other);
    }
  });

  it("a module that is loaded anew, as test runners do it, has a state of its own", async () => {
    const result = await resultOf(`
      const one = await import(${esm});
      await one.initTracer(options);
      const anew = await import(${esm} + "?anew");
      const result = await anew.enrichSession({ metadata: { a: 1 } });
    `);
    assert.equal(result.reason, "no_session");
  });
});
