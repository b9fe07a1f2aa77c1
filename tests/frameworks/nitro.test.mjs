// Nitro, whose build names all edge runtimes at once: an application for each of its presets, built for production and
// asked for stored sessions. Nuxt's server is Nitro.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { build } from "esbuild";
import { blocksRunBy } from "../docs/documents.mjs";
import { startBackends } from "../support/backends.mjs";
import { DENO_RUN, deno } from "../support/binaries.mjs";
import { runToEnd, start, until } from "../support/child.mjs";
import { NODE_MODULES } from "../support/edge-runtime.mjs";
import { testsDir } from "../support/package.mjs";
import { assertQuiet, startWorker } from "../support/workerd.mjs";
import {
  application,
  askAt,
  assertDisabled,
  assertStores,
  command,
  freePort,
} from "./framework.mjs";

const TEST = "tests/frameworks/nitro.test.mjs";
const [documented] = await blocksRunBy(TEST);

/** What docs/deployment.md has, and the same without what lets WebAssembly in. */
const CONFIGURATIONS = {
  "experimental.wasm": documented.text,
  "no experimental.wasm": documented.text.replace("wasm: true", "wasm: false"),
};

const ROUTE = `
  import { defineEventHandler, readBody } from "h3";
  import { answer } from "../answer.mjs";
  export default defineEventHandler(async (event) => answer(await readBody(event)));
`;

/** The package's other entries, each with a module of WebAssembly of its own. */
const OTHERS = `
  import { defineEventHandler, readBody } from "h3";
  import { enrichSpan } from "honeyhive-edge/otel";
  import { issueTicket } from "honeyhive-edge/relay";

  export default defineEventHandler(async (event) => {
    const attributes = {};
    const span = {
      attributes,
      isRecording: () => true,
      spanContext: () => ({ traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 }),
      setAttribute: (name, value) => Object.assign(attributes, { [name]: value }),
      setAttributes: (more) => Object.assign(attributes, more),
    };
    enrichSpan(span, { metadata: { plan: "pro" } });
    const ticket = await issueTicket(await readBody(event));
    return { attributes: JSON.stringify(attributes), ticket };
  });
`;

/** @param {string} url */
async function assertOthersWork(url) {
  const sessionId = crypto.randomUUID();
  const secret = "a secret that is long enough for tests of frameworks";
  const ask = askAt(`${url}/others`);
  const { attributes, ticket } = await ask({ sessionId, secret, fields: ["feedback"] });
  assert.match(attributes, /plan.*pro/);
  assert.ok(ticket.startsWith(`hht1.${sessionId}.feedback.`), ticket);
}

/**
 * @param {string} preset
 * @param {keyof typeof CONFIGURATIONS} configuration
 */
async function built(preset, configuration) {
  const cwd = await application("nitro", `${preset}-${configuration.replace(/\W/g, "-")}`, {
    "nitro.config.ts": CONFIGURATIONS[configuration],
    "routes/index.mjs": ROUTE,
    "routes/others.mjs": OTHERS,
  });
  const nitro = command("nitro", "nitropack/dist/cli/index.mjs");
  const { code, stdout, stderr } = await runToEnd(
    process.execPath,
    [nitro, "build", "--preset", preset],
    { cwd, env: { NO_COLOR: "1", CI: "1" }, timeoutMs: 180_000 },
  );
  assert.equal(code, 0, stdout + stderr);
  assert.doesNotMatch(stdout + stderr, /\[plugin|honeyhive-edge/, "the build is quiet about it");
  return cwd;
}

/** @typedef {(t: import("node:test").TestContext, folder: string) => Promise<string>} Serve returns the address */

/** @type {Serve} */
async function workerd(t, folder) {
  const worker = await startWorker(join(folder, ".output/server"), {
    main: "index.mjs",
    compatibilityDate: "2025-07-15",
  });
  t.after(async () => {
    await worker.stop();
    assertQuiet(worker.output);
  });
  return worker.url;
}

/** @type {Serve} */
async function node(t, folder) {
  const port = await freePort();
  const env = { NITRO_PORT: String(port), NITRO_HOST: "127.0.0.1" };
  return listening(t, start(process.execPath, [".output/server/index.mjs"], { cwd: folder, env }));
}

/** Netlify's edge runs Deno. @type {Serve} */
async function netlify(t, folder) {
  const server = `
    import handler from "./server.js";
    Deno.serve({ port: 0, hostname: "127.0.0.1" }, (request) => handler(request, {}));
  `;
  const cwd = join(folder, ".netlify/edge-functions/server");
  await writeFile(join(cwd, "serve.mjs"), server);
  const args = [...DENO_RUN.filter((flag) => flag !== "--quiet"), "--allow-net", "--allow-env"];
  return listening(t, start(deno(), [...args, "serve.mjs"], { cwd }));
}

/** Vercel's edge lets an application have no module of WebAssembly of Nitro's. @type {Serve} */
async function vercel(t, folder) {
  await build({
    stdin: {
      contents: `
        import handle from "./.vercel/output/functions/__fallback.func/index.mjs";
        addEventListener("fetch", (event) => event.respondWith(handle(event.request, event)));
      `,
      resolveDir: folder,
    },
    bundle: true,
    format: "iife",
    outfile: join(folder, "out/edge.js"),
    logLevel: "error",
    plugins: [
      {
        name: "modules of Vercel's edge",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "node" }));
          onLoad({ filter: /.*/, namespace: "node" }, ({ path }) => ({
            contents: `module.exports = globalThis[Symbol.for(${JSON.stringify(NODE_MODULES)})][${JSON.stringify(path)}];`,
          }));
        },
      },
    ],
  });
  const host = join(testsDir, "support", "edge-server.mjs");
  const running = start(process.execPath, [host, join(folder, "out")], { cwd: testsDir });
  t.after(() => running.stop());
  const port = await until(() => /port (\d+)/.exec(running.output.stdout)?.[1], {
    what: `Vercel's edge\n${running.output.stderr}`,
  });
  return `http://127.0.0.1:${port}`;
}

/**
 * @param {import("node:test").TestContext} t
 * @param {ReturnType<typeof start>} running
 */
async function listening(t, running) {
  t.after(() => running.stop());
  return until(
    () => /http:\/\/[\d.]+:\d+/.exec(running.output.stdout + running.output.stderr)?.[0],
    {
      what: "the server to listen",
    },
  );
}

/** @type {Record<string, [serve: Serve, without: "stores" | RegExp, withWasm: "stores" | RegExp]>} */
const PRESETS = {
  cloudflare_module: [workerd, /set experimental\.wasm to true in Nitro's configuration/, "stores"],
  vercel_edge: [vercel, /use the preset vercel/, /use the preset vercel/],
  netlify_edge: [netlify, "stores", "stores"],
  node_server: [node, "stores", "stores"],
};

describe("Nitro", { concurrency: 2 }, () => {
  for (const [preset, [serve, without, withWasm]] of Object.entries(PRESETS)) {
    for (const configuration of /** @type {(keyof typeof CONFIGURATIONS)[]} */ (
      Object.keys(CONFIGURATIONS)
    )) {
      it(`${preset}, ${configuration}`, async (t) => {
        const folder = await built(preset, configuration);
        const backends = await startBackends();
        t.after(() => backends.close());
        const url = await serve(t, folder);
        const ask = askAt(url);
        const expected = configuration === "experimental.wasm" ? withWasm : without;
        if (expected !== "stores") return assertDisabled(ask, backends, expected);
        await assertStores(ask, backends);
        await assertOthersWork(url);
      });
    }
  }
});
