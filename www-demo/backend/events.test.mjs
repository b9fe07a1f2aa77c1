// Events that are no sessions, over real HTTP: made, updated, read, searched for, and made by spans.

import assert from "node:assert/strict";
import { test } from "node:test";
import { backendFor } from "./test-client.mjs";

const ABSENT = "99999999-9999-4999-8999-999999999999";

test("POST /v1/events stores an event beside its session, which an update and a read then find", async (t) => {
  const { ok, start, stored } = await backendFor(t);
  const { session_id } = await start({ session_name: "chat" });
  const event = {
    event_id: crypto.randomUUID(),
    session_id,
    event_type: "model",
    event_name: "answer",
    source: "test",
    inputs: { q: "hi" },
    outputs: { a: "there" },
    config: { model: "m" },
    error: null,
    start_time: 5,
    end_time: 7,
    duration: 2,
    metadata: { a: 1 },
    metrics: { n: 1 },
    feedback: {},
    user_properties: { u: 1 },
    children_ids: [],
  };
  assert.deepEqual(await ok("POST", "/v1/events", event), {
    event_id: event.event_id,
    success: true,
  });
  const path = `/v1/events/${event.event_id}`;
  const origin = { org_id: "local", workspace_id: "local", project_id: "local" };
  const made = { ...event, parent_id: session_id, ...origin };
  assert.deepEqual(await ok("GET", path), made);

  await ok("PUT", path, { feedback: { thumb: "up" }, metadata: { b: 2 }, outputs: { a: "you" } });
  const updated = {
    ...made,
    feedback: { thumb: "up" },
    metadata: { a: 1, b: 2 },
    outputs: { a: "you" },
  };
  assert.deepEqual(await ok("GET", path), updated);

  // Made again, by a try again: what was said of it meanwhile is kept.
  await ok("POST", "/v1/events", event);
  assert.deepEqual(await ok("GET", path), { ...updated, outputs: { a: "there" } });

  assert.deepEqual((await stored(session_id)).feedback, {}, "the session has none of it");
  assert.deepEqual(await ok("GET", `/v1/events/${session_id}`), await stored(session_id));
  const [local] = await ok("GET", `/_local/sessions/${session_id}`);
  assert.deepEqual(
    local.events.map((/** @type {any} */ each) =>
      each.timeline.map((/** @type {any} */ c) => c.method),
    ),
    [["POST", "PUT", "POST"]],
  );
});

test("what is left out of an event is made: its id, its session, its parent", async (t) => {
  const { ok } = await backendFor(t);
  const { event_id } = await ok("POST", "/v1/events", { event_type: "tool", inputs: {} });
  const event = await ok("GET", `/v1/events/${event_id}`);
  assert.equal(event.parent_id, event.session_id);
  assert.deepEqual([event.event_name, event.source], ["unknown", "unknown"]);
  assert.equal((await ok("GET", `/v1/sessions/${event.session_id}`)).event_type, "session");
});

test("an event of type session is the session", async (t) => {
  const { ok, stored } = await backendFor(t);
  const session_id = crypto.randomUUID();
  const body = { event_type: "session", session_id, inputs: { q: 1 }, feedback: { rating: 5 } };
  assert.equal((await ok("POST", "/v1/events", body)).event_id, session_id);
  const { inputs, feedback } = await stored(session_id);
  assert.deepEqual([inputs, feedback], [{ q: 1 }, { rating: 5 }]);
});

test("wrong events are refused by name, and nothing of them is stored", async (t) => {
  const { call, ok, start } = await backendFor(t);
  const { session_id } = await start();
  for (const [body, message] of /** @type {[unknown, RegExp][]} */ ([
    [{ inputs: {} }, /^event_type: /],
    [{ event_type: "llm", inputs: {} }, /^event_type: must be model, tool, chain or session$/],
    [{ event_type: "tool" }, /^inputs: /],
    [{ event_type: "tool", inputs: {}, project: "p" }, /^project: unknown property$/],
    [{ event_type: "tool", inputs: {}, outputs: "text" }, /^outputs: /],
    [{ event_type: "tool", inputs: {}, event_id: "evt_1" }, /^event_id: must be a UUID$/],
    [{ event_type: "tool", inputs: {}, session_id: "s" }, /^session_id: must be a UUID$/],
    [{ event_type: "tool", inputs: {}, event_id: session_id }, /session of this id/],
  ])) {
    const answer = await call("POST", "/v1/events", body);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.json.message, message);
  }
  assert.equal((await call("PUT", `/v1/events/${ABSENT}`, { metadata: {} })).status, 404);
  assert.equal((await call("GET", `/v1/events/${ABSENT}`)).status, 404);
  assert.deepEqual((await ok("POST", "/v1/events/search", {})).count, 1);
});

test("an event belongs to its key", async (t) => {
  const { ok, call } = await backendFor(t);
  const other = { headers: { authorization: "Bearer key-2" } };
  const { event_id } = await ok("POST", "/v1/events", { event_type: "tool", inputs: {} });
  const path = `/v1/events/${event_id}`;
  assert.equal((await call("GET", path, undefined, other)).status, 404);
  assert.equal((await call("PUT", path, { metadata: { a: 1 } }, other)).status, 404);
  assert.equal((await ok("POST", "/v1/events/search", {}, other)).count, 0);
});

test("batches, with one session for all or each with its own", async (t) => {
  const { ok, call, start } = await backendFor(t);
  const events = [
    { event_type: "model", inputs: {}, event_name: "one" },
    { event_type: "tool", inputs: {}, event_name: "two" },
  ];
  const single = await ok("POST", "/v1/events/batch", {
    events,
    single_session: true,
    session_properties: { session_name: "s", metadata: { run_id: "r" } },
  });
  assert.equal(single.event_ids.length, 2);
  const [session] = await ok("GET", `/_local/sessions/${single.session_id}`);
  assert.equal(session.events.length, 2);
  assert.deepEqual(session.event.metadata, { run_id: "r" });

  const each = await ok("POST", "/v1/events/batch", { events });
  assert.equal(each.event_ids.length, 2);
  assert.equal("session_id" in each, false);

  const { session_id } = await start();
  await ok("POST", `/v1/sessions/${session_id}/events/batch`, { events });
  assert.equal((await ok("GET", `/_local/sessions/${session_id}`))[0].events.length, 2);
  const absent = await call("POST", `/v1/sessions/${ABSENT}/events/batch`, { events });
  assert.equal(absent.status, 404);
  assert.equal((await call("POST", "/v1/events/batch", { events: [{}] })).status, 400);
});

test("a search filters by path, date and run, newest first, page by page", async (t) => {
  const { ok, call, start } = await backendFor(t);
  const { session_id } = await start({ start_time: 1, metadata: { run_id: "r" } });
  for (const [i, plan] of ["pro", "free", "pro"].entries()) {
    await ok("POST", "/v1/events", {
      session_id,
      event_type: "model",
      event_name: `e${i}`,
      inputs: {},
      start_time: 1000 * (i + 1),
      metadata: { plan, deep: { n: i } },
    });
  }
  /** @param {any} search */
  const names = async (search) =>
    (await ok("POST", "/v1/events/search", search)).events.map(
      (/** @type {any} */ event) => event.event_name,
    );
  /** @param {string} field @param {string} operator @param {unknown} value */
  const by = (field, operator, value) => names({ filters: [{ field, operator, value }] });
  assert.deepEqual(await names({}), ["e2", "e1", "e0", "unknown"]);
  assert.deepEqual(await by("metadata.plan", "is", "pro"), ["e2", "e0"]);
  assert.deepEqual(await by("metadata.plan", "is not", "pro"), ["e1", "unknown"]);
  assert.deepEqual(await by("metadata.plan", "exists", null), ["e2", "e1", "e0"]);
  assert.deepEqual(await by("metadata.plan", "not exists", null), ["unknown"]);
  assert.deepEqual(await by("event_name", "contains", "e1"), ["e1"]);
  assert.deepEqual(await by("metadata.deep.n", "greater than", 0), ["e2", "e1"]);
  assert.deepEqual(await by("start_time", "before", 1500), ["e0", "unknown"]);
  assert.deepEqual(await by("session_id", "is", session_id), ["e2", "e1", "e0", "unknown"]);
  assert.deepEqual(await names({ evaluation_id: "r" }), ["unknown"]);
  assert.deepEqual(await names({ limit: 2, page: 2 }), ["e0", "unknown"]);
  const dateRange = { start_time: "1970-01-01T00:00:02Z", end_time: "1970-01-01T00:00:03Z" };
  assert.deepEqual(await names({ dateRange }), ["e2", "e1"]);
  for (const bad of [{ limit: 1001 }, { page: 0 }, { project: "p" }, { filters: [{}] }]) {
    assert.equal((await call("POST", "/v1/events/search", bad)).status, 400);
  }
});

test("the legacy route takes {event}, and a legacy update of it", async (t) => {
  const { ok, call, mode } = await backendFor(t);
  await mode({ routes: "legacy" });
  const event = { event_type: "model", inputs: {}, project: "p" };
  const { event_id } = await ok("POST", "/events", { event });
  await ok("PUT", "/events", { event_id, feedback: { thumb: "up" } });
  assert.equal((await call("POST", "/events", event)).status, 400);
  assert.equal((await call("GET", `/v1/events/${event_id}`)).status, 404);
  await mode({});
  assert.deepEqual((await ok("GET", `/v1/events/${event_id}`)).feedback, { thumb: "up" });
  await mode({ reads: false });
  const missing = await call("GET", `/v1/events/${event_id}`);
  assert.deepEqual([missing.status, missing.json.errorCode], [404, "ROUTE_NOT_FOUND"]);
});

test("a span that names its event makes it, and keeps a rating that came before the span again", async (t) => {
  const { ok, start } = await backendFor(t);
  const { session_id } = await start();
  const event_id = crypto.randomUUID();
  const text = (/** @type {string} */ key, /** @type {string} */ stringValue) => ({
    key,
    value: { stringValue },
  });
  const span = {
    traceId: "1".repeat(32),
    spanId: "2".repeat(16),
    name: "answer",
    startTimeUnixNano: "1000000000",
    endTimeUnixNano: "3000000000",
    attributes: [
      text("honeyhive.session_id", session_id),
      text("honeyhive_event_id", event_id),
      text("honeyhive_event_type", "model"),
      text("honeyhive_metadata.plan", "pro"),
      text("honeyhive_outputs.text", "hi"),
    ],
  };
  const traces = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };
  await ok("POST", "/opentelemetry/v1/traces", traces);
  await ok("PUT", `/v1/events/${event_id}`, { feedback: { thumb: "down" } });
  await ok("POST", "/opentelemetry/v1/traces", traces);
  const event = await ok("GET", `/v1/events/${event_id}`);
  assert.deepEqual(
    [event.session_id, event.event_type, event.event_name, event.start_time, event.duration],
    [session_id, "model", "answer", 1000, 2000],
  );
  assert.deepEqual(
    [event.metadata, event.outputs, event.feedback],
    [{ plan: "pro" }, { text: "hi" }, { thumb: "down" }],
  );
});
