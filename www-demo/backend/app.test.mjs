// The session and event routes over real HTTP: what is stored, what is refused, and how.

import assert from "node:assert/strict";
import { test } from "node:test";
import { backendFor } from "./test-client.mjs";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ABSENT = "99999999-9999-4999-8999-999999999999";

/**
 * @param {import("./test-client.mjs").Answer} answer
 * @param {number} status
 * @param {string} errorCode
 * @param {RegExp} [message]
 */
function assertRefused(answer, status, errorCode, message = /./) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.json.message, message);
  assert.deepEqual(answer.json, {
    statusCode: status,
    message: answer.json.message,
    success: false,
    errorCode,
  });
}

test("POST /v1/sessions stores every field and answers with the session event", async (t) => {
  const { ok, stored } = await backendFor(t);
  const id = crypto.randomUUID();
  const body = {
    session_id: id,
    session_name: "name",
    event_name: "event",
    source: "test",
    start_time: 1.5,
    end_time: 2,
    duration: 0.5,
    config: { model: "m" },
    inputs: { q: ["hi", null] },
    outputs: { a: { deep: true } },
    metadata: { n: 1, constructor: 2 },
    user_properties: { user_id: "u" },
    children_ids: ["c"],
  };
  const event = await ok("POST", "/v1/sessions", body);
  const { session_id, ...rest } = body;
  assert.deepEqual(event, {
    ...rest,
    event_id: id,
    session_id,
    parent_id: null,
    event_type: "session",
    error: null,
    metrics: {},
    feedback: {},
    org_id: "local",
    workspace_id: "local",
    project_id: "local",
  });
  assert.deepEqual(await stored(id), event);
});

test("a session_id that is missing or no UUID is replaced", async (t) => {
  const { ok, stored } = await backendFor(t);
  for (const body of [{}, { session_id: "my-session" }, { session_id: "" }]) {
    const event = await ok("POST", "/v1/sessions", { ...body, session_name: "n" });
    assert.match(event.session_id, UUID);
    assert.equal(event.event_id, event.session_id);
    assert.deepEqual(await stored(event.session_id), event);
  }
});

test("the event's name falls back to session_name, then to unknown", async (t) => {
  const { start } = await backendFor(t);
  assert.equal((await start({ session_name: "s", event_name: "e" })).event_name, "e");
  assert.equal((await start({ session_name: "s" })).event_name, "s");
  const before = Date.now();
  const bare = await start();
  assert.equal(bare.event_name, "unknown");
  assert.equal(bare.source, "unknown");
  const { start_time: at } = bare;
  assert.ok(before <= at && at <= Date.now(), `start_time is now, in ms: ${at}`);
});

test("a second start merges metadata and user_properties only", async (t) => {
  const { start } = await backendFor(t);
  const first = await start({
    session_name: "first",
    inputs: { q: 1 },
    metadata: { a: { x: 1 }, b: 1 },
    user_properties: { plan: "free" },
  });
  const second = await start({
    session_id: first.session_id,
    session_name: "second",
    inputs: { q: 2 },
    outputs: { o: 1 },
    config: { c: 1 },
    start_time: 7,
    metadata: { a: { y: 2 } },
    user_properties: { user_id: "u" },
  });
  assert.deepEqual(second, {
    ...first,
    metadata: { a: { y: 2 }, b: 1 },
    user_properties: { plan: "free", user_id: "u" },
  });
});

test("unknown properties and wrong types of a start are refused, by name", async (t) => {
  const { call, ok } = await backendFor(t);
  /** @type {[body: unknown, message: RegExp][]} */
  const refused = [
    [{ project: "p" }, /^project: unknown property$/],
    [{ feedback: {} }, /^feedback: unknown property$/],
    [{ session: {} }, /^session: unknown property$/],
    [{ constructor: 1 }, /^constructor: unknown property$/],
    ['{"__proto__":{"metadata":{}}}', /^__proto__: unknown property$/],
    [{ session_id: 5 }, /^session_id: must be a string$/],
    [{ session_name: null }, /^session_name: /],
    [{ source: {} }, /^source: /],
    [{ start_time: "2024-01-01" }, /^start_time: must be a number$/],
    [{ duration: null }, /^duration: /],
    [{ metadata: [] }, /^metadata: must be an object$/],
    [{ metadata: "m" }, /^metadata: /],
    [{ inputs: null }, /^inputs: /],
    [{ outputs: ["a"] }, /^outputs: /],
    [{ user_properties: 1 }, /^user_properties: /],
    [{ children_ids: ["a", 1] }, /^children_ids\.1: /],
    [{ children_ids: "a" }, /^children_ids: /],
    [{ metadata: 1, config: 2 }, /^config: .*; metadata: /],
    [[], /JSON object/],
    ["null", /JSON object/],
    ['"text"', /JSON object/],
    ["3", /JSON object/],
  ];
  for (const [body, message] of refused) {
    assertRefused(await call("POST", "/v1/sessions", body), 400, "BAD_REQUEST", message);
  }
  assert.deepEqual((await ok("GET", "/v1/sessions")).sessions, [], "none of it was stored");
});

test("PUT /v1/events/:id merges by top-level key and replaces outputs", async (t) => {
  const { start, update, stored } = await backendFor(t);
  const before = await start({ config: { temperature: 1 }, outputs: { old: 1 } });
  const id = before.session_id;
  await update(id, {
    metadata: { a: { x: 1 }, b: 1 },
    feedback: { rating: 5 },
    metrics: { n: 1, m: 1 },
    config: { model: "m" },
    user_properties: { u: 1 },
    outputs: { first: 1 },
    duration: 10,
    end_time: 20,
    children_ids: ["c1"],
  });
  await update(id, {
    metadata: { a: { y: 2 } },
    metrics: { n: 2 },
    outputs: { second: 2 },
    duration: 0,
    children_ids: ["c2", "c3"],
  });
  assert.deepEqual(await stored(id), {
    ...before,
    metadata: { a: { y: 2 }, b: 1 },
    feedback: { rating: 5 },
    metrics: { n: 2, m: 1 },
    config: { temperature: 1, model: "m" },
    user_properties: { u: 1 },
    outputs: { second: 2 },
    duration: 0,
    end_time: 20,
    children_ids: ["c2", "c3"],
  });
});

test("inputs, error, unknown fields and an empty children_ids of an update change nothing", async (t) => {
  const { start, update, stored } = await backendFor(t);
  const before = await start({ inputs: { q: 1 }, children_ids: ["c"] });
  const id = before.session_id;
  await update(id, {});
  await update(id, { inputs: { q: 2 }, error: "e", nonsense: [1], children_ids: [] });
  await update(id, { inputs: 3, error: { any: "type" }, event_id: 7, session_name: "n" });
  assert.deepEqual(await stored(id), before);
});

test("keys that trip up naive merging are data", async (t) => {
  const { start, ok, call } = await backendFor(t);
  const { session_id: id } = await start();
  await ok("PUT", `/v1/events/${id}`, '{"metadata":{"__proto__":{"a":1},"toString":1}}');
  await ok("PUT", `/v1/events/${id}`, '{"metadata":{"__proto__":{"b":2},"hasOwnProperty":2}}');
  const { text } = await call("GET", `/v1/sessions/${id}`);
  assert.match(text, /"metadata":\{"__proto__":\{"b":2\},"toString":1,"hasOwnProperty":2\}/);
});

test("wrong types of an update are refused and leave the session as it was", async (t) => {
  const { start, call, stored } = await backendFor(t);
  const before = await start();
  for (const field of ["metadata", "feedback", "metrics", "config", "user_properties", "outputs"]) {
    for (const value of [null, 1, "s", [], true]) {
      const answer = await call("PUT", `/v1/events/${before.session_id}`, {
        metadata: { good: 1 },
        [field]: value,
      });
      assertRefused(answer, 400, "BAD_REQUEST", new RegExp(`^${field}: must be an object$`));
    }
  }
  for (const body of [{ duration: "1" }, { end_time: null }, { children_ids: [1] }, []]) {
    const answer = await call("PUT", `/v1/events/${before.session_id}`, body);
    assertRefused(answer, 400, "BAD_REQUEST");
  }
  assert.deepEqual(await stored(before.session_id), before);
});

test("an update of a session that is not there is 404, of an id that is no UUID 400", async (t) => {
  const { call } = await backendFor(t);
  const update = { metadata: { a: 1 } };
  assertRefused(await call("PUT", `/v1/events/${ABSENT}`, update), 404, "EVENT_NOT_FOUND");
  assertRefused(await call("PUT", `/v1/events/${ABSENT}`, {}), 404, "EVENT_NOT_FOUND");
  assertRefused(await call("PUT", "/v1/events/my-session", update), 400, "BAD_REQUEST", /UUID/);
  assertRefused(await call("GET", `/v1/sessions/${ABSENT}`), 404, "EVENT_NOT_FOUND");
});

test("the legacy start takes {session}, which may carry project and more", async (t) => {
  const { ok, call, stored } = await backendFor(t);
  const id = crypto.randomUUID();
  const session = {
    session_id: id,
    session_name: "s",
    source: "prod",
    inputs: { q: 1 },
    project: "p",
    extra: 1,
  };
  const event = await ok("POST", "/session/start", { session });
  assert.deepEqual(await stored(id), event);
  assert.deepEqual([event.session_id, event.event_name, event.inputs], [id, "s", { q: 1 }]);
  assert.ok(!("project" in event) && !("extra" in event));
  const again = { session: { session_id: id, metadata: { run_id: "r" } } };
  assert.deepEqual(await ok("POST", "/session/start", again), {
    ...event,
    metadata: { run_id: "r" },
  });
  for (const body of [session, {}, { session: [] }, { session: "s" }, [session]]) {
    assertRefused(await call("POST", "/session/start", body), 400, "BAD_REQUEST", /^session must/);
  }
  const wrong = await call("POST", "/session/start", { session: { metadata: 1 } });
  assertRefused(wrong, 400, "BAD_REQUEST", /^metadata: /);
});

test("the legacy update needs event_id, and else does what the new one does", async (t) => {
  const { start, ok, call, stored } = await backendFor(t);
  const before = await start();
  const event_id = before.session_id;
  await ok("PUT", "/events", { event_id, metadata: { m: 1 }, inputs: { i: 1 }, error: "e" });
  await ok("PUT", "/events", { event_id, metadata: { n: 1 }, outputs: { o: 1 } });
  await ok("PUT", "/events", { event_id });
  assert.deepEqual(await stored(event_id), {
    ...before,
    metadata: { m: 1, n: 1 },
    outputs: { o: 1 },
  });
  for (const body of [{ metadata: {} }, { event_id: 5 }, { event_id: "my-session" }, []]) {
    assertRefused(await call("PUT", "/events", body), 400, "BAD_REQUEST");
  }
});

test("a legacy update makes no session, with data or without", async (t) => {
  const { ok, call, stored } = await backendFor(t);
  const withData = { event_id: ABSENT, metadata: { a: 1 } };
  for (const update of [withData, { event_id: ABSENT }]) {
    assertRefused(await call("PUT", "/events", update), 404, "EVENT_NOT_FOUND");
  }
  await ok("POST", "/session/start", { session: { session_id: ABSENT } });
  await ok("PUT", "/events", withData);
  assert.deepEqual((await stored(ABSENT)).metadata, { a: 1 });
});

test("without a bearer key there is 401, on every route", async (t) => {
  const { call } = await backendFor(t);
  for (const authorization of ["", "Bearer", "Bearer ", "Basic a2V5", "key-1", "Bearer a b"]) {
    for (const [method, path, body] of /** @type {const} */ ([
      ["POST", "/v1/sessions", {}],
      ["PUT", `/v1/events/${ABSENT}`, {}],
      ["POST", "/session/start", { session: {} }],
      ["PUT", "/events", { event_id: ABSENT }],
      ["POST", "/v1/events", {}],
      ["POST", "/v1/events/batch", {}],
      ["POST", "/v1/events/search", {}],
      ["GET", `/v1/events/${ABSENT}`, undefined],
      ["GET", `/v1/sessions/${ABSENT}`, undefined],
      ["GET", "/v1/sessions", undefined],
    ])) {
      const answer = await call(method, path, body, { headers: { authorization } });
      assertRefused(answer, 401, "UNAUTHORIZED");
    }
  }
});

test("a session belongs to its key; the same id under another key is another session", async (t) => {
  const { ok, call, start, stored } = await backendFor(t);
  const other = { headers: { authorization: "Bearer key-2" } };
  const mine = await start({ metadata: { of: 1 } });
  const id = mine.session_id;
  assert.equal((await call("GET", `/v1/sessions/${id}`, undefined, other)).status, 404);
  assert.equal((await call("PUT", `/v1/events/${id}`, { metadata: { x: 1 } }, other)).status, 404);
  await ok("POST", "/v1/sessions", { session_id: id, metadata: { of: 2 } }, other);
  await ok("PUT", `/v1/events/${id}`, { metrics: { n: 2 } }, other);
  assert.deepEqual(await stored(id), mine);
  const theirs = await ok("GET", `/v1/sessions/${id}`, undefined, other);
  assert.deepEqual([theirs.metadata, theirs.metrics], [{ of: 2 }, { n: 2 }]);
  assert.equal((await ok("GET", "/v1/sessions")).sessions.length, 1);
});

test("bodies that are no JSON by text or by type are refused", async (t) => {
  const { url, call, ok, start } = await backendFor(t);
  const { session_id: id } = await start();
  const path = `/v1/events/${id}`;
  for (const text of ["{", "{'a':1}", "undefined", "{}{}", "\u0000"]) {
    assertRefused(await call("PUT", path, text), 400, "BAD_REQUEST", /not valid JSON/);
  }
  assertRefused(await call("PUT", path, ""), 400, "BAD_REQUEST", /missing/);

  const authorization = "Bearer key-1";
  const badUtf8 = await fetch(url + path, {
    method: "PUT",
    headers: { authorization, "content-type": "application/json" },
    body: new Uint8Array([
      ...new TextEncoder().encode('{"metadata":{"a":"'),
      0xff,
      0x22,
      0x7d,
      0x7d,
    ]),
  });
  assert.equal(badUtf8.status, 400);
  assert.match(await badUtf8.text(), /UTF-8/);

  for (const type of [
    "text/plain",
    "text/plain;charset=UTF-8",
    "application/jsonp",
    "application/json; charset=latin1",
  ]) {
    const answer = await call("PUT", path, {}, { headers: { "content-type": type } });
    assertRefused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", /content-type/);
  }
  const untyped = await fetch(url + path, {
    method: "PUT",
    headers: { authorization },
    body: new TextEncoder().encode("{}"),
  });
  assert.equal(untyped.status, 415);
  const zipped = await call("PUT", path, {}, { headers: { "content-encoding": "gzip" } });
  assertRefused(zipped, 415, "UNSUPPORTED_MEDIA_TYPE", /content-encoding/);

  for (const type of [
    "application/json; charset=utf-8",
    'APPLICATION/JSON;charset="UTF-8"',
    "application/vnd.api+json",
  ]) {
    await ok("PUT", path, {}, { headers: { "content-type": type } });
  }
});

test("a body may have 5,000,000 bytes, announced or not, and no more", async (t) => {
  const { url, start, stored } = await backendFor(t);
  const { session_id: id } = await start();
  const frame = '{"metadata":{"a":""}}'.length;
  /**
   * @param {number} bytes
   * @param {boolean} announced
   */
  const put = async (bytes, announced) => {
    const text = `{"metadata":{"a":"${"x".repeat(bytes - frame)}"}}`;
    const init = {
      method: "PUT",
      headers: { authorization: "Bearer key-1", "content-type": "application/json" },
      body: announced ? text : new Blob([text]).stream(),
      duplex: "half",
    };
    const response = await fetch(`${url}/v1/events/${id}`, init);
    return { status: response.status, json: await response.json() };
  };
  for (const announced of [true, false]) {
    assert.equal((await put(5_000_000, announced)).status, 200);
    const { status, json } = await put(5_000_001, announced);
    assert.deepEqual([status, json.statusCode, json.errorCode], [413, 413, "PAYLOAD_TOO_LARGE"]);
  }
  assert.equal((await stored(id)).metadata.a.length, 5_000_000 - frame);
});

test("sessions are listed newest first, page by page, those of the key alone", async (t) => {
  const { ok, call, start } = await backendFor(t);
  /** @type {string[]} */
  const ids = [];
  for (let i = 0; i < 7; i += 1) ids.unshift((await start()).session_id);
  const other = { headers: { authorization: "Bearer key-2" } };
  await ok("POST", "/v1/sessions", {}, other);

  /** @type {string[]} */
  const seen = [];
  let query = "?limit=3";
  for (const length of [3, 3, 1]) {
    const { sessions, cursor } = await ok("GET", `/v1/sessions${query}`);
    assert.equal(sessions.length, length);
    seen.push(...sessions.map((/** @type {{session_id: string}} */ each) => each.session_id));
    assert.equal(cursor === null, length === 1);
    query = `?limit=3&cursor=${cursor}`;
  }
  assert.deepEqual(seen, ids);
  assert.equal((await ok("GET", "/v1/sessions")).sessions.length, 7);
  for (const bad of ["?limit=0", "?limit=x", "?limit=-1", "?limit=1.5", "?cursor=abc", "?limit="]) {
    assertRefused(await call("GET", `/v1/sessions${bad}`), 400, "BAD_REQUEST");
  }
});

test("a page holds 50 sessions unless told otherwise, and 1,000 at most", async (t) => {
  const { ok, start } = await backendFor(t);
  for (let i = 0; i < 1001; i += 91) {
    await Promise.all(Array.from({ length: Math.min(91, 1001 - i) }, () => start()));
  }
  for (const [query, length] of [
    ["", 50],
    ["?limit=999", 999],
    ["?limit=5000", 1000],
  ]) {
    assert.equal((await ok("GET", `/v1/sessions${query}`)).sessions.length, length);
  }
});

test("a page of any origin may call, with authorization and content-type alone", async (t) => {
  const { url, call } = await backendFor(t);
  const origin = "https://shop.example";
  for (const [method, path] of [
    ["POST", "/v1/sessions"],
    ["PUT", `/v1/events/${ABSENT}`],
    ["POST", "/session/start"],
    ["PUT", "/events"],
    ["GET", "/v1/sessions"],
  ]) {
    const preflight = await fetch(url + path, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": `${method}`,
        "access-control-request-headers": "authorization,content-type,hh-client-timestamp",
      },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
    assert.match(
      preflight.headers.get("access-control-allow-methods") ?? "",
      new RegExp(`${method}`),
    );
    assert.equal(
      preflight.headers.get("access-control-allow-headers"),
      "authorization,content-type",
    );
  }
  for (const path of ["/v1/sessions", "/nowhere"]) {
    const answer = await call("POST", path, { bad: 1 }, { headers: { origin } });
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    assert.ok(answer.status >= 400);
  }
});

test("other routes and methods are 404 in the same shape", async (t) => {
  const { call } = await backendFor(t);
  for (const [method, path] of /** @type {const} */ ([
    ["POST", "/v2/sessions"],
    ["PUT", "/v1/sessions"],
    ["POST", "/events/model"],
    ["GET", "/"],
    ["DELETE", `/v1/sessions/${ABSENT}`],
    ["GET", "/_local/nonsense"],
  ])) {
    assertRefused(await call(method, path), 404, "ROUTE_NOT_FOUND", /Cannot/);
  }
});
