// The chat page in Chromium, against everything the demo runs: a visitor chats, rates and comments
// by mouse and by keyboard, and the backend holds what was said on either side.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./backend/test-client.mjs";
import { launchBrowser } from "./browser.mjs";
import { LOCAL_KEY, startDemo } from "./serve.mjs";
import { assertAccessible, assertNoOverflow, DESKTOP, PHONE, visitPage } from "./test-page.mjs";

/** @typedef {import("./backend/session.js").SessionEvent} SessionEvent */
/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof startDemo>>} */
let demo;
/** @type {Awaited<ReturnType<typeof launchBrowser>>} */
let browser;

before(async () => {
  demo = await startDemo();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.close();
});

/**
 * @param {import("playwright-core").BrowserContextOptions} options
 * @param {(page: Page) => Promise<void>} visit
 */
const withPage = (options, visit) => visitPage(browser, demo.url, options, visit);

/** @param {Page} page @param {string} question @param {number} number Which answer it will be. */
async function ask(page, question, number) {
  await page.getByLabel("Your message").fill(question);
  await page.getByRole("button", { name: "Send" }).click();
  await ratingOf(page, number).waitFor();
}

/** @param {Page} page @param {number} number */
const ratingOf = (page, number) => page.getByRole("group", { name: `Rate answer ${number}` });

/** Waits until everything the page shows as sent is stored, then reads the session it names. @param {Page} page */
async function storedSession(page) {
  await page.waitForFunction(
    () => document.querySelectorAll("#enrichments li:not(.stored, .lost)").length === 0,
  );
  assert.equal(await page.locator("#enrichments li.lost").count(), 0, "nothing was lost");
  return readSession((await page.locator("#session-id").textContent()) ?? "");
}

/** @param {string} id @returns {Promise<SessionEvent>} */
async function readSession(id) {
  const answer = await fetch(`${demo.backendUrl}/v1/sessions/${id}`, {
    headers: { authorization: `Bearer ${LOCAL_KEY}` },
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

/**
 * What was said on the answers' own events.
 * @param {string} session
 * @returns {Promise<object[]>}
 */
async function thumbsOnAnswers(session) {
  const [whole] = await (await fetch(`${demo.backendUrl}/_local/sessions/${session}`)).json();
  return whole.events.map((/** @type {any} */ { event }) => event.feedback);
}

test("a visitor chats, rates and comments; the backend holds both sides", async () => {
  await withPage(DESKTOP, async (page) => {
    await ask(page, "My honey has crystallised. Is it spoiled?", 1);
    await ratingOf(page, 1).getByRole("button", { name: "Helpful", exact: true }).click();
    await page.getByText("Thank you, stored.").waitFor();
    await ask(page, "Which honey is mild?", 2);
    await ratingOf(page, 2).getByRole("button", { name: "Not helpful" }).click();
    await ratingOf(page, 2).getByRole("button", { name: "Comment" }).click();
    await page.getByLabel("Comment on answer 2").fill("I meant for tea.");
    await page.getByRole("button", { name: "Save" }).click();

    const session = await storedSession(page);
    assert.equal(session.inputs.question, "My honey has crystallised. Is it spoiled?");
    const shown = await page.locator(".answer .text").allTextContents();
    assert.deepEqual(session.outputs, { answer: shown[1], turns: 2 });
    assert.match(shown[0], /^Crystallised honey is not spoiled/);
    assert.deepEqual(session.feedback, {
      thumbs_up: 1,
      thumbs_down: 1,
      answer_1: { thumb: "up" },
      answer_2: { thumb: "down", comment: "I meant for tea." },
    });
    assert.deepEqual(await thumbsOnAnswers(session.session_id), [
      { thumb: "up" },
      { thumb: "down", comment: "I meant for tea." },
    ]);
    assert.equal(session.metadata.topic, "taste");
    assert.equal(session.metadata.workflow_step, "wait_for_visitor");
    assert.equal(session.metadata.variant, await page.locator("#session-variant").textContent());
    assert.equal(session.user_properties.device, "desktop");
    assert.equal(session.metrics.model_calls, 4);
    const tokens = await page.locator("#session-tokens").textContent();
    assert.equal(String(session.metrics.total_tokens), tokens);
    assert.equal(
      session.metrics.total_tokens,
      Number(session.metrics.prompt_tokens) + Number(session.metrics.completion_tokens),
    );

    await page.getByRole("button", { name: "End conversation" }).click();
    await page.getByText("The conversation has ended").waitFor();
    assert.equal((await storedSession(page)).metadata.status, "completed");
    await page.getByRole("radio", { name: "4" }).check();
    await page.locator("#farewell").getByText("Thank you, stored.").waitFor();
    const ended = await storedSession(page);
    assert.equal(ended.feedback.rating, 4, "feedback still arrives after the end");
    assert.ok(ended.duration && ended.duration > 0);
    assert.equal(ended.end_time, Number(ended.end_time));

    await page.getByRole("button", { name: "New conversation" }).click();
    await ask(page, "How do I ship a jar?", 1);
    const next = await storedSession(page);
    assert.notEqual(next.session_id, ended.session_id);
    assert.equal(next.metadata.variant, ended.metadata.variant, "a visitor keeps the variant");
    assert.equal(next.metrics.model_calls, 2);
    assert.deepEqual(next.feedback, {});
  });
});

test("a page that is loaded anew goes on with its conversation", async () => {
  await withPage(DESKTOP, async (page) => {
    await ask(page, "My honey has crystallised. Is it spoiled?", 1);
    await ratingOf(page, 1).getByRole("button", { name: "Helpful", exact: true }).click();
    await page.getByText("Thank you, stored.").waitFor();
    const rated = await storedSession(page);

    await page.reload();
    const thumb = ratingOf(page, 1).getByRole("button", { name: "Helpful", exact: true });
    await thumb.waitFor();
    assert.equal(await thumb.getAttribute("aria-pressed"), "true");
    assert.equal(await page.locator("#session-id").textContent(), rated.session_id);
    assert.equal(
      await page.locator("#session-tokens").textContent(),
      String(rated.metrics.total_tokens),
    );
    await ask(page, "Which honey is mild?", 2);
    await ratingOf(page, 2).getByRole("button", { name: "Not helpful" }).click();
    await page.getByText("Thank you, stored.").waitFor();
    const twice = await storedSession(page);
    assert.equal(twice.outputs.turns, 2);
    assert.equal(twice.feedback.thumbs_up, 1, "what was rated before the reload still counts");
    assert.equal(twice.feedback.thumbs_down, 1);
    await ratingOf(page, 1).getByRole("button", { name: "Not helpful" }).click();
    // An answer from before the reload is rated on its event as well.
    await eventually(
      () => thumbsOnAnswers(twice.session_id),
      (thumbs) => JSON.stringify(thumbs) === '[{"thumb":"down"},{"thumb":"down"}]',
    );

    await page.getByRole("button", { name: "End conversation" }).click();
    await page.getByText("The conversation has ended").waitFor();
    await page.reload();
    await page.getByText("The conversation has ended").waitFor();
    assert.equal(await page.locator(".answer").count(), 2);
  });
});

test("each answer says which variant it was served by", async () => {
  await withPage(DESKTOP, async (page) => {
    await ask(page, "Which honey is mild?", 1);
    const { metadata } = await storedSession(page);
    assert.match(
      (await page.locator(".used").textContent()) ?? "",
      new RegExp(`^Variant ${metadata.variant} · \\d+ tokens · \\$0\\.0`),
    );
  });
});

test("everything can be done by keyboard", async () => {
  await withPage(DESKTOP, async (page) => {
    await page.getByLabel("Your message").focus();
    await page.keyboard.type("How long can I keep honey?");
    await page.keyboard.press("Enter");
    await ratingOf(page, 1).waitFor();

    await page.getByRole("log").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    await page.getByText("Thank you, stored.").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.type("Good to know.");
    await page.keyboard.press("Enter");

    await page.waitForFunction(() => document.querySelectorAll("#enrichments .page").length === 2);
    const { feedback } = await storedSession(page);
    assert.deepEqual(feedback.answer_1, { thumb: "up", comment: "Good to know." });
  });
});

test("a failed turn is shown, stored with its error, and followed by one that works", async () => {
  const context = await browser.newContext(DESKTOP);
  const page = await context.newPage();
  await page.goto(demo.url);
  await page.getByRole("button", { name: "/fail" }).click();
  await page.getByText("The model did not answer.").waitFor();
  const failed = await storedSession(page);
  assert.equal(failed.metadata.status, "failed");
  assert.deepEqual(failed.metadata.error, {
    type: "NotFoundError",
    message: "404 The model `no-such-model` does not exist.",
  });

  await ask(page, "Which honey is mild?", 1);
  const mended = await storedSession(page);
  assert.equal(mended.session_id, failed.session_id);
  assert.equal(mended.metadata.status, "in_progress");
  await context.close();
});

test("an answer that breaks off is called so, and the visitor can go on", async () => {
  await withPage(DESKTOP, async (page) => {
    const begun = `data: ${JSON.stringify({ type: "text", text: "Acacia is" })}\n\n`;
    await page.route("**/api/chat", (route) => route.fulfill({ body: begun }), { times: 1 });
    await page.getByLabel("Your message").fill("Which honey is mild?");
    await page.keyboard.press("Enter");
    await page.getByText("Acacia is … The answer broke off. Please try again.").waitFor();
    await ask(page, "Which honey is mild?", 1);
    assert.equal((await storedSession(page)).outputs.turns, 1);
  });
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`on a desktop, ${colorScheme}: axe finds nothing`, async () => {
    await withPage({ ...DESKTOP, colorScheme, reducedMotion: "reduce" }, async (page) => {
      await assertAccessible(page);
      await ask(page, "Which honey is mild?", 1);
      await ratingOf(page, 1).getByRole("button", { name: "Comment" }).click();
      await storedSession(page);
      await assertAccessible(page);
    });
  });

  test(`on a phone, ${colorScheme}: nothing overflows and axe finds nothing`, async () => {
    await withPage({ ...PHONE, colorScheme, reducedMotion: "reduce" }, async (page) => {
      await assertAccessible(page);
      await page.getByRole("button", { name: "Which honey is mild?" }).tap();
      await ratingOf(page, 1).getByRole("button", { name: "Helpful", exact: true }).tap();
      await page.getByText("Thank you, stored.").waitFor();
      await page.locator("summary").tap();
      assert.equal((await storedSession(page)).user_properties.device, "phone");
      await assertAccessible(page);
      await assertNoOverflow(page);
      await page.getByRole("button", { name: "End", exact: true }).tap();
      await page.getByText("The conversation has ended").waitFor();
      await assertAccessible(page);
    });
  });
}

test("a visitor who leaves in the middle of an answer still has it stored", async () => {
  const leave = new AbortController();
  const answer = await fetch(`${demo.url}/api/chat`, {
    method: "POST",
    body: JSON.stringify({ message: "Which honey is mild?", visitor: { id: "v" } }),
    signal: leave.signal,
  });
  assert.ok(answer.body);
  let read = "";
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    read += chunk;
    if (read.includes('"type":"text"')) break;
  }
  leave.abort();
  assert.ok(!read.includes('"type":"answer"'), "the answer is not whole yet");
  const id = /"sessionId":"([^"]+)"/.exec(read)?.[1] ?? "";
  const until = Date.now() + 10_000;
  let session = await readSession(id);
  while (!session.outputs.answer && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    session = await readSession(id);
  }
  assert.match(String(session.outputs.answer), /least sweet of the three/);
  assert.equal(session.metrics.model_calls, 2);
});

test("a turn's spans belong to its session, with what each model call took and cost", async () => {
  await withPage(DESKTOP, async (page) => {
    await ask(page, "Which honey is mild?", 1);
    const { session_id: id, metrics } = await storedSession(page);
    /** @type {import("./backend/otlp.js").StoredSpan[]} */
    let spans = [];
    for (const until = Date.now() + 10_000; spans.length < 3 && Date.now() < until;) {
      [{ spans }] = await (await fetch(`${demo.backendUrl}/_local/sessions/${id}`)).json();
    }
    const [turn, ...calls] = ["turn 1", "understand", "answer"].map((name) => {
      const found = spans.find((span) => span.name === name);
      assert.ok(found, `${name} is stored`);
      return found;
    });
    for (const call of calls) assert.equal(call?.parent_id, turn?.span_id);
    const tokens = calls.map((call) => Number(call?.attributes["honeyhive_metrics.total_tokens"]));
    assert.equal(tokens[0] + tokens[1], metrics.total_tokens);
  });
});

test("no key reaches the page, and the relay passes nothing without a ticket", async () => {
  for (const path of ["/", "/page.js", "/page.css"]) {
    const served = await fetch(demo.url + path);
    assert.equal(served.status, 200);
    assert.ok(!(await served.text()).includes(LOCAL_KEY), `${path} holds no key`);
  }
  /** @type {[string, string, number][]} */
  const refused = [
    ["GET", "/v1/sessions", 405],
    ["GET", "/_local/sessions", 404],
    ["DELETE", "/_local", 404],
    ["PUT", "/v1/events/a/b", 404],
    ["PUT", "/v1/events/..%2f..%2f_local%2fmode", 401],
    ["POST", "/events", 405],
    ["POST", "/v1/sessions", 401],
  ];
  for (const [method, path, status] of refused) {
    const answer = await fetch(`${demo.url}/honeyhive${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(method === "GET" ? {} : { body: "{}" }),
    });
    assert.equal(answer.status, status, `${method} ${path}`);
    assert.equal((await answer.json()).success, false);
  }
});

test("the chat refuses what is no turn, with a sentence", async () => {
  const visitor = { id: "v", locale: "en", device: "desktop" };
  const cases = [
    { body: { visitor }, status: 400, message: /1 to 4000 characters/ },
    { body: { message: "x".repeat(4001), visitor }, status: 400, message: /1 to 4000 characters/ },
    { body: { message: "hi", conversation: "nonsense", visitor }, status: 404, message: /no such/ },
    {
      body: { message: "hi", conversation: "3cd7a5a0-5a4e-4f6c-8f3e-0c5b0f5f9d11", visitor },
      status: 404,
      message: /no such/,
    },
  ];
  for (const { body, status, message } of cases) {
    const answer = await fetch(`${demo.url}/api/chat`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, status);
    assert.match((await answer.json()).message, message);
  }
});
