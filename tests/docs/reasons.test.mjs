// The lines in docs/troubleshooting.md are those that are printed: each way to lose an enrichment is gone here, and each
// line of the document comes up.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { it } from "node:test";
import { runToEnd } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { documents, rootDir } from "./documents.mjs";

/** Loses enrichments in a session each: its server refuses with the status that a request's header names. */
const program = `
  import { enrichSession, initTracer } from "honeyhive-edge";

  const serverUrl = process.argv[2];
  const metadata = { step: 1 };
  const reasons = [];
  const lose = async (options, enrichment = { metadata }) => {
    const given = { apiKey: "hh_key_of_the_documents_test", serverUrl, ...options };
    const tracer = await initTracer(given);
    const { reason } = await tracer.enrichSession(enrichment);
    reasons.push(reason);
    await tracer.close();
    return tracer;
  };
  reasons.push((await enrichSession({ metadata })).reason);
  await lose({ apiKey: undefined });
  await lose({}, { metadata: 3 });
  await lose({}, 3);
  await lose({}, { metadata: { text: "x".repeat(6_000_000) } });
  await lose({ maxQueueBytes: 1000 }, { metadata: { text: "x".repeat(2000) } });
  await lose({}, { duration: NaN });
  for (const status of ["401", "404", "422", "200"]) await lose({ headers: { status } });
  await lose({ apiKey: "hh_fgdp_of_the_documents_test", headers: { status: "403" } });
  globalThis.location = { origin: "https://shop.example" };
  for (const ticket of [undefined, ""]) await lose({ apiKey: undefined, ticket });
  delete globalThis.location;
  await lose({ headers: { status: "500" }, deadlineMs: 300 });
  const closed = await lose({ disabled: true });
  reasons.push((await closed.enrichSession({ metadata })).reason);
  process.stdout.write(JSON.stringify(reasons));
`;

/** A new instance that never starts, and one that dies in the middle of a call. */
const broken = `
  import { initTracer } from "honeyhive-edge";

  let dies = false;
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (module, imports) {
    if (process.argv[2] === "never starts") throw new Error("forbidden");
    const exports = {};
    for (const [name, value] of Object.entries(new Instance(module, imports).exports)) {
      exports[name] =
        typeof value === "function"
          ? (...given) => {
              if (dies) throw new WebAssembly.RuntimeError("unreachable");
              return value(...given);
            }
          : value;
    }
    return { exports };
  };
  const tracer = await initTracer({ apiKey: "hh_key_of_the_documents_test", serverUrl: "http://127.0.0.1:9" });
  dies = process.argv[2] === "dies";
  const { reason } = await tracer.enrichSession({ metadata: { step: 1 } });
  process.stdout.write(JSON.stringify([reason]));
  process.exit();
`;

it("each reason's line is as documented", async (t) => {
  const server = createServer((request, response) => {
    const refused = request.headers["status"];
    const status = Number(refused ?? 200);
    const no = { statusCode: status, message: "no", success: false, errorCode: "NO" };
    const body = refused ? no : { success: true };
    request.resume().once("end", () => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  t.after(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const cwd = await consumer("docs-reasons", { "program.mjs": program, "broken.mjs": broken });
  const runs = await Promise.all(
    [
      ["program.mjs", `http://127.0.0.1:${port}`],
      ["broken.mjs", "never starts"],
      ["broken.mjs", "dies"],
    ].map((args) => runToEnd(process.execPath, args, { cwd })),
  );
  const printed = runs.flatMap(({ stderr }) => stderr.split("\n")).filter(Boolean);
  const reasons = new Set(runs.flatMap(({ stdout }) => JSON.parse(stdout)));

  const document = (await documents()).find(({ path }) => path === "docs/troubleshooting.md");
  assert.ok(document);
  const types = await readFile(join(rootDir, "pkg-template", "index.d.ts"), "utf8");
  const [, union = ""] = /export type DropReason =([^;]+);/.exec(types) ?? [];
  const known = [...union.matchAll(/"(\w+)"/g)].map(([, reason]) => reason);
  assert.deepEqual([...reasons].sort(), known.sort(), "each reason came up");
  for (const reason of reasons)
    assert.ok(document.anchors.has(reason), `${reason} is not documented`);
  const lines = document.blocks.filter(({ kind }) => kind === "line").map(({ text }) => text);
  const fits = (/** @type {string} */ said, /** @type {string} */ line) => {
    const parts = line.split("…").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    return new RegExp(`^\\[honeyhive-edge\\] ${parts.join(".*")}$`).test(said);
  };
  const unsaid = lines.filter((line) => !printed.some((said) => fits(said, line)));
  assert.deepEqual(unsaid, [], `documented and not printed, but\n${printed.join("\n")}`);
  const undocumented = printed.filter((said) => !lines.some((line) => fits(said, line)));
  assert.deepEqual(undocumented, []);
});
