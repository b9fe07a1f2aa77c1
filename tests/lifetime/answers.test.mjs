// Servers whose backend is down, or does not answer: their answers do not wait for it. Whether an answer came
// before its enrichment was given up is asked of the server itself, so no clock judges.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { node } from "../support/binaries.mjs";
import { runToEnd, start, until } from "../support/child.mjs";
import { consumer, testsDir } from "../support/package.mjs";

const next = join(testsDir, "node_modules", "next", "dist", "bin", "next");

/** What all servers do: `chat` is one request's work, and `told` what was given up meanwhile. */
const chat = `
  import { enrichSession, withSession } from "honeyhive-edge";

  const told = (globalThis.toldOfDrops ??= []);
  const onDrop = ({ enrichment }) => told.push(enrichment.metadata.question);
  const options = { sessionName: "chat", deadlineMs: 3000, timeoutMs: 1000, logLevel: "silent", onDrop };

  export const dropped = () => told;
  /** The application's own work, which takes its time as a model call does. */
  const work = () => new Promise((resolve) => setTimeout(resolve, 50));
  export const worked = async () => (await work(), "Hello!");
  export const enriched = (question) =>
    withSession(options, async (tracer) => {
      enrichSession({ metadata: { question } });
      tracer.addMetrics({ tokens: 5 });
      await work();
      enrichSession({ outputs: { reply: "Hello!" } });
      return "Hello!";
    });
  export const chat = (question) =>
    withSession(options, async () => {
      enrichSession({ metadata: { question } });
      return "Hello!";
    });
`;

const SERVERS = {
  Express: `
    import express from "express";
    import { chat, dropped, enriched, worked } from "./chat.mjs";
    const app = express();
    app.get("/with", async (request, response) => response.send(await enriched(request.query.q)));
    app.get("/without", async (request, response) => response.send(await worked()));
    app.get("/dropped", (request, response) => response.json(dropped()));
    app.get("/chat", async (request, response) => response.send(await chat(request.query.q)));
    const server = app.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
  `,
  Hono: `
    import { serve } from "@hono/node-server";
    import { Hono } from "hono";
    import { chat, dropped, enriched, worked } from "./chat.mjs";
    const app = new Hono();
    app.get("/with", async (context) => context.text(await enriched(context.req.query("q"))));
    app.get("/without", async (context) => context.text(await worked()));
    app.get("/dropped", (context) => context.json(dropped()));
    app.get("/chat", async (context) => context.text(await chat(context.req.query("q"))));
    serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => console.log("port " + port));
  `,
};

const nextApp = {
  "next.config.mjs": `
    export default {
      turbopack: { root: ${JSON.stringify(testsDir)} },
      outputFileTracingRoot: ${JSON.stringify(testsDir)},
    };
  `,
  "app/layout.js": `
    export default function Layout({ children }) {
      return <html lang="en"><body>{children}</body></html>;
    }
  `,
  "app/page.js": "export default function Page() { return null; }",
  "app/chat/route.js": `
    import { chat } from "../../chat.mjs";
    export const dynamic = "force-dynamic";
    export const GET = async (request) => new Response(await chat(request.nextUrl.searchParams.get("q")));
  `,
  "app/with/route.js": `
    import { enriched } from "../../chat.mjs";
    export const dynamic = "force-dynamic";
    export const GET = async (request) => new Response(await enriched(request.nextUrl.searchParams.get("q")));
  `,
  "app/without/route.js": `
    import { worked } from "../../chat.mjs";
    export const dynamic = "force-dynamic";
    export const GET = async () => new Response(await worked());
  `,
  "app/dropped/route.js": `
    import { dropped } from "../../chat.mjs";
    export const dynamic = "force-dynamic";
    export const GET = () => Response.json(dropped());
  `,
};

for (const [name, program] of Object.entries(SERVERS)) {
  describe(`${name} answers before its backend does`, () => {
    for (const backend of ["is down", "never answers"]) {
      it(`where that ${backend}`, async (t) => {
        const cwd = await consumer(`answers-${name}-${backend}`.replaceAll(" ", "-"), {
          "chat.mjs": chat,
          "server.mjs": program,
        });
        const server = start(node("22"), ["server.mjs"], { cwd, env: await without(t, backend) });
        t.after(() => server.stop());
        const [, port] = await until(() => /port (\d+)/.exec(server.output.stdout), {
          what: `${name} to listen\n${server.output.stderr}`,
        });
        await answersFirst(`http://127.0.0.1:${port}`);
        await answersAsFast(`http://127.0.0.1:${port}`);
        assert.equal(server.output.stderr, "");
      });
    }
  });
}

it("Next.js answers before its backend does", async (t) => {
  const cwd = await consumer("answers-next", { ...nextApp, "chat.mjs": chat });
  const env = { NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production", NO_COLOR: "1" };
  const built = await runToEnd(process.execPath, [next, "build"], { cwd, env, timeoutMs: 180_000 });
  assert.equal(built.code, 0, `${built.stdout}\n${built.stderr}`);
  for (const backend of ["is down", "never answers"]) {
    const server = start(
      process.execPath,
      [next, "start", "--hostname", "127.0.0.1", "--port", "0"],
      { cwd, env: { ...env, ...(await without(t, backend)) } },
    );
    t.after(() => server.stop());
    const url = await until(
      () => /http:\/\/127\.0\.0\.1:(?!0\b)\d+/.exec(server.output.stdout)?.[0],
      { what: `next start\n${server.output.stderr}` },
    );
    await answersFirst(url);
    await answersAsFast(url);
  }
});

/** @param {string} url of a server */
async function answersFirst(url) {
  const text = async (/** @type {string} */ path) => (await fetch(url + path)).text();
  const dropped = async () => JSON.parse(await text("/dropped"));
  for (const question of ["one", "two"]) {
    assert.equal(await text(`/chat?q=${question}`), "Hello!");
    assert.equal((await dropped()).includes(question), false, "it has waited for the backend");
  }
  await until(async () => (await dropped()).length === 2, { what: "both to be given up" });
}

/** Requests of each kind in a round, at once, and rounds. */
const AT_ONCE = 4;
const ROUNDS = 12;

/** How much longer the package may make an answer: what a machine that is busy with other tests varies by. */
const MOST = 2;

/**
 * In one run and in turns, the same work is answered with the package and without it: what one kind of answer takes is
 * compared with the other kind, whatever the machine.
 * @param {string} url of a server
 */
async function answersAsFast(url) {
  const took = async (/** @type {string} */ path) => {
    const began = performance.now();
    assert.equal(await (await fetch(url + path)).text(), "Hello!");
    return performance.now() - began;
  };
  const round = (/** @type {string} */ path) =>
    Promise.all(Array.from({ length: AT_ONCE }, (_, n) => took(`${path}?q=${n}`)));
  /** @type {Record<string, number[]>} */
  const times = { "/with": [], "/without": [] };
  for (let n = 0; n < ROUNDS; n++) {
    const order = n % 2 ? ["/with", "/without"] : ["/without", "/with"];
    for (const path of order) {
      const all = await round(path);
      // The first round of each compiles.
      if (n > 0) times[path]?.push(...all);
    }
  }
  const median = (/** @type {string} */ path) => {
    const sorted = (times[path] ?? []).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? NaN;
  };
  const ratio = median("/with") / median("/without");
  assert.ok(ratio < MOST, `an answer with the package takes ${ratio.toFixed(2)} times as long`);
}

/**
 * The environment of a server whose backend is of no use.
 * @param {import("node:test").TestContext} t
 * @param {string} backend "is down", or it takes connections and says nothing
 */
async function without(t, backend) {
  const silent = createServer(() => {});
  await new Promise((resolve) => silent.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (silent.address());
  const close = () => new Promise((resolve) => silent.close(resolve));
  if (backend === "is down") await close();
  else t.after(() => (silent.unref(), void close()));
  return { HH_API_KEY: "hh_key", HH_API_URL: `http://127.0.0.1:${port}` };
}
