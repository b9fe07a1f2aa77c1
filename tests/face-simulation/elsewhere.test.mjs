// The programs in real browsers, which have no AsyncLocalStorage, and in workerd: each runs the entry that is made
// for it. `FACE_SEEDS=3000` runs more of them, `FACE_SEED=17` one.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import * as browsers from "../support/driven.mjs";
import { consumer, packageDir, testsDir } from "../support/package.mjs";
import { serveSite } from "../support/site.mjs";
import { assertQuiet, bundleWorker, startWorker } from "../support/workerd.mjs";
import { MISTAKES, planting } from "./mistakes.mjs";
import { NAMES } from "./realm.mjs";

const SEEDS = Number(process.env["FACE_SEEDS"] ?? 1_000);
const ONE = process.env["FACE_SEED"];

/** Of the programs that Node runs, so many run here: one in so many. */
const SHARE = 10;

/** Programs after which a runtime is asked for the next. */
const BATCH = 50;

/** It is planted in each entry, to see that its programs find something. */
const MISTAKE = "a redact that throws lets the field through";

const seeds = ONE
  ? [Number(ONE)]
  : Array.from({ length: Math.ceil(SEEDS / SHARE) }, (_, n) => n * SHARE);

/**
 * An entry of the package as a module that exports a function of the realm's globals.
 * @param {string} entry
 * @param {(code: string) => string} [change]
 */
async function asFunction(entry, change = (code) => code) {
  const { outputFiles } = await build({
    entryPoints: [join(packageDir, entry)],
    bundle: true,
    format: "cjs",
    platform: "neutral",
    external: ["*.wasm", "cloudflare:workers"],
    write: false,
  });
  const [file] = outputFiles;
  return `export default function (${NAMES}) {\n${change(file?.text ?? "")}\n}`;
}

/** @param {string} name */
const file = (name) => JSON.stringify(join(testsDir, "face-simulation", name));

const IN_PAGE = `
  import { liveAll } from ${file("programs.mjs")};
  import { facesOf } from ${file("realm.mjs")};
  import create from "./face.mjs";
  import wrong from "./wrong.mjs";

  const runtime = () => ({
    globals: {
      document: Object.assign(new EventTarget(), { hidden: false }),
      // To another origin no request of a page has a time stamp, as a browser would ask before each.
      location: { origin: "https://hive.example", href: "https://hive.example/page" },
      origin: "https://hive.example",
      // What is kept would be of the next program as well, and takes real time.
      indexedDB: undefined,
    },
  });
  globalThis.liveAll = (which) => liveAll(which, facesOf(which.isWrong ? wrong : create, runtime()));
`;

const IN_WORKER = `
  import * as workers from "cloudflare:workers";
  import wasm from "./core.wasm";
  import { liveAll } from ${file("programs.mjs")};
  import { facesOf } from ${file("realm.mjs")};
  import create from "./face.mjs";
  import wrong from "./wrong.mjs";

  const modules = { "./core.wasm": wasm, "cloudflare:workers": workers };
  const require = (name) => modules[name];
  const contexts = () => ({ globals: {}, end() {} });

  export default {
    async fetch(request) {
      const which = await request.json();
      return Response.json(await liveAll(which, facesOf(which.isWrong ? wrong : create, { require, contexts })));
    },
  };
`;

/** @param {string} entry */
async function faceFiles(entry) {
  const mistake = MISTAKES.find(({ name }) => name === MISTAKE);
  assert.ok(mistake);
  return {
    "face.mjs": await asFunction(entry),
    "wrong.mjs": await asFunction(entry, planting(mistake)),
  };
}

/**
 * @param {(which: object) => Promise<{ lived: number, failure?: string }>} ask
 * @param {boolean} hasContexts
 */
async function assertAllLive(ask, hasContexts) {
  for (let at = 0; at < seeds.length; at += BATCH) {
    const batch = seeds.slice(at, at + BATCH);
    const { lived, failure } = await ask({ seeds: batch, hasContexts });
    assert.equal(failure, undefined, failure);
    assert.equal(lived, batch.length);
  }
}

/** @param {(which: object) => Promise<{ lived: number, failure?: string }>} ask */
async function assertFound(ask) {
  const all = Array.from({ length: 150 }, (_, seed) => seed);
  const { failure } = await ask({ seeds: all, hasContexts: false, isWrong: true });
  assert.match(failure ?? "", /FACE_SEED/, MISTAKE);
}

describe("in a page without async contexts", () => {
  /** @type {Awaited<ReturnType<typeof serveSite>>} */
  let site;
  before(async () => {
    const project = await consumer("face-in-page", {
      ...(await faceFiles("browser.js")),
      "page.mjs": IN_PAGE,
      "index.html": `<!doctype html><title>page</title><script type="module" src="./built.js"></script>`,
    });
    const outfile = join(project, "built.js");
    await build({ entryPoints: [join(project, "page.mjs")], outfile, bundle: true, format: "esm" });
    site = await serveSite(project);
  });
  after(() => site?.close());

  for (const [name, start] of Object.entries(browsers)) {
    it(`${name}: ${seeds.length} programs, and a planted mistake`, async (t) => {
      const browser = await start();
      t.after(() => browser.quit());
      const tab = await browser.open(site.url);
      const ask = (/** @type {object} */ which) => tab.run(`liveAll(${JSON.stringify(which)})`);
      await assertAllLive(ask, false);
      if (!ONE) await assertFound(ask);
    });
  }
});

it(`in workerd: ${seeds.length} programs, and a planted mistake`, async (t) => {
  const project = await consumer("face-in-workerd", {
    ...(await faceFiles("workerd.js")),
    "worker.mjs": IN_WORKER,
    "core.wasm": /** @type {any} */ (await readFile(join(packageDir, "core.wasm"))),
  });
  const worker = await startWorker(await bundleWorker(project), {
    compatibilityDate: "2026-10-01",
  });
  t.after(() => worker.stop());
  const ask = async (/** @type {object} */ which) => {
    const body = JSON.stringify(which);
    const response = await fetch(worker.url, { method: "POST", body });
    const text = await response.text();
    assert.equal(response.status, 200, `${text}\n${worker.output.stderr}`);
    return JSON.parse(text);
  };
  await assertAllLive(ask, true);
  // A program that is broken off leaves promises that never settle, which workerd says.
  assertQuiet(worker.output);
  if (!ONE) await assertFound(ask);
});
