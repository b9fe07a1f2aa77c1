// The programs in the documents, as they stand there: type-checked as a user's project would check them, and run in the
// runtime that each is for, against the local backend. What a document says that comes of one has to come of it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { DENO_RUN, bun, deno, node } from "../support/binaries.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { runToEnd, start, until } from "../support/child.mjs";
import { bundleEdge, runEdge } from "../support/edge.mjs";
import { consumer, testsDir } from "../support/package.mjs";
import { assertQuiet, bundleWorker, startWorker } from "../support/workerd.mjs";
import { assertAnswered, request } from "./asking.mjs";
import { documents, rootDir } from "./documents.mjs";
import { assertPrinted, assertStored, storedIds } from "./expected.mjs";
import { openPages } from "./pages.mjs";

/** @import { Block } from "./documents.mjs" */

const RELAY_SECRET = "a secret that is long enough for tests of documents";

const blocks = (await documents()).flatMap((document) => document.blocks);
const programs = blocks.filter(({ language }) => language === "ts");
const of = (/** @type {string} */ kind) => programs.filter((block) => block.kind === kind);
/** Those that are run here. */
const ours = (/** @type {string} */ kind) => of(kind).filter(({ comment }) => !comment["run"]);

/** How the programs of each kind are checked: what a project for that runtime has in its tsconfig.json. */
const CHECKS = /** @type {Record<string, object>} */ ({
  node: { module: "nodenext", lib: ["es2024"], types: ["node"] },
  lambda: { module: "nodenext", lib: ["es2024"], types: ["node"] },
  next: { module: "preserve", lib: ["es2024", "dom", "dom.iterable"], types: ["node"] },
  edge: { module: "preserve", lib: ["es2024", "dom", "dom.iterable"], types: ["node"] },
  deno: { module: "preserve", lib: ["es2024", "dom", "dom.iterable"], types: ["./deno.d.ts"] },
  bun: { module: "preserve", lib: ["es2024"], types: ["node", "./bun.d.ts"] },
  worker: { module: "preserve", lib: ["es2024"], types: ["@cloudflare/workers-types/2023-07-01"] },
  // As `npm create vite` has it.
  page: {
    module: "preserve",
    moduleDetection: "force",
    lib: ["es2024", "dom", "dom.iterable"],
    types: [],
  },
  vite: { module: "preserve", lib: ["es2024"], types: ["node"] },
  nitro: { module: "preserve", lib: ["es2024"], types: ["node"] },
  vitest: {
    module: "preserve",
    lib: ["es2024", "dom"],
    types: ["node"],
    paths: {
      vitest: [join(testsDir, "frameworks/runners/node_modules/vitest")],
      "vitest/config": [join(testsDir, "frameworks/runners/node_modules/vitest/dist/config")],
    },
  },
});

/** Kinds that other tests run: each such block names its test. */
const ELSEWHERE = ["next", "vite", "nitro", "vitest"];

const COMMON = { target: "es2024", strict: true, noEmit: true, skipLibCheck: true };

/** The little of these runtimes' own that the documents use. */
const TYPES = {
  "deno.d.ts":
    "declare const Deno: { env: { get(name: string): string | undefined }; serve(options: { port: number }, handler: (request: Request) => Response | Promise<Response>): unknown };",
  "bun.d.ts":
    "declare const Bun: { serve(options: { port: number; fetch: (request: Request) => Response | Promise<Response> }): unknown };",
};

/** @type {Awaited<ReturnType<typeof startBackends>>} */
let backends;
/** @type {string} the programs, each in a file of its own */
let project;
/** @type {Record<string, string>} */
let env;
before(async () => {
  backends = await startBackends();
  env = { HH_API_KEY: KEYS.main, HH_API_URL: backends.v1.url, HH_RELAY_SECRET: RELAY_SECRET };
  project = await consumer("docs", {
    "package.json": JSON.stringify({ name: "docs", private: true, type: "module" }),
    ...Object.fromEntries(programs.map((block) => [`${block.kind}/${block.name}.ts`, block.text])),
    ...TYPES,
  });
});
after(() => backends.close());

/**
 * What comes of it is looked for among the sessions that are new: an earlier program may still be sending.
 * @param {Block} block
 * @param {() => Promise<() => string>} run returns what was said, for people
 */
async function leaves(block, run) {
  const known = await storedIds(backends.v1);
  const said = await run();
  await assertStored(block, backends.v1, known, said);
}

it("each block says what it is", () => {
  const odd = blocks.filter(({ document, language, kind, text, comment }) => {
    if (language === "ts") return !CHECKS[kind] || (ELSEWHERE.includes(kind) && !comment["run"]);
    if (language === "json") return !isJson(text);
    if (language === "js")
      return (
        !comment["run"] &&
        !/^(tests|benches|www-demo|docs.(architecture|decisions|building))/.test(document)
      );
    return !["sh", "text", "html", "jsonc", "yaml", "css", "rust", "python", "toml"].includes(
      language,
    );
  });
  assert.deepEqual(
    odd.map(({ name, language, kind }) => `${name}: ${language} ${kind}`),
    [],
  );
});

it("what is run elsewhere is run there", async () => {
  for (const { name, document, comment } of blocks) {
    const [, test] = /^by (.+)$/.exec(comment["run"] ?? "") ?? [];
    if (!test) continue;
    const source = await readFile(join(rootDir, test), "utf8");
    assert.ok(source.includes(`"${test}"`) || source.includes(document), name);
  }
});

it("the commands of make are there", async () => {
  const makefile = await readFile(join(rootDir, "Makefile"), "utf8");
  for (const { name, text } of blocks.filter(({ language }) => language === "sh")) {
    for (const [, target] of text.matchAll(/\bmake ([a-z-]+)/g)) {
      assert.match(makefile, new RegExp(`^${target}:`, "m"), `${name}: make ${target}`);
    }
  }
});

describe("types", { concurrency: 2 }, () => {
  for (const kind of Object.keys(CHECKS)) {
    if (of(kind).length === 0) continue;
    it(kind, async () => {
      const cwd = await consumer(`docs-types-${kind}`, {
        ...TYPES,
        ...Object.fromEntries(of(kind).map((block) => [`${block.name}.ts`, block.text])),
        "package.json": JSON.stringify({ name: "docs", private: true, type: "module" }),
        "tsconfig.json": JSON.stringify({
          compilerOptions: { ...COMMON, ...CHECKS[kind] },
          include: ["*.ts"],
        }),
      });
      const tsc = join(testsDir, "node_modules", "typescript", "bin", "tsc");
      const { code, stdout, stderr } = await runToEnd(process.execPath, [tsc, "-p", "."], { cwd });
      assert.equal(code, 0, stdout + stderr);
    });
  }
});

/** What runs a file, in front of its name. */
const COMMANDS = /** @type {Record<string, () => string[]>} */ ({
  node: () => [node("26")],
  deno: () => [deno(), ...DENO_RUN, "--allow-net", "--allow-env", "--allow-read"],
  bun: () => [bun(), "run", "--no-install"],
});

for (const [kind, line] of Object.entries(COMMANDS)) {
  describe(kind, () => {
    for (const block of ours(kind)) {
      const run = block.comment["ask"] ? serves : ends;
      it(block.name, () => leaves(block, () => run(block, line())));
    }
  });
}

/**
 * @param {Block} block
 * @param {string[]} line
 */
async function ends(block, [command = "", ...args]) {
  const given = [...args, `${block.kind}/${block.name}.ts`];
  const { code, stdout, stderr } = await runToEnd(command, given, { cwd: project, env });
  assert.equal(code, 0, stdout + stderr);
  assertPrinted(block, stdout + stderr);
  return () => stdout + stderr;
}

/**
 * @param {Block} block
 * @param {string[]} line
 */
async function serves(block, [command = "", ...args]) {
  const port = await freePort();
  const given = [...args, `${block.kind}/${block.name}.ts`];
  const known = await storedIds(backends.v1);
  const server = start(command, given, { cwd: project, env: { ...env, PORT: `${port}` } });
  const said = () => server.output.stdout + server.output.stderr;
  try {
    const origin = `http://127.0.0.1:${port}`;
    const response = await until(() => fetch(request(block, origin)).catch(() => undefined), {
      what: `${block.name} to answer\n${said()}`,
    });
    await assertAnswered(block, response, said);
    // The answer does not wait for the delivery: a server that is stopped now would take it along.
    await assertStored(block, backends.v1, known, said);
    assert.equal(server.output.stderr, "");
    return said;
  } finally {
    await server.stop();
  }
}

describe("worker", () => {
  const workers = ours("worker");
  /** @type {Awaited<ReturnType<typeof startWorker>>} */
  let workerd;
  before(async () => {
    // All in one bundle: wrangler takes a while for each.
    const imports = workers.map(({ name }, n) => `import worker${n} from "./worker/${name}.ts";`);
    const names = workers.map(({ name }, n) => `${JSON.stringify(name)}: worker${n}`);
    const cwd = await consumer("docs-worker", {
      ...Object.fromEntries(workers.map((block) => [`worker/${block.name}.ts`, block.text])),
      "worker.mjs": `${imports.join("\n")}
        const workers = { ${names.join(", ")} };
        export default {
          fetch: (request, env, ctx) => workers[request.headers.get("x-document")].fetch(request, env, ctx),
        };`,
    });
    workerd = await startWorker(await bundleWorker(cwd), {
      compatibilityDate: "2026-10-01",
      bindings: env,
    });
  });
  after(() => workerd.stop());

  for (const block of workers) {
    it(block.name, () =>
      leaves(block, async () => {
        const asked = request(block, workerd.url);
        asked.headers.set("x-document", block.name);
        const said = () => workerd.output.stderr.slice(-2000);
        await assertAnswered(block, await fetch(asked), said);
        assertQuiet(workerd.output);
        assert.doesNotMatch(workerd.output.stdout + workerd.output.stderr, /\[honeyhive-edge\]/);
        return said;
      }),
    );
  }
});

describe("page", () => {
  const pages = ours("page");
  /** @type {Awaited<ReturnType<typeof openPages>>} */
  let site;
  before(async () => {
    site = await openPages(project, pages, env);
  });
  after(() => site.close());

  for (const block of pages) {
    it(block.name, () =>
      leaves(block, async () => {
        assert.deepEqual(await site.visit(block), []);
        return site.said;
      }),
    );
  }
});

describe("edge", () => {
  for (const block of ours("edge")) {
    it(block.name, (t) =>
      leaves(block, async () => {
        const edge = `
          import "./environment.mjs";
          import { POST } from "./route.ts";
          addEventListener("fetch", (event) => event.respondWith(POST(event.request)));
        `;
        // Where Vercel puts the environment.
        const environment = `globalThis.process = { env: ${JSON.stringify(env)} };`;
        const files = { "route.ts": block.text, "edge.mjs": edge, "environment.mjs": environment };
        const { folder } = await bundleEdge(await consumer(block.name, files));
        const body = JSON.parse(await request(block, "http://edge.local").text());
        const { answer, uncaught } = await runEdge(t, folder, body);
        assert.deepEqual(uncaught, []);
        assert.equal(answer.status, 200, answer.text);
        return () => "";
      }),
    );
  }
});

describe("lambda", () => {
  for (const block of ours("lambda")) {
    it(block.name, () =>
      leaves(block, async () => {
        const event = await request(block, "http://lambda").text();
        const call = `
          import { handler } from "./lambda/${block.name}.ts";
          const { statusCode } = await handler({ body: ${JSON.stringify(event)} });
          if (statusCode !== 200) throw new Error(String(statusCode));
        `;
        const args = ["--input-type=module", "--eval", call];
        const { code, stderr } = await runToEnd(node("26"), args, { cwd: project, env });
        assert.equal(code, 0, stderr);
        assert.equal(stderr, "");
        return () => "";
      }),
    );
  }
});

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
