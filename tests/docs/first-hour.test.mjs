// Five programs as somebody writes them in the first hour, from the documents alone: an Express chat, a Worker with a
// React page, a Next.js app, a job over 5,000 ratings and a Vitest test. Each stands in a bare folder outside of the
// repository, with the package from its tarball; what such a person installs beside it is that of the tests. Each works
// at the first attempt, prints nothing of its own accord, and leaves the sessions that its author expects.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, it } from "node:test";
import { build } from "esbuild";
import { KEYS, startBackends } from "../support/backends.mjs";
import { node } from "../support/binaries.mjs";
import { chromium } from "../support/browsers.mjs";
import { runToEnd, start, until } from "../support/child.mjs";
import { packedPackage, testsDir } from "../support/package.mjs";
import { assertQuiet, bundleWorker, startWorker } from "../support/workerd.mjs";
import { uuidOfUrlName } from "../guide/check.mjs";

const COMPATIBILITY_DATE = "2026-10-01";

/** The model of every program here. */
const MODEL = `
  export async function ask(question) {
    return { text: "You said: " + question, tokens: question.length, cost: 0.25 };
  }
`;

/** @type {string} */
let home;
/** @type {Awaited<ReturnType<typeof startBackends>>} */
let backends;
/** @type {Record<string, string>} */
let env;
before(async () => {
  home = await mkdtemp(join(tmpdir(), "first-hour-"));
  backends = await startBackends();
  env = {
    HH_API_KEY: KEYS.main,
    HH_API_URL: backends.v1.url,
    HH_RELAY_SECRET: "thirty-two characters, or rather more",
  };
});
after(async () => {
  await backends.close();
  await rm(home, { recursive: true, force: true });
});

/**
 * A folder with these files and the package, beside which others are installed.
 * @param {string} name
 * @param {Record<string, string>} files
 * @param {string[]} modules of the tests' own
 */
async function project(name, files, modules = []) {
  const cwd = join(home, name);
  const all = {
    "package.json": '{ "private": true, "type": "module" }',
    "model.js": MODEL,
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    await mkdir(dirname(join(cwd, path)), { recursive: true });
    await writeFile(join(cwd, path), text);
  }
  const { tarball } = await packedPackage();
  const args = ["install", tarball, "--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
  const { code, stderr } = await runToEnd("npm", args, { cwd });
  assert.equal(code, 0, stderr);
  for (const module of modules) {
    const link = join(cwd, "node_modules", module);
    await symlink(join(testsDir, "node_modules", module), link);
  }
  return cwd;
}

/**
 * The session of this name, once it is whole.
 * @param {string} id or a name for it
 * @param {(event: any) => boolean} isWhole
 */
async function session(id, isWhole) {
  /** @type {any} */
  let event;
  const look = async () => {
    event = await backends.v1.session(uuidOfUrlName(id), KEYS.main).catch(() => undefined);
    return event && isWhole(event) ? event : undefined;
  };
  return until(look, { what: `the session "${id}"`, timeoutMs: 20_000 }).catch((error) =>
    assert.fail(`${error.message}: ${JSON.stringify(event)}`),
  );
}

/** @param {string} url @param {object} body */
async function post(url, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${url}: ${answer.status} ${await answer.clone().text()}`);
  return answer.text();
}

it("an Express chat: three turns, their tokens and cost, and a rating", async (t) => {
  const server = `
    import express from "express";
    import { enrichSession, flush, initTracer, withSession } from "honeyhive-edge";
    import { ask } from "./model.js";

    const app = express();
    app.use(express.json());
    // Ratings come at any time, and name their conversation.
    const ratings = await initTracer({ sessionName: "chat" });

    app.post("/chat/:conversation", async (request, response) => {
      const options = { sessionId: request.params.conversation, sessionName: "chat" };
      const reply = await withSession(options, async (tracer) => {
        const { question, user } = request.body;
        enrichSession({ userProperties: { user_id: user } });
        const { text, tokens, cost } = await ask(question);
        tracer.addMetrics({ turns: 1, tokens, cost });
        enrichSession({ outputs: { reply: text } });
        return text;
      });
      response.send(reply);
    });
    app.post("/rate/:conversation", async (request, response) => {
      const { status } = await ratings.enrichSession({
        sessionId: request.params.conversation,
        feedback: request.body,
      });
      response.send(status);
    });
    const listening = app.listen(0, "127.0.0.1", () => console.log("port " + listening.address().port));
    process.on("SIGTERM", () => listening.close(async () => console.log(await flush())));
  `;
  const cwd = await project("express", { "server.js": server }, ["express"]);
  const running = start(node("22"), ["server.js"], { cwd, env });
  t.after(() => running.stop());
  const [, port] = await until(() => /port (\d+)/.exec(running.output.stdout), {
    what: `Express\n${running.output.stderr}`,
  });
  const url = `http://127.0.0.1:${port}`;
  for (const question of ["Hello!", "Tell me more", "Thanks"]) {
    const reply = await post(`${url}/chat/conversation 7`, { question, user: "ann" });
    assert.equal(reply, `You said: ${question}`);
  }
  assert.equal(await post(`${url}/rate/conversation 7`, { rating: 5 }), "delivered");
  const event = await session("conversation 7", ({ metrics }) => metrics.turns === 3);
  assert.equal(event.session_name, "chat");
  assert.deepEqual(event.metrics, { turns: 3, tokens: 24, cost: 0.75 });
  assert.deepEqual(event.outputs, { reply: "You said: Thanks" });
  assert.deepEqual(event.feedback, { rating: 5 });
  assert.deepEqual(event.user_properties, { user_id: "ann" });
  assert.equal(running.output.stderr, "");
});

it("a Worker with a React page: the visitor's own conversation, rated", async (t) => {
  const worker = `
    import { enrichSession, withSession } from "honeyhive-edge";
    import { createRelay, issueTicket } from "honeyhive-edge/relay";
    import { ask } from "./model.js";

    const relay = createRelay();
    const PAGE = '<!doctype html><div id="root"></div><script type="module" src="/page.js"></script>';

    /** The conversations that the visitor's cookie allows. */
    const owns = (request, conversation) => conversation.startsWith("ann's ");

    export default {
      async fetch(request, env) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname.startsWith("/honeyhive/")) return relay(request);
        if (pathname === "/page.js") {
          return new Response(env.PAGE_JS, { headers: { "content-type": "text/javascript" } });
        }
        if (pathname === "/") return new Response(PAGE, { headers: { "content-type": "text/html" } });
        const conversation = searchParams.get("conversation") ?? "";
        if (!owns(request, conversation)) return new Response("not yours", { status: 403 });
        if (pathname === "/ticket") {
          return new Response(await issueTicket({ sessionId: conversation, fields: ["feedback"] }));
        }
        return withSession({ sessionId: conversation, sessionName: "chat" }, async (tracer) => {
          const question = await request.text();
          const { text, tokens } = await ask(question);
          tracer.addMetrics({ tokens });
          enrichSession({ outputs: { reply: text } });
          return new Response(text);
        });
      },
    };
  `;
  const page = `
    import { StrictMode, useEffect, useState } from "react";
    import { createRoot } from "react-dom/client";
    import { initTracer, type Tracer } from "honeyhive-edge";

    const conversation = "?conversation=" + encodeURIComponent("ann's chat");

    function useTracer(ticketUrl: string) {
      const [tracer, setTracer] = useState<Tracer>();
      useEffect(() => {
        const opening = fetch(ticketUrl)
          .then((response) => response.text())
          .then((ticket) => initTracer({ serverUrl: "/honeyhive", ticket }));
        opening.then(setTracer);
        return () => void opening.then((opened) => opened.close());
      }, [ticketUrl]);
      return tracer;
    }

    function Chat() {
      const tracer = useTracer("/ticket" + conversation);
      const [reply, setReply] = useState("");
      const [thanks, setThanks] = useState("");
      const ask = async () => {
        const answer = await fetch("/chat" + conversation, { method: "POST", body: "Hello!" });
        setReply(await answer.text());
      };
      const rate = async () => {
        const delivery = await tracer?.enrichSession({ feedback: { rating: 5 } });
        setThanks(delivery?.status ?? "not yet");
      };
      return (
        <>
          <button id="ask" onClick={ask}>Ask</button>
          <button id="rate" onClick={rate}>Good answer</button>
          <p>{reply}</p>
          <p>{thanks}</p>
        </>
      );
    }

    createRoot(document.getElementById("root")!).render(<StrictMode><Chat /></StrictMode>);
  `;
  const cwd = await project("worker", { "worker.mjs": worker, "page.tsx": page }, [
    "react",
    "react-dom",
  ]);
  const { outputFiles } = await build({
    entryPoints: [join(cwd, "page.tsx")],
    bundle: true,
    write: false,
    format: "esm",
    jsx: "automatic",
    // StrictMode runs effects twice in development alone.
    define: { "process.env.NODE_ENV": '"development"' },
  });
  const bundle = await bundleWorker(cwd);
  const running = await startWorker(bundle, {
    compatibilityDate: COMPATIBILITY_DATE,
    bindings: { ...env, PAGE_JS: outputFiles[0]?.text ?? "" },
  });
  t.after(running.stop);
  const browser = await chromium();
  t.after(() => browser.quit());
  await browser.visit(running.url);
  const pressed = async (
    /** @type {string} */ button,
    /** @type {(event: any) => boolean} */ is,
  ) => {
    const look = async () => {
      await browser.press(button);
      return session1(is);
    };
    return until(look, { what: `${button}\n${browser.console()}` });
  };
  const session1 = async (/** @type {(event: any) => boolean} */ is) => {
    const id = uuidOfUrlName("ann's chat");
    const event = await backends.v1.session(id, KEYS.main).catch(() => undefined);
    return event && is(event) ? event : undefined;
  };
  await pressed("#ask", ({ outputs }) => outputs.reply !== undefined);
  const { session_name, outputs, feedback } = await pressed(
    "#rate",
    (event) => event.feedback.rating !== undefined,
  );
  assert.deepEqual(
    { session_name, outputs, feedback },
    { session_name: "chat", outputs: { reply: "You said: Hello!" }, feedback: { rating: 5 } },
  );
  const refused = await fetch(`${running.url}/ticket?conversation=bob`);
  assert.equal(refused.status, 403);
  assertQuiet(running.output);
  assert.doesNotMatch(browser.console(), /error|honeyhive/i);
});

it("a Next.js app: a route that chats, and a page that rates through the relay", async (t) => {
  const cwd = await project(
    "next",
    {
      // Next.js is linked here, where npm would install it.
      "next.config.mjs": `export default { outputFileTracingRoot: "/" };`,
      "app/layout.js": `
        export default function Layout({ children }) {
          return <html lang="en"><body>{children}</body></html>;
        }
      `,
      "app/icon.svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>',
      "app/honeyhive/[...path]/route.js": `
        import { createRelay } from "honeyhive-edge/relay";

        const relay = createRelay();
        export { relay as POST, relay as PUT, relay as OPTIONS };
      `,
      "app/ticket/route.js": `
        import { issueTicket } from "honeyhive-edge/relay";

        export const dynamic = "force-dynamic";
        export async function GET(request) {
          const sessionId = request.nextUrl.searchParams.get("conversation");
          return new Response(await issueTicket({ sessionId, fields: ["feedback"] }));
        }
      `,
      "app/chat/route.js": `
        import { enrichSession, withSession } from "honeyhive-edge";
        import { ask } from "../../model.js";

        export async function POST(request) {
          const { conversation, question } = await request.json();
          return withSession({ sessionId: conversation, sessionName: "next chat" }, async (tracer) => {
            const { text, tokens } = await ask(question);
            tracer.addMetrics({ tokens });
            enrichSession({ outputs: { reply: text } });
            return new Response(text);
          });
        }
      `,
      "app/page.js": `
        "use client";
        import { useEffect, useState } from "react";
        import { initTracer } from "honeyhive-edge";

        export default function Page() {
          const [tracer, setTracer] = useState();
          useEffect(() => {
            const opening = fetch("/ticket?conversation=next+7")
              .then((response) => response.text())
              .then((ticket) => initTracer({ serverUrl: "/honeyhive", ticket }));
            opening.then(setTracer);
            return () => void opening.then((opened) => opened.close());
          }, []);
          const rate = () => tracer?.enrichSession({ feedback: { rating: 4 } });
          return <button id="rate" onClick={rate}>Good answer</button>;
        }
      `,
    },
    ["next", "react", "react-dom"],
  );
  const next = join(cwd, "node_modules", "next", "dist", "bin", "next");
  const quiet = { NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production", NO_COLOR: "1" };
  const built = await runToEnd(process.execPath, [next, "build", "--webpack"], {
    cwd,
    env: quiet,
    timeoutMs: 180_000,
  });
  assert.equal(built.code, 0, `${built.stdout}\n${built.stderr}`);
  const args = [next, "start", "--hostname", "127.0.0.1", "--port", "0"];
  const server = start(process.execPath, args, { cwd, env: { ...quiet, ...env } });
  t.after(() => server.stop());
  const url = await until(
    () => /http:\/\/127\.0\.0\.1:(?!0\b)\d+/.exec(server.output.stdout)?.[0],
    {
      what: `next start\n${server.output.stderr}`,
    },
  );
  for (const question of ["Hello!", "Thanks"]) {
    assert.equal(
      await post(`${url}/chat`, { conversation: "next 7", question }),
      `You said: ${question}`,
    );
  }
  const browser = await chromium();
  t.after(() => browser.quit());
  await browser.visit(url);
  const rated = async () => {
    await browser.press("#rate");
    const id = uuidOfUrlName("next 7");
    const event = await backends.v1.session(id, KEYS.main).catch(() => undefined);
    return event?.feedback.rating === undefined ? undefined : event;
  };
  await until(rated, { what: `a rating\n${browser.console()}\n${server.output.stderr}` });
  const event = await session("next 7", ({ metrics }) => metrics.tokens === 12);
  assert.deepEqual(event.outputs, { reply: "You said: Thanks" });
  assert.deepEqual(event.feedback, { rating: 4 });
  assert.equal(server.output.stderr, "");
});

it("a job over 5,000 ratings: each in its session, whether that is there or not", async () => {
  const job = `
    import { readFile } from "node:fs/promises";
    import { enrichSession, initTracer } from "honeyhive-edge";

    const rows = (await readFile("ratings.csv", "utf8")).trim().split("\\n").slice(1);
    const tracer = await initTracer({ sessionName: "imported chat" });
    let delivered = 0;
    for (let from = 0; from < rows.length; from += 500) {
      const part = rows.slice(from, from + 500).map((row) => {
        const [sessionId, rating, user] = row.split(",");
        return enrichSession({
          sessionId,
          feedback: { rating: Number(rating) },
          userProperties: { user_id: user },
        });
      });
      const deliveries = await Promise.all(part);
      for (const delivery of deliveries) {
        if (delivery.status === "delivered") delivered++;
        else console.error(delivery.reason, delivery.message);
      }
    }
    console.log(delivered);
    await tracer.close();
  `;
  const rows = Array.from({ length: 5_000 }, (_, n) => `chat ${n},${n % 5},user ${n % 100}`);
  const csv = ["session,rating,user", ...rows].join("\n");
  const cwd = await project("job", { "job.js": job, "ratings.csv": csv });
  // Of every tenth conversation HoneyHive has the session.
  const ids = rows.flatMap((_, n) => (n % 1_000 === 0 ? [uuidOfUrlName(`chat ${n}`)] : []));
  for (const session_id of ids) {
    await fetch(`${backends.v1.url}/v1/sessions`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEYS.main}`, "content-type": "application/json" },
      body: JSON.stringify({
        session_id,
        session_name: "was there",
        source: "prod",
        inputs: { a: 1 },
      }),
    });
  }
  const ended = await runToEnd(node("22"), ["job.js"], { cwd, env, timeoutMs: 120_000 });
  assert.deepEqual([ended.code, ended.stdout, ended.stderr], [0, "5000\n", ""]);
  for (let n = 0; n < 5_000; n += 250) {
    const event = await backends.v1.session(uuidOfUrlName(`chat ${n}`), KEYS.main);
    assert.equal(event.session_name, n % 1_000 === 0 ? "was there" : "imported chat", `chat ${n}`);
    assert.deepEqual(event.feedback, { rating: n % 5 });
    assert.deepEqual(event.user_properties, { user_id: `user ${n % 100}` });
  }
});

it("a Vitest test: what the code records, and no request but the test's own", async () => {
  const test = `
    import { enrichSession, initTracer } from "honeyhive-edge";
    import { afterEach, expect, test, vi } from "vitest";
    import { ask } from "./model.js";

    async function answer(tracer, question) {
      const { text, tokens } = await ask(question);
      tracer.addMetrics({ tokens });
      await tracer.enrichSession({ outputs: { reply: text } });
      return text;
    }

    afterEach(() => vi.restoreAllMocks());

    test("records the reply", async () => {
      const tracer = await initTracer({ disabled: true });
      const enrich = vi.spyOn(tracer, "enrichSession");
      expect(await answer(tracer, "Hello!")).toBe("You said: Hello!");
      expect(enrich).toHaveBeenCalledWith({ outputs: { reply: "You said: Hello!" } });
    });

    test("sends tokens and reply", async () => {
      const bodies = [];
      const tracer = await initTracer({
        apiKey: "test-key",
        fetch: async (url, init) => {
          bodies.push(JSON.parse(init.body));
          return Response.json({ success: true });
        },
      });
      await answer(tracer, "Hello!");
      expect((await tracer.close()).dropped).toBe(0);
      const sent = Object.assign({}, ...bodies);
      expect(sent).toMatchObject({ outputs: { reply: "You said: Hello!" }, metrics: { tokens: 6 } });
    });

    test("sends nothing in test mode", async () => {
      vi.stubEnv("HH_TEST_MODE", "true");
      await initTracer();
      expect(await enrichSession({ metadata: { a: 1 } })).toMatchObject({ reason: "disabled" });
    });
  `;
  const cwd = await project("vitest", { "answer.test.js": test });
  const runners = join(testsDir, "frameworks", "runners", "node_modules");
  for (const module of await readdir(runners)) {
    if (!module.startsWith("."))
      await symlink(join(runners, module), join(cwd, "node_modules", module));
  }
  const { code, stdout, stderr } = await runToEnd(
    process.execPath,
    [join(runners, "vitest", "vitest.mjs"), "run"],
    { cwd, env: { CI: "1", NO_COLOR: "1" }, timeoutMs: 120_000 },
  );
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /3 passed/);
  assert.doesNotMatch(stdout + stderr, /honeyhive-edge:/);
});
