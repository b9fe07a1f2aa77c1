// The check behind ONCE=1's exit code, and the printing: a session that lacks anything said in the
// conversation is called out by name, a whole one is not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvent } from "./backend/event.js";
import { startSession, updateEvent } from "./backend/session.js";
import { missingFrom, unratedAmong } from "./check-session.mjs";
import { printSession } from "./print-session.mjs";

/** @typedef {import("./backend/session.js").SessionEvent} SessionEvent */

/** @param {number} cost */
const used = (cost) => ({ model_calls: 1, total_tokens: 10, cost_usd: cost });

/** @type {import("./script.mjs").Played} */
const PLAYED = {
  sessionId: "3cd7a5a0-5a4e-4f6c-8f3e-0c5b0f5f9d11",
  variant: "B",
  visitor: { id: "v1", locale: "de", device: "phone" },
  overall: 5,
  problems: [],
  turns: [
    { question: "Q1", answer: "A1", used: [used(0.1), used(0.2)], rating: { thumb: "up" } },
    { question: "Q2", answer: "A2", used: [used(0.3)], rating: { thumb: "down", comment: "Hm." } },
  ],
};

const STARTED = startSession(
  PLAYED.sessionId,
  {
    session_name: "chat",
    inputs: { question: "Q1" },
    metadata: { variant: "B" },
    user_properties: { user_id: "v1", locale: "de", device: "phone" },
  },
  Date.UTC(2026, 0, 2, 3, 4, 5),
);

const WHOLE = updateEvent(STARTED, {
  outputs: { answer: "A2", turns: 2 },
  metadata: { status: "completed", turn: 2 },
  // Added up in another order: not the same last digit as 0.1 + 0.2 + 0.3.
  metrics: { model_calls: 3, total_tokens: 30, cost_usd: 0.3 + 0.2 + 0.1 },
  feedback: {
    rating: 5,
    thumbs_up: 1,
    thumbs_down: 1,
    answer_1: { thumb: "up" },
    answer_2: { thumb: "down", comment: "Hm." },
  },
  duration: 61_400,
  end_time: Date.UTC(2026, 0, 2, 3, 5, 6),
});

test("a whole session lacks nothing", () => {
  assert.deepEqual(missingFrom(WHOLE, PLAYED), []);
});

test("whatever is missing or wrong is named", () => {
  /** @type {[Partial<SessionEvent>, RegExp][]} */
  const cases = [
    [{ inputs: {} }, /^inputs\.question should be Q1; stored is nothing\.$/],
    [{ outputs: { answer: "A1", turns: 2 } }, /^outputs\.answer should be A2; stored is A1\.$/],
    [{ metrics: { ...WHOLE.metrics, total_tokens: 20 } }, /^metrics\.total_tokens should be 30/],
    [{ metrics: { ...WHOLE.metrics, cost_usd: 0.5 } }, /cost_usd should be \$0.6; stored is \$0.5/],
    [{ feedback: { ...WHOLE.feedback, answer_2: { thumb: "down" } } }, /^feedback\.answer_2 /],
    [{ user_properties: { user_id: "v2", locale: "de", device: "phone" } }, /user_id should be v1/],
    [
      { metadata: { ...WHOLE.metadata, status: "failed" } },
      /^metadata\.status should be completed/,
    ],
    [{ end_time: null }, /no end/],
    [{ duration: null }, /no duration/],
  ];
  for (const [change, sentence] of cases) {
    const missing = missingFrom({ ...WHOLE, ...change }, PLAYED);
    assert.equal(missing.length, 1, String(missing));
    assert.match(missing[0], sentence);
  }
});

test("what was dropped on the way is a problem even if the session looks whole", () => {
  const problems = ["The thumb on answer 1 was dropped: 401."];
  assert.deepEqual(missingFrom(WHOLE, { ...PLAYED, problems }), problems);
});

test("prints fields in order and in human units, and no JSON", () => {
  const printed = printSession(WHOLE);
  assert.match(printed, /^ {2}started +2026-01-02 03:04:05 UTC$/m);
  assert.match(printed, /^ {2}lasted +1 min 1 s$/m);
  assert.match(printed, /^ {2}cost_usd +\$0\.6$/m);
  assert.match(printed, /^ {2}answer_2 +thumb: down, comment: Hm\.$/m);
  assert.doesNotMatch(printed, /[{}"]/);
  const titles = [...printed.matchAll(/^\S.*$/gm)].map(([title]) => title);
  const groups = ["Inputs", "Outputs", "Metadata", "Metrics", "Feedback", "User properties"];
  assert.deepEqual(titles, [`Session ${PLAYED.sessionId}`, ...groups]);
});

test("a session that has not ended yet says so", () => {
  assert.match(printSession(STARTED), /^ {2}ended +not yet$/m);
});

test("an answer whose event is not rated as the visitor rated it is named", () => {
  const [first, second] = ["e1", "e2"].map((id) =>
    createEvent(id, PLAYED.sessionId, { event_type: "model", inputs: {} }, 0),
  );
  assert.ok(first && second);
  const turns = PLAYED.turns.map((turn, index) => ({
    ...turn,
    event: { eventId: `e${index + 1}`, ticket: "" },
  }));
  const rated = turns.map(({ rating }) => ({ feedback: { ...rating } }));
  const whole = [updateEvent(first, rated[0] ?? {}), updateEvent(second, rated[1] ?? {})];
  assert.deepEqual(unratedAmong(whole, { ...PLAYED, turns }), []);
  const [missing] = unratedAmong([first, ...whole.slice(1)], { ...PLAYED, turns });
  assert.match(missing ?? "", /^The event of answer 1 should be rated /);
  assert.equal(unratedAmong([], { ...PLAYED, turns }).length, 2);
});
