// The session viewer in Chromium: what is chatted shows without a reload, the numbers are those that are stored,
// filters and plots agree with them, faults lose nothing, and thousands of sessions stay quick.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser } from "./browser.mjs";
import { firstContent, median, updateTimes } from "./measure.mjs";
import { LOCAL_KEY, startDemo } from "./serve.mjs";
import { assertAccessible, assertNoOverflow, DESKTOP, PHONE, visitPage } from "./test-page.mjs";

/** @typedef {import("./backend/session.js").SessionEvent} SessionEvent */
/** @typedef {import("playwright-core").Page} Page */

const SAMPLES = 120;

/** @type {Awaited<ReturnType<typeof startDemo>>} */
let demo;
/** @type {Awaited<ReturnType<typeof launchBrowser>>} */
let browser;
let viewerUrl = "";
let backendUrl = "";

before(async () => {
  demo = await startDemo();
  ({ viewerUrl = "", backendUrl = "" } = demo);
  browser = await launchBrowser();
  const { fill } = await import("./samples/fill.mjs");
  await fill(backendUrl, SAMPLES);
});

after(async () => {
  await browser?.close();
  await demo?.close();
});

/**
 * @param {import("playwright-core").BrowserContextOptions} options
 * @param {(page: Page) => Promise<void>} visit
 */
const withViewer = (options, visit) => visitPage(browser, viewerUrl, options, visit);

/** @returns {Promise<SessionEvent[]>} */
async function storedSessions() {
  const answer = await fetch(`${backendUrl}/v1/sessions?limit=1000`, {
    headers: { authorization: `Bearer ${LOCAL_KEY}` },
  });
  return (await answer.json()).sessions;
}

/** @param {Page} page @returns {Promise<number>} how many sessions the list says it has */
async function counted(page) {
  const text = (await page.locator(".count").textContent()) ?? "";
  return Number(text.replace(/\D/g, ""));
}

/** @param {Page} page @param {number} wanted */
async function untilCounted(page, wanted) {
  const until = Date.now() + 15_000;
  while ((await counted(page)) !== wanted && Date.now() < until) await page.waitForTimeout(50);
  assert.equal(await counted(page), wanted);
}

test("the samples' command stores what it made up, through the package", async () => {
  const sessions = await storedSessions();
  assert.equal(sessions.length, SAMPLES);
  for (const { metadata, metrics, inputs, config, user_properties: user } of sessions) {
    assert.match(String(metadata.variant), /^[AB]$/);
    assert.match(String(metadata.status), /^(completed|failed)$/);
    assert.equal(
      metrics.total_tokens,
      Number(metrics.prompt_tokens) + Number(metrics.completion_tokens),
    );
    assert.ok(inputs.question && config.model && user.user_id);
  }
  assert.ok(new Set(sessions.map(({ end_time }) => Number(end_time) >> 27)).size > 3, "over days");
});

test("a chat shows as it goes on, with the numbers that are stored, and after a reload", async () => {
  await withViewer(DESKTOP, async (viewer) => {
    await viewer.locator('.live[data-live="true"]').waitFor();
    const chat = await viewer.context().newPage();
    await chat.goto(demo.url);
    await chat.getByLabel("Your message").fill("How many jars fit in a parcel?");
    await chat.getByRole("button", { name: "Send" }).click();

    const row = viewer.locator(".row", { hasText: "How many jars fit in a parcel?" });
    await row.click();
    await viewer.getByRole("heading", { name: "How many jars fit in a parcel?" }).waitFor();
    const state = viewer.locator(".state");
    await state.getByText("wait_for_visitor").waitFor();

    const rating = chat.getByRole("group", { name: "Rate answer 1" });
    await rating.getByRole("button", { name: "Helpful", exact: true }).click();
    await row.getByRole("img", { name: "1 thumbs up" }).waitFor();
    await rating.getByRole("button", { name: "Comment" }).click();
    await chat.getByLabel("Comment on answer 1").fill("Good to know.");
    await chat.getByRole("button", { name: "Save" }).click();
    await state.locator(".changed").getByText("thumb: up, comment: Good to know.").waitFor();
    await viewer.locator(".span", { hasText: "turn 1" }).waitFor();
    const onAnswer = viewer.locator(".event", { hasText: "answer" });
    await onAnswer.getByText("feedback.thumb").first().waitFor();
    assert.match(await onAnswer.last().innerText(), /feedback\.comment Good to know\./);

    const id = (await viewer.locator(".session-head code").textContent()) ?? "";
    const session = (await storedSessions()).find((each) => each.session_id === id);
    assert.ok(session);
    for (const [key, value] of Object.entries(session.metrics)) {
      if (!/tokens|calls|enrichments/.test(key)) continue;
      const shown = state.locator("dl div", { has: viewer.getByText(key, { exact: true }) });
      assert.equal(await shown.locator("dd").innerText(), Number(value).toLocaleString("en"));
    }
    assert.match(await row.innerText(), new RegExp(`\\b${session.metadata.variant}\\b`));

    await viewer.reload();
    await state.getByText("thumb: up, comment: Good to know.").waitFor();
    await assertAccessible(viewer);

    // Back in time: the state after the first change knows nothing of the rating.
    await viewer.getByRole("button", { name: /^Started/ }).click();
    await viewer.getByRole("heading", { name: "The session after change 1" }).waitFor();
    assert.equal(await state.getByText("thumb: up").count(), 0);
    assert.ok((await state.locator(".changed").count()) > 3);
  });
});

test("filters by variant, rating, user property and text find what is stored", async () => {
  const sessions = await storedSessions();
  /** @param {(session: SessionEvent) => boolean} passes */
  const many = (passes) => sessions.filter(passes).length;
  await withViewer(DESKTOP, async (page) => {
    await untilCounted(page, sessions.length);
    const variant = page.getByLabel("Variant", { exact: true });
    const rating = page.getByLabel("Rating", { exact: true });
    await variant.selectOption("B");
    await untilCounted(
      page,
      many(({ metadata }) => metadata.variant === "B"),
    );
    await rating.selectOption("5");
    const both = many(
      ({ metadata, feedback }) => metadata.variant === "B" && feedback.rating === 5,
    );
    await untilCounted(page, both);
    await page.reload();
    await untilCounted(page, both);
    assert.equal(await rating.inputValue(), "5");
    await page.getByRole("button", { name: "Clear" }).click();
    await untilCounted(page, sessions.length);
    await page.getByLabel("User property").selectOption("plan=wholesale");
    await untilCounted(
      page,
      many(({ user_properties: user }) => user.plan === "wholesale"),
    );
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByRole("searchbox").fill("mild");
    await untilCounted(
      page,
      many(({ inputs }) => /mild/.test(String(inputs.question))),
    );
  });
});

test("the list grows to the end as one scrolls", async () => {
  const sessions = await storedSessions();
  await withViewer(PHONE, async (page) => {
    await untilCounted(page, sessions.length);
    const rows = page.locator(".row");
    for (const until = Date.now() + 15_000; Date.now() < until;) {
      if ((await rows.count()) === sessions.length) break;
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await page.waitForTimeout(50);
    }
    assert.equal(await rows.count(), sessions.length);
  });
});

test("the plots' figures are those of the stored sessions", async () => {
  const sessions = await storedSessions();
  await withViewer(DESKTOP, async (page) => {
    await page.locator("figure svg").nth(2).waitFor();
    for (const variant of ["A", "B"]) {
      const of = sessions.filter(({ metadata }) => metadata.variant === variant);
      const ratings = of.flatMap(({ feedback }) => Number(feedback.rating ?? NaN)).filter(Boolean);
      const mean = ratings.reduce((sum, each) => sum + each, 0) / ratings.length;
      const row = page.getByRole("row", { name: new RegExp(`^${variant} `) });
      const cells = await row.getByRole("cell").allTextContents();
      assert.equal(cells[0]?.trim(), String(of.length));
      assert.equal(cells.at(-1)?.trim(), mean.toFixed(2));
    }
  });
});

test("with faults switched on tries fail, and nothing is lost", async () => {
  const { initTracer } = await import("honeyhive-edge");
  await withViewer(DESKTOP, async (page) => {
    await page.getByRole("link", { name: "Wire" }).click();
    await page.getByText("Nothing has failed.", { exact: true }).nth(1).waitFor();
    const faults = page.getByRole("switch", { name: "Faults" });
    await faults.click();
    await page.locator(".switch[aria-checked=true]").waitFor();
    const set = await (await fetch(`${backendUrl}/_local/faults`)).json();
    assert.ok(set.length > 0, "the backend has them");

    const tracers = await Promise.all(
      Array.from({ length: 12 }, () => initTracer({ apiKey: LOCAL_KEY, serverUrl: backendUrl })),
    );
    const told = await Promise.all(
      tracers.map(async (tracer, index) => {
        const first = tracer.enrichSession({ metadata: { first: index } });
        await tracer.flush();
        return [await first, await tracer.enrichSession({ feedback: { second: index } })];
      }),
    );
    for (const { status } of told.flat()) assert.equal(status, "delivered");
    await page.getByText("Nothing is lost").nth(1).waitFor();

    const sum = async (/** @type {string} */ name) =>
      Number(await page.locator(".sums div", { hasText: name }).locator("dd").innerText());
    assert.ok((await sum("failed")) > 0);
    assert.ok((await sum("tries again")) > 0);
    assert.equal(await sum("not stored"), 0);
    const sessions = await storedSessions();
    for (const [index, { sessionId }] of tracers.entries()) {
      const session = sessions.find((each) => each.session_id === sessionId);
      assert.deepEqual(session?.metadata, { first: index });
      assert.deepEqual(session?.feedback, { second: index });
    }
    await faults.click();
    await page.locator(".switch[aria-checked=false]").waitFor();
    const off = await (await fetch(`${backendUrl}/_local/faults`)).json();
    assert.deepEqual(off, []);
  });
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  for (const [name, size] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    test(`on a ${name}, ${colorScheme}: axe finds nothing in any view`, async () => {
      await withViewer({ ...size, colorScheme, reducedMotion: "reduce" }, async (page) => {
        await page.locator(".row").first().waitFor();
        const id = await page.locator(".row").first().getAttribute("href");
        for (const [place, sign] of [
          ["#list", ".row"],
          ["#figures", "figure svg"],
          ["#wire", "tbody tr"],
          [id, ".timeline .change"],
        ]) {
          await page.goto(`${viewerUrl}${place}`);
          await page.locator(`${sign}`).first().waitFor();
          await assertAccessible(page);
          await assertNoOverflow(page);
        }
      });
    });
  }
}

test("everything can be reached by keyboard", async () => {
  await withViewer(DESKTOP, async (page) => {
    await page.locator(".row").first().focus();
    await page.keyboard.press("Enter");
    await page.locator(".detail h2").waitFor();
    await page.waitForFunction(() => document.activeElement?.matches(".detail h2"));
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^The session (after change 1|now)$/ }).waitFor();
    await page.getByRole("switch", { name: "Faults" }).focus();
    await page.keyboard.press("Space");
    await page.locator(".switch[aria-checked=true]").waitFor();
    await page.keyboard.press("Space");
    await page.locator(".switch[aria-checked=false]").waitFor();
  });
});

/** 5,000 sessions may take so many times as long as a few do, on the same machine a moment before. */
const TIMES_AS_LONG = 5;

test("with 5,000 sessions the first content comes as soon as with a few, and so does an update", async () => {
  const few = {
    first: await firstContent(browser, viewerUrl),
    update: median(await updateTimes(browser, backendUrl, viewerUrl)),
  };
  const missing = 5000 - (await storedSessions()).length;
  let made = 0;
  const make = async () => {
    while (made < missing) {
      made += 1;
      const answer = await fetch(`${backendUrl}/v1/sessions`, {
        method: "POST",
        headers: { authorization: `Bearer ${LOCAL_KEY}`, "content-type": "application/json" },
        body: JSON.stringify({
          inputs: { question: `Question ${made}` },
          metadata: { variant: made % 2 ? "A" : "B", status: "completed" },
          user_properties: { plan: made % 3 ? "guest" : "member", device: "phone" },
        }),
      });
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 16 }, make));

  const first = await firstContent(browser, viewerUrl);
  assert.ok(first < TIMES_AS_LONG * few.first, `first content: ${first} ms, before ${few.first}`);
  const updates = await updateTimes(browser, backendUrl, viewerUrl);
  assert.ok(
    median(updates) < TIMES_AS_LONG * few.update,
    `updates: ${updates.map(Math.round)} ms, before ${few.update}`,
  );
  await withViewer(DESKTOP, (page) => untilCounted(page, 5000 + updates.length));
});
