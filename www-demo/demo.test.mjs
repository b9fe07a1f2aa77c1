// demo.mjs as `make demo` runs it: a process that plays, prints, exits or serves, and leaves nothing
// behind. The printed numbers are held against what the model's responder says it counted.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startBackend } from "./backend/server.mjs";
import { startResponder } from "./responder.mjs";

const DEMO = fileURLToPath(new URL("demo.mjs", import.meta.url));
const WORKER_START_LIMIT_MS = 60_000;

/** @type {string} */
let temporary;
before(async () => {
  temporary = await mkdtemp(join(tmpdir(), "demo-test-"));
});
after(() => rm(temporary, { recursive: true, force: true }));

/** @param {NodeJS.ProcessEnv} env */
function startProcess(env) {
  const { OPENAI_API_KEY: _, HH_API_KEY: __, HH_API_URL: ___, ...rest } = process.env;
  const child = spawn(process.execPath, [DEMO], {
    env: { ...rest, TMPDIR: temporary, PORT: "0", VIEWER_PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (printed += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (printed += text));
  return {
    child,
    ended: once(child, "close").then(([code]) => ({ code, printed })),
    printed: () => printed,
    /** @param {RegExp} pattern @returns {Promise<RegExpExecArray>} */
    async saw(pattern) {
      const until = Date.now() + WORKER_START_LIMIT_MS;
      for (;;) {
        const found = pattern.exec(printed);
        if (found) return found;
        if (child.exitCode !== null || Date.now() > until) {
          throw new Error(`${pattern} was not printed:\n${printed}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

/** The value printed after a field's name. @param {string} printed @param {string} name */
function value(printed, name) {
  const found = new RegExp(`^  ${name} +(.+)$`, "m").exec(printed);
  assert.ok(found, `${name} is printed`);
  return found[1];
}

test("ONCE=1 plays, prints the session with the model's own numbers, and exits 0", async () => {
  /** @type {{ prompt: number, completion: number, answers: string[], keys: Set<string> }} */
  const model = { prompt: 0, completion: 0, answers: [], keys: new Set() };
  const responder = await startResponder({
    onAnswer({ usage, text, authorization }) {
      model.prompt += usage.prompt_tokens;
      model.completion += usage.completion_tokens;
      model.answers.push(text);
      model.keys.add(authorization);
    },
  });
  try {
    const { code, printed } = await startProcess({
      ONCE: "1",
      OPENAI_API_KEY: "test-key-of-the-visitor",
      OPENAI_BASE_URL: responder.baseUrl,
    }).ended;
    assert.equal(code, 0, printed);

    assert.equal(value(printed, "model_calls"), "4");
    assert.equal(value(printed, "prompt_tokens"), String(model.prompt));
    assert.equal(value(printed, "completion_tokens"), String(model.completion));
    assert.equal(value(printed, "total_tokens"), String(model.prompt + model.completion));
    // gpt-4o-mini: 15 and 60 cents for a million tokens.
    const cost = (model.prompt * 0.15 + model.completion * 0.6) / 1e6;
    const printedCost = Number(value(printed, "cost_usd").replace("$", ""));
    assert.ok(Math.abs(printedCost - cost) < cost / 100, `${printedCost} is about ${cost}`);

    assert.equal(value(printed, "thumbs_up"), "1");
    assert.equal(value(printed, "thumbs_down"), "1");
    assert.equal(value(printed, "answer_1"), "thumb: up, comment: Saved my breakfast.");
    assert.equal(value(printed, "rating"), "4");
    assert.equal(value(printed, "status"), "completed");
    assert.equal(value(printed, "user_id"), "visitor-1");
    assert.match(value(printed, "lasted"), /^[\d.]+ m?s$/);
    assert.equal(value(printed, "turns"), "2");
    const lastAnswer = model.answers.at(-1) ?? "";
    const stored = printed.slice(printed.indexOf("Outputs")).replace(/\s+/g, " ");
    assert.ok(stored.includes(lastAnswer), "the last answer is stored");
    const titles = ["Inputs", "Outputs", "Config", "Metadata", "Metrics", "Feedback", "User prop"];
    const places = titles.map((title) => printed.indexOf(`\n${title}`));
    assert.ok(places.every((place, index) => place > (places[index - 1] ?? 0)));

    assert.deepEqual([...model.keys], ["Bearer test-key-of-the-visitor"]);
    assert.ok(!printed.includes("test-key-of-the-visitor"), "no key is printed");
    assert.deepEqual(await readdir(temporary), [], "no temporary file is left");
  } finally {
    await responder.close();
  }
});

test("ONCE=1 without a key is answered by the built-in model", async () => {
  const { code, printed } = await startProcess({ ONCE: "1" }).ended;
  assert.equal(code, 0, printed);
  assert.match(printed, /built-in model/);
  assert.match(value(printed, "total_tokens"), /^[1-9]\d+$/);
});

test("ONCE=1 fails with a sentence where the model cannot be reached", async () => {
  const { code, printed } = await startProcess({
    ONCE: "1",
    OPENAI_API_KEY: "any",
    OPENAI_BASE_URL: "http://127.0.0.1:9/v1",
  }).ended;
  assert.equal(code, 1, printed);
  assert.match(printed, /The demo failed: The chat did not answer "My honey has crystallised/);
});

test("a port that is taken is passed over; Ctrl-C ends everything with exit code 0", async () => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await once(squatter, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (squatter.address());
  const demo = startProcess({ PORT: String(port) });
  try {
    const [, url] = await demo.saw(/Chat: +(http:\S+)/);
    assert.match(demo.printed(), new RegExp(`Port ${port} is taken`));
    assert.notEqual(new URL(url).port, String(port));
    assert.match(await (await fetch(url)).text(), /<title>Honey shop chat/);
    const [, viewer] = await demo.saw(/Sessions: +(http:\S+)/);
    assert.match(await (await fetch(viewer)).text(), /<title>Sessions/);

    demo.child.kill("SIGINT");
    const { code, printed } = await demo.ended;
    assert.equal(code, 0, printed);
    await assert.rejects(fetch(url), "workerd is gone");
    assert.deepEqual(await readdir(temporary), [], "no temporary file is left");
  } finally {
    squatter.close();
    demo.child.kill("SIGKILL");
  }
});

test("with HH_API_KEY the sessions go to HoneyHive, and nowhere else", async (t) => {
  const key = "hh_key_of_the_visitor";
  const honeyhive = await startBackend();
  t.after(() => honeyhive.close());
  await fetch(`${honeyhive.url}/_local/mode`, {
    method: "PUT",
    body: JSON.stringify({ keys: [key], routes: "v1" }),
  });
  const { code, printed } = await startProcess({
    ONCE: "1",
    HH_API_KEY: key,
    HH_API_URL: honeyhive.url,
  }).ended;
  assert.equal(code, 0, printed);
  const id = /stored in HoneyHive, as session (\S+)\./.exec(printed)?.[1];
  const answer = await fetch(`${honeyhive.url}/v1/sessions/${id}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const session = await answer.json();
  assert.equal(session.metadata.status, "completed");
  assert.deepEqual(session.feedback.answer_1, { thumb: "up", comment: "Saved my breakfast." });
  assert.equal(session.feedback.rating, 4);
  const requests = await (await fetch(`${honeyhive.url}/_local/requests`)).json();
  assert.ok(requests.some((/** @type {any} */ { path }) => path === "/opentelemetry/v1/traces"));
  assert.doesNotMatch(printed, new RegExp(key));
});

test("a key that HoneyHive refuses is said at once, with what to do", async (t) => {
  const honeyhive = await startBackend();
  t.after(() => honeyhive.close());
  const mode = JSON.stringify({ keys: ["another"] });
  await fetch(`${honeyhive.url}/_local/mode`, { method: "PUT", body: mode });
  const { code, printed } = await startProcess({
    ONCE: "1",
    HH_API_KEY: "hh_wrong",
    HH_API_URL: honeyhive.url,
  }).ended;
  assert.equal(code, 1, printed);
  assert.match(printed, /The demo failed: .*refused the API key with 401: set HH_API_KEY to a key/);
  assert.equal(printed.match(/^ {2}visitor /gm)?.length, 1, `the visitor goes on:\n${printed}`);
  assert.doesNotMatch(printed, /hh_wrong/);
});

test("a HoneyHive that nobody reaches is said before anything is played", async () => {
  const { code, printed } = await startProcess({
    ONCE: "1",
    HH_API_KEY: "hh_any",
    HH_API_URL: "http://127.0.0.1:2",
  }).ended;
  assert.equal(code, 1, printed);
  assert.match(
    printed,
    /The demo failed: http:.* cannot be reached \(ECONNREFUSED\): check HH_API_URL/,
  );
  assert.doesNotMatch(printed, /visitor/);
});

test("a PORT that is none is refused with a sentence", async () => {
  const { code, printed } = await startProcess({ PORT: "eighty" }).ended;
  assert.equal(code, 1);
  assert.match(printed, /PORT is no port number: eighty/);
});
