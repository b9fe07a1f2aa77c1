// The package's types in the projects of those who use them: with and without the DOM, Node's types and
// the newest libraries, none of which may be asked for.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const types = fileURLToPath(new URL("../../pkg-template/index.d.ts", import.meta.url));
const require = createRequire(import.meta.url);
const tsc = path.join(path.dirname(require.resolve("typescript/package.json")), "bin/tsc");
const nodeTypes = path.dirname(path.dirname(require.resolve("@types/node/package.json")));

/** Everything a caller writes, right where it is checked. */
const USE = `
import {
  activeTracer, enrichSession, flush, initTracer, sessionIdFrom, sessionIdFromHeaders, withSession,
} from "honeyhive-edge";
import type { Delivery, Dropped, DropReason, Enrichment, FlushReport, LogLevel, Tracer, TracerOptions } from "honeyhive-edge";

const options: TracerOptions = {
  apiKey: "k", sessionName: "s", logLevel: "debug", redact: { keys: ["a"], patterns: [/b/] },
  fetch: async (...given: any[]) => given as any, waitUntil: (promise) => void promise.then(),
  onDrop: ({ reason, enrichment }: Dropped) => void [reason satisfies DropReason, enrichment.metadata],
};
const masks: TracerOptions = { redact: (value, path) => (path[0] === "metadata" ? "x" : value) };
const level: LogLevel = "silent";
const enrichment: Enrichment = { metadata: { a: [1, { b: null }] }, duration: 5, endTime: 6, error: new Error("e") };

export async function use(): Promise<string | undefined> {
  const tracer: Tracer = await initTracer(options);
  await initTracer();
  const outcomes: Delivery[] = [
    await enrichSession(), await enrichSession(enrichment), await enrichSession("id", enrichment),
    await enrichSession(null, { tracer }), await enrichSession({ ...enrichment, sessionId: "id", tracer }),
    await tracer.enrichSession(), await tracer.enrichSession("id", enrichment),
    await tracer.enrichSession({ sessionId: "id", feedback: { rating: 1 } }), await tracer.addMetrics({ n: 1 }),
  ];
  for (const outcome of outcomes) if (outcome.status === "dropped") return outcome.message;
  const report: FlushReport = await tracer.flush({ timeoutMs: 5 });
  const five: number = tracer.run(() => 5);
  const later: string = await withSession(masks, async (inner) => inner.sessionId);
  const child: Tracer = tracer.startSession({ sessionName: "c" });
  const headers: Record<string, string> = child.propagationHeaders();
  await flush(); await child.close();
  sessionIdFromHeaders({ baggage: ["a"], other: undefined });
  return activeTracer()?.project ?? sessionIdFromHeaders(headers) ?? sessionIdFrom("x") + five + later + level + report.pending;
}
`;

const DISPOSABLE = `${USE}
export async function disposes() {
  await using tracer = await initTracer();
  return tracer.sessionId;
}
`;

const HEADERS = `${USE}
sessionIdFromHeaders(new Request("http://localhost").headers);
initTracer({ fetch: globalThis.fetch });
`;

/** Each is wrong in the marked line only. */
const MISTAKES = [
  "enrichSession({ metdata: {} });",
  "enrichSession({ metadata: 3 });",
  'enrichSession({ duration: "5" });',
  "enrichSession(42);",
  'initTracer({ apikey: "k" });',
  'initTracer({ logLevel: "loud" });',
  "initTracer({ fetch: 5 });",
  "withSession(() => 5);",
  "initTracer().sessionId;",
];

/** @type {Record<string, { source: string, options: object }>} */
const PROJECTS = {
  "no DOM, no Node, an old library": { source: USE, options: { lib: ["es2020"], types: [] } },
  "the DOM": { source: HEADERS, options: { lib: ["es2022", "dom", "dom.iterable"], types: [] } },
  "Node's types": { source: HEADERS, options: { lib: ["es2022"], types: ["node"] } },
  "Node's types and disposables": {
    source: DISPOSABLE,
    options: { lib: ["es2022", "esnext.disposable"], types: ["node"] },
  },
  "the DOM and disposables": {
    source: DISPOSABLE,
    options: { lib: ["esnext", "dom", "dom.iterable"], types: [] },
  },
  "exactly optional properties": {
    source: USE,
    options: { lib: ["es2022"], types: [], exactOptionalPropertyTypes: true },
  },
};

for (const [name, { source, options }] of Object.entries(PROJECTS)) {
  test(`compiles with ${name}`, async () => {
    assert.equal(await compile(source, options), "");
  });
}

test("mistakes are errors, and only they", async () => {
  const source = `import { enrichSession, initTracer, withSession } from "honeyhive-edge";\n${MISTAKES.join("\n")}`;
  const output = await compile(source, { lib: ["es2022", "dom"], types: [] });
  const lines = [...output.matchAll(/^use\.ts\((\d+),/gm)].map((match) => Number(match[1]));
  assert.deepEqual(
    [...new Set(lines)],
    MISTAKES.map((_, i) => i + 2),
    output,
  );
});

/**
 * @param {string} source
 * @param {object} options
 * @returns {Promise<string>} what the compiler finds
 */
async function compile(source, options) {
  const folder = await mkdtemp(path.join(tmpdir(), "types-"));
  try {
    await writeFile(path.join(folder, "use.ts"), source);
    const compilerOptions = {
      target: "es2022",
      module: "preserve",
      moduleResolution: "bundler",
      strict: true,
      noEmit: true,
      // The package's own types are to be checked too, as others' are not.
      skipLibCheck: false,
      typeRoots: [nodeTypes],
      paths: { "honeyhive-edge": [types] },
      ...options,
    };
    await writeFile(
      path.join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["use.ts"] }),
    );
    return await new Promise((resolve) =>
      execFile(process.execPath, [tsc, "-p", "."], { cwd: folder }, (_, stdout) => resolve(stdout)),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
