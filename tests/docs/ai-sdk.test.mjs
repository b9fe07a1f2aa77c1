// The programs of docs/ai-sdk.md, as they stand there, with the libraries themselves in front of a model on loopback.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { pathToFileURL } from "node:url";
import { serve } from "@hono/node-server";
import { build, transform } from "esbuild";
import { node } from "../support/binaries.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { chromium } from "../support/browsers.mjs";
import { runToEnd, until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { blocksRunBy } from "./documents.mjs";

const ANSWER = "For years, if it is kept dry.";
const QUESTION = "How long does honey keep?";

/** @type {Awaited<ReturnType<typeof startBackends>>} */
let backends;
/** @type {import("node:http").Server} */
let model;
/** @type {Record<string, string>} */
let env;
/** @type {import("./documents.mjs").Block[]} */
let blocks;
before(async () => {
  blocks = await blocksRunBy("tests/docs/ai-sdk.test.mjs");
  backends = await startBackends();
  model = createServer(answerAsModel);
  await new Promise((resolve) => {
    model.listen(0, "127.0.0.1", () => resolve(undefined));
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (model.address());
  env = {
    HH_API_KEY: KEYS.main,
    HH_API_URL: backends.v1.url,
    OPENAI_API_KEY: "sk-of-the-test",
    OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
    ANTHROPIC_API_KEY: "sk-ant-of-the-test",
    ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`,
  };
});
after(async () => {
  model.closeAllConnections();
  model.close();
  await backends.close();
});

/** @type {import("node:http").RequestListener} */
async function answerAsModel(request, response) {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  const json = (/** @type {object} */ answer) =>
    void response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify(answer));
  if (request.url?.endsWith("/messages")) {
    return json({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-haiku-4-5",
      content: [{ type: "text", text: ANSWER }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 7, output_tokens: 9 },
    });
  }
  const usage = { prompt_tokens: 7, completion_tokens: 9, total_tokens: 16 };
  const common = { id: "chatcmpl-1", created: 1, model: "gpt-4o-mini" };
  if (!JSON.parse(body).stream) {
    const message = { role: "assistant", content: ANSWER };
    const choices = [{ index: 0, message, finish_reason: "stop" }];
    return json({ ...common, object: "chat.completion", choices, usage });
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const chunk = (/** @type {object} */ more) =>
    response.write(
      `data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", ...more })}\n\n`,
    );
  for (const content of ANSWER.split(/(?<= )/)) {
    chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
  }
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
  chunk({ choices: [], usage });
  return void response.end("data: [DONE]\n\n");
}

/**
 * @param {string} name of the session that the program makes
 * @returns {Promise<{ event: any, events: any[], spans: any[] }>} what it left
 */
async function leftBy(name) {
  const block = blocks.find(({ kind, text }) => kind === "node" && text.includes(`"${name}"`));
  assert.ok(block, name);
  const cwd = await consumer(`ai-sdk-${name.replace(" ", "-")}`, { "program.mts": block.text });
  const { code, stdout, stderr } = await runToEnd(node("26"), ["program.mts"], { cwd, env });
  assert.equal(code, 0, stdout + stderr);
  assert.doesNotMatch(stdout + stderr, /honeyhive-edge\]/);
  const { event } = (await backends.v1.sessions()).find(
    (/** @type {any} */ one) => one.event.session_name === name,
  );
  const [whole] = await backends.v1.whole(event.session_id);
  return whole;
}

const METRICS = { prompt_tokens: 7, completion_tokens: 9 };

it("streamText's onFinish", async () => {
  const { inputs, outputs, metadata, metrics } = (await leftBy("ai-sdk")).event;
  assert.deepEqual(
    { inputs, outputs, metadata, metrics },
    {
      inputs: { question: QUESTION },
      outputs: { answer: ANSWER },
      metadata: { finish_reason: "stop" },
      metrics: METRICS,
    },
  );
});

it("its telemetry, and a rating on the answer's event", async () => {
  const { event, events, spans } = await leftBy("ai-sdk spans");
  assert.deepEqual(event.feedback, {});
  assert.equal(events.length, 1);
  const [{ event: answer }] = events;
  assert.deepEqual(
    [answer.event_type, answer.outputs, answer.feedback],
    ["model", { answer: ANSWER }, { thumb: "up" }],
  );
  const names = spans.map(({ name }) => name);
  assert.ok(names.includes("answer") && names.includes("ai.generateText"), `${names}`);
});

it("useChat, with a thumb on the message", async () => {
  const block = (/** @type {string} */ kind) => {
    const found = blocks.find((one) => one.kind === kind);
    assert.ok(found, kind);
    return found.text;
  };
  const cwd = await consumer("ai-sdk-use-chat", {
    "worker.mjs": (await transform(block("worker"), { loader: "ts" })).code,
    "page.ts": block("page"),
  });
  const { outputFiles } = await build({
    entryPoints: [join(cwd, "page.ts")],
    bundle: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  });
  const page = outputFiles[0]?.text ?? "";
  // The page's visitor: asks, waits for the whole answer, and gives it a thumb.
  const visitor = `
    const until = async (look) => { while (!look()) await new Promise((go) => setTimeout(go, 20)); };
    const button = (name) => [...document.querySelectorAll("button")].find((it) => it.textContent === name);
    await until(() => button("Ask"));
    button("Ask").click();
    await until(() => button("Good answer") && document.querySelector("main[data-status=ready]"));
    button("Good answer").click();
  `;
  Object.assign(process.env, env, {
    HH_RELAY_SECRET: "a secret that is long enough for this test",
  });
  const { default: worker } = await import(pathToFileURL(join(cwd, "worker.mjs")).href);
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const script = { "content-type": "text/javascript" };
      if (pathname === "/page.js") return new Response(page, { headers: script });
      if (pathname === "/visitor.js") return new Response(visitor, { headers: script });
      if (pathname !== "/") return worker.fetch(request);
      const html =
        '<!doctype html><link rel="icon" href="data:,"><body></body><script type="module" src="/page.js"></script><script type="module" src="/visitor.js"></script>';
      return new Response(html, { headers: { "content-type": "text/html" } });
    },
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const browser = await chromium();
  try {
    await browser.visit(`http://127.0.0.1:${port}/`);
    const session = await until(
      async () => {
        const sessions = await backends.v1.sessions();
        const found = sessions.find(
          (/** @type {any} */ one) => one.event.session_name === "use-chat",
        );
        const [whole] = found ? await backends.v1.whole(found.event.session_id) : [];
        return whole?.events[0]?.event.feedback.thumb ? whole : undefined;
      },
      { what: `a thumb\n${browser.console()}`, timeoutMs: 30_000 },
    );
    const [{ event: answer }] = session.events;
    assert.deepEqual([answer.feedback, answer.outputs], [{ thumb: "up" }, { answer: ANSWER }]);
    assert.deepEqual([session.event.outputs, session.event.feedback], [{ answer: ANSWER }, {}]);
  } finally {
    await browser.quit();
    server.close();
  }
});

for (const name of ["openai", "anthropic"]) {
  it(`${name}'s client`, async () => {
    const { outputs, metrics, config } = (await leftBy(name)).event;
    assert.deepEqual([outputs, metrics], [{ answer: ANSWER }, METRICS]);
    assert.match(config.model, /^(gpt|claude)-/);
  });
}
