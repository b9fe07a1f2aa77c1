// The route for spans, over real HTTP: where spans are stored, what is refused, and how.

import assert from "node:assert/strict";
import { test } from "node:test";
import { backendFor } from "./test-client.mjs";

const PATH = "/opentelemetry/v1/traces";
const TRACE = "0af7651916cd43dd8448eb211c80319c";

let last = 0;

/**
 * @param {{[name: string]: unknown}} attributes in OTLP's form
 * @param {object} [more]
 */
function span(attributes, more = {}) {
  return {
    traceId: TRACE,
    spanId: (++last).toString(16).padStart(16, "0"),
    name: "step",
    kind: 1,
    startTimeUnixNano: "1700000000000000001",
    endTimeUnixNano: "1700000001000000002",
    attributes: Object.entries(attributes).map(([key, value]) => ({ key, value })),
    ...more,
  };
}

/** @param {...object} spans */
const traces = (...spans) => ({
  resourceSpans: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "chat" } }] },
      scopeSpans: [{ scope: { name: "ai" }, spans }],
    },
  ],
});

/** @param {string} id */
const inSession = (id) => ({ "honeyhive.session_id": { stringValue: id } });
const may = { "honeyhive.session_auto_create": { boolValue: true } };

test("a span is stored beside its session's enrichments", async (t) => {
  const { ok, start, update } = await backendFor(t);
  const { session_id: id } = await start({ session_name: "chat" });
  await update(id, { metadata: { a: 1 } });
  const sent = span(
    {
      ...inSession(id),
      text: { stringValue: "t" },
      yes: { boolValue: true },
      whole: { intValue: "12" },
      number: { intValue: 13 },
      half: { doubleValue: 0.5 },
      list: { arrayValue: { values: [{ intValue: 1 }, {}] } },
      map: { kvlistValue: { values: [{ key: "k", value: { stringValue: "v" } }] } },
    },
    {
      parentSpanId: "00f067aa0ba902b7",
      events: [{ name: "e", timeUnixNano: 1_700_000_000_000_000, attributes: [] }],
      links: [{ traceId: TRACE, spanId: "00f067aa0ba902b7" }],
      status: { code: 2, message: "bad" },
      somethingNewer: true,
    },
  );
  assert.deepEqual(await ok("POST", PATH, traces(sent)), {});
  const [row] = await ok("GET", `/_local/sessions/${id}`);
  assert.deepEqual(row.event.metadata, { a: 1 });
  assert.equal(row.timeline.length, 2);
  assert.deepEqual(row.spans, [
    {
      trace_id: TRACE,
      span_id: sent.spanId,
      parent_id: "00f067aa0ba902b7",
      name: "step",
      kind: 1,
      start_time: "1700000000000000001",
      end_time: "1700000001000000002",
      attributes: {
        "honeyhive.session_id": id,
        text: "t",
        yes: true,
        whole: 12,
        number: 13,
        half: 0.5,
        list: [1, null],
        map: { k: "v" },
      },
      events: [{ name: "e", time: "1700000000000000", attributes: {} }],
      links: [{ trace_id: TRACE, span_id: "00f067aa0ba902b7", attributes: {} }],
      status: { code: 2, message: "bad" },
      dropped_attributes_count: 0,
      scope: "ai",
      resource: { "service.name": "chat" },
    },
  ]);
});

test("the session is looked for in three attributes, in their order", async (t) => {
  const { ok, start } = await backendFor(t);
  const ids = [await start(), await start(), await start()].map(({ session_id }) => session_id);
  const [first, second, third] = ids.map((id) => ({ stringValue: id }));
  const names = {
    "honeyhive.session_id": first,
    "traceloop.association.properties.session_id": second,
    "session.id": third,
  };
  await ok(
    "POST",
    PATH,
    traces(
      span({ "session.id": third }, { name: "3" }),
      span({ ...names, "honeyhive.session_id": { stringValue: "" } }, { name: "2" }),
      span(names, { name: "1" }),
    ),
  );
  for (const [place, id] of ids.entries()) {
    const [{ spans }] = await ok("GET", `/_local/sessions/${id}`);
    assert.deepEqual(
      spans.map((/** @type {any} */ it) => it.name),
      [`${place + 1}`],
    );
  }
});

test("a session that is not there is made where the span allows it, and else the span is refused", async (t) => {
  const { ok, stored, start } = await backendFor(t);
  const made = crypto.randomUUID();
  const name = { "honeyhive.session_name": { stringValue: "made" } };
  const source = { "honeyhive.source": { stringValue: "test" } };
  const refused = crypto.randomUUID();
  const { partialSuccess } = await ok(
    "POST",
    PATH,
    traces(
      span({ ...inSession(made), ...may, ...name, ...source }),
      span(inSession(refused)),
      span({ ...inSession("no-uuid"), ...may }),
    ),
  );
  assert.deepEqual(partialSuccess, {
    rejectedSpans: "2",
    errorMessage: `no session ${refused}`,
  });
  const event = await stored(made);
  assert.deepEqual([event.session_name, event.source], ["made", "test"]);
  // A start that comes later finds it, as if it had been first.
  await start({ session_id: made, metadata: { late: true } });
  assert.deepEqual((await stored(made)).metadata, { late: true });
  const [{ spans }] = await ok("GET", `/_local/sessions/${made}`);
  assert.equal(spans.length, 1);
});

test("spans of no session are kept by their key; the same span again is the same span", async (t) => {
  const { ok } = await backendFor(t);
  const stray = span({ n: { intValue: 1 } });
  await ok("POST", PATH, traces(stray));
  await ok("POST", PATH, traces({ ...stray, name: "again" }));
  const kept = await ok("GET", "/_local/spans?key=key-1");
  assert.deepEqual(
    kept.map((/** @type {any} */ it) => it.name),
    ["again"],
  );
  assert.deepEqual(await ok("GET", "/_local/spans?key=key-2"), []);
});

test("another key's session is not there", async (t) => {
  const { call, start } = await backendFor(t);
  const { session_id: id } = await start();
  const headers = { authorization: "Bearer key-2" };
  const { json } = await call("POST", PATH, traces(span(inSession(id))), { headers });
  assert.equal(json.partialSuccess.errorMessage, `no session ${id}`);
});

test("what is no OTLP is refused whole", async (t) => {
  const { call, ok } = await backendFor(t);
  for (const [body, message] of /** @type {[unknown, RegExp][]} */ ([
    [{}, /resourceSpans/],
    [{ resourceSpans: {} }, /resourceSpans/],
    [traces(span({}, { traceId: "0".repeat(32) })), /traceId: must be 32/],
    [traces(span({}, { spanId: "xyz" })), /spanId: must be 16/],
    [traces(span({}, { startTimeUnixNano: "1.5e18" })), /startTimeUnixNano/],
    [traces(span({}, { kind: 6 })), /kind/],
    [traces(span({}, { name: "" })), /name/],
    [traces(span({ a: { stringValue: 1 } })), /attributes/],
    [traces(span({ a: { intValue: 1, boolValue: true } })), /attributes/],
    [traces(span({ a: { intValue: 0.5 } })), /attributes/],
  ])) {
    const { status, json } = await call("POST", PATH, body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(json.message, message);
  }
  const protobuf = { headers: { "content-type": "application/x-protobuf" } };
  assert.equal((await call("POST", PATH, "x", protobuf)).status, 415);
  const keyless = { headers: { authorization: "" } };
  assert.equal((await call("POST", PATH, traces(), keyless)).status, 401);
  assert.deepEqual(await ok("GET", "/_local/spans?key=key-1"), []);
});

test("older deployments have the route, what is no HoneyHive has not, and faults meet it", async (t) => {
  const { call, mode, faults, stats } = await backendFor(t);
  for (const [routes, status] of [
    ["legacy", 200],
    ["v1", 200],
    ["none", 404],
  ]) {
    await mode({ routes });
    assert.equal((await call("POST", PATH, traces(span({})))).status, status);
  }
  await mode({ routes: "all" });
  await faults([{ match: { path: PATH }, times: 1, status: 503, retryAfter: 1 }]);
  assert.equal((await call("POST", PATH, traces(span({})))).status, 503);
  assert.equal((await call("POST", PATH, traces(span({})))).status, 200);
  assert.equal((await stats()).byRoute[`POST ${PATH}`], 5);
});
