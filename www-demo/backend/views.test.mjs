// What the viewer asks the backend in workerd: each answer held against all that is stored, and what is told
// without asking.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { startBackendInWorkerd } from "./workerd.mjs";

/** @typedef {{[name: string]: any}} Json */

/** @type {Awaited<ReturnType<typeof startBackendInWorkerd>>} */
let backend;
before(async () => {
  backend = await startBackendInWorkerd();
});
after(() => backend?.close());
beforeEach(() => fetch(`${backend.url}/_local`, { method: "DELETE" }));

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {string} [timestamp]
 * @returns {Promise<{status: number, json: any}>}
 */
async function call(method, path, body, timestamp) {
  const answer = await fetch(backend.url + path, {
    method,
    headers: {
      authorization: "Bearer k",
      "content-type": "application/json",
      ...(timestamp ? { "hh-client-timestamp": timestamp } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: await answer.json() };
}

/** @param {string} path */
const view = async (path) => (await call("GET", `/_local/view/${path}`)).json;

/** @param {Json} [start] @param {Json} [update] @returns {Promise<string>} the id */
async function session(start = {}, update) {
  const { json } = await call("POST", "/v1/sessions", start);
  if (update) await call("PUT", `/v1/events/${json.session_id}`, update);
  return json.session_id;
}

test("sessions are filtered by each of their columns, and together, page by page", async () => {
  /** @type {{id: string, variant: string, rating: number | undefined, plan: string, question: string}[]} */
  const made = [];
  for (let i = 0; i < 24; i += 1) {
    const variant = i % 2 ? "B" : "A";
    const rating = i % 3 ? (i % 5) + 1 : undefined;
    const plan = i % 4 ? "guest" : "member";
    const question = i % 6 ? `Question ${i}` : `100%_sure's "${i}"`;
    const id = await session(
      { inputs: { question }, metadata: { variant }, user_properties: { plan, user_id: `u${i}` } },
      rating === undefined ? undefined : { feedback: { rating } },
    );
    made.push({ id, variant, rating, plan, question });
  }
  /** @type {[query: string, passes: (each: (typeof made)[number]) => boolean][]} */
  const cases = [
    ["", () => true],
    ["variant=B", (each) => each.variant === "B"],
    ["rating=3", (each) => each.rating === 3],
    ["rating=none", (each) => each.rating === undefined],
    ["property=plan%3Dmember", (each) => each.plan === "member"],
    ["property=plan%3Dmember&variant=A", (each) => each.plan === "member" && each.variant === "A"],
    ["q=100%25_sure", (each) => each.question.startsWith("100%_sure")],
    ["q=%25", (each) => each.question.includes("%")],
    ["q=QUESTION", (each) => /question/i.test(each.question)],
    ["q=u7", (each) => each.id.includes("u7") || each.question === "Question 7"],
    ["q=sure's", (each) => each.question.includes("sure's")],
    ["variant=C", () => false],
  ];
  for (const [query, passes] of cases) {
    const wanted = made.filter(passes).toReversed();
    const seen = [];
    let next = "";
    do {
      const page = await view(`sessions?${query}&limit=5${next}`);
      assert.equal(page.total, wanted.length, query);
      seen.push(...page.sessions.map((/** @type {Json} */ row) => row.id));
      next = page.cursor === null ? "" : `&before=${page.cursor}`;
    } while (next);
    assert.deepEqual(
      seen,
      wanted.map(({ id }) => id),
      query,
    );
  }
  assert.equal((await call("GET", "/_local/view/sessions?property=plan")).status, 400);
});

test("a row has what the session says, under the names that are usual", async () => {
  const id = await session(
    { inputs: { question: "Why?" }, metadata: { variant: "A", status: "started" } },
    {
      metrics: { cost_usd: 0.5, answer_ms: 900, total_tokens: 7, enrichments: 3 },
      feedback: { thumbs_up: 1, rating: 4 },
      end_time: 50_000,
      duration: 20_000,
    },
  );
  const { sessions } = await view("sessions");
  const { updated_at, ...row } = sessions[0];
  assert.ok(updated_at > 0);
  assert.deepEqual(row, {
    number: 1,
    id,
    changes: 2,
    started_at: 30_000,
    status: "started",
    variant: "A",
    rating: 4,
    thumbs_up: 1,
    thumbs_down: null,
    cost: 0.5,
    latency: 900,
    tokens: 7,
    said: 3,
    user: null,
    title: "Why?",
  });
  assert.deepEqual(await view("points"), {
    started_at: [30_000],
    variant: ["A"],
    cost: [0.5],
    latency: [900],
    rating: [4],
  });
});

test("facets count what can be chosen, and follow a property that changes", async () => {
  const id = await session({ metadata: { variant: "A" }, user_properties: { plan: "guest" } });
  await session({ metadata: { variant: "A" }, user_properties: { plan: "guest", beta: true } });
  await call("PUT", `/v1/events/${id}`, { user_properties: { plan: "member" } });
  assert.deepEqual(await view("facets"), {
    variants: [{ value: "A", count: 2 }],
    statuses: [],
    ratings: [],
    properties: [
      { name: "beta", choices: [{ value: "true", count: 1 }] },
      {
        name: "plan",
        choices: [
          { value: "guest", count: 1 },
          { value: "member", count: 1 },
        ],
      },
    ],
  });
  await call("PUT", `/v1/events/${id}`, { user_properties: { plan: { no: "scalar" } } });
  const { properties } = await view("facets");
  assert.deepEqual(properties[1].choices, [{ value: "guest", count: 1 }]);
});

test("the wire counts tries, and knows what is not stored yet", async () => {
  const id = await session();
  const path = `/v1/events/${id}`;
  await call("PUT", "/_local/faults", [{ times: 2, status: 503 }]);
  for (const open of [1, 1, 0]) {
    await call("PUT", path, { metadata: { a: 1 } }, "123000");
    assert.equal((await view("wire")).sums.open, open);
  }
  await call("PUT", path, { metadata: "no object" }, "456000");
  await call("PUT", "/_local/faults", [{ times: 1, status: 500, stored: true }]);
  await call("PUT", path, { metadata: { a: 2 } }, "789000");
  const { sums, requests } = await view(`wire?session=${id}`);
  assert.deepEqual(
    requests.map((/** @type {Json} */ each) => [each.try, each.status, each.stored]),
    [
      [1, 500, 1],
      [1, 400, 0],
      [3, 200, 1],
      [2, 503, 0],
      [1, 503, 0],
      [1, 200, 1],
    ],
  );
  const { requests: all, retries, failed, refused, open } = sums;
  assert.deepEqual([all, retries, failed, refused, open], [6, 2, 3, 1, 0]);
});

test("who follows is told of what passes the filters, and that all is forgotten", async (t) => {
  const leave = new AbortController();
  t.after(() => leave.abort());
  const stream = await fetch(`${backend.url}/_local/view/live?variant=B`, {
    signal: leave.signal,
  });
  const news = newsOf(stream);
  const a = await session({ metadata: { variant: "A" } });
  const first = await news();
  assert.deepEqual([first.isWhole, first.changed.length, first.sessions], [true, 1, []]);
  const b = await session({ metadata: { variant: "B" } });
  const second = await news();
  assert.deepEqual(
    second.sessions.map((/** @type {Json} */ row) => row.id),
    [b],
  );
  assert.equal(second.sums.sessions, 2);
  await call("PUT", `/v1/events/${a}`, { metadata: { variant: "B" } });
  const third = await news();
  assert.deepEqual([third.sessions[0].id, third.requests[0].method], [a, "PUT"]);
  await call("DELETE", "/_local");
  assert.equal((await news()).isWhole, false);
});

/**
 * @param {Response} stream
 * @returns {() => Promise<any>} the next event
 */
function newsOf(stream) {
  assert.ok(stream.body);
  const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return async () => {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end >= 0) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        if (event.startsWith("data: ")) return JSON.parse(event.slice("data: ".length));
        continue;
      }
      text += (await reader.read()).value ?? "";
    }
  };
}
