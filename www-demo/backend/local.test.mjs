// The test side: log, timeline, statistics, modes, and starting over.

import assert from "node:assert/strict";
import { test } from "node:test";
import { backendFor, eventually } from "./test-client.mjs";

/** @param {string} timestamp */
const at = (timestamp) => ({ headers: { "hh-client-timestamp": timestamp } });

test("the log tells of each request what came and how it ended", async (t) => {
  const { call, start, requests } = await backendFor(t);
  const before = Date.now();
  const { session_id: id } = await start({ metadata: { a: 1 } });
  const raw = '{ "metadata": {"b": 1.0} }';
  const headers = { "hh-client-timestamp": "1700000000000000001", "HH-Client-Language": "js" };
  await call("PUT", `/v1/events/${id}?x=1`, raw, { headers });
  await call("POST", "/session/start", "no json");
  await call("GET", `/v1/sessions/${id}`, undefined, { headers: { authorization: "" } });

  const [first, second, third, fourth, ...rest] = await requests();
  assert.deepEqual(rest, []);
  assert.deepEqual(first.body, { session_id: id, metadata: { a: 1 } });
  assert.ok(before <= first.at && first.at <= Date.now() && first.ms >= 0);
  const { at: _at, ms: _ms, headers: sent, ...fields } = second;
  assert.deepEqual(fields, {
    seq: 2,
    method: "PUT",
    path: `/v1/events/${id}`,
    query: "?x=1",
    key: "key-1",
    session: id,
    timestamp: "1700000000000000001",
    raw,
    body: { metadata: { b: 1 } },
    bytes: raw.length,
    stored: true,
    status: 200,
    fate: "answered",
    fault: null,
  });
  assert.equal(sent["hh-client-language"], "js");
  assert.equal(sent.authorization, "Bearer key-1");
  assert.deepEqual(
    [third.raw, third.body, third.status, third.stored, third.session],
    ["no json", null, 400, false, null],
  );
  assert.deepEqual([fourth.status, fourth.key, fourth.session], [401, null, id]);
});

test("the log can be asked for what came since, of one session, and so many", async (t) => {
  const { start, update, requests } = await backendFor(t);
  const one = await start();
  const two = await start();
  for (let i = 0; i < 3; i += 1) await update(one.session_id, { metrics: { i } });
  await update(two.session_id, {});
  /** @param {string} query */
  const seqs = async (query) => (await requests(query)).map((/** @type {any} */ each) => each.seq);
  assert.deepEqual(await seqs(""), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await seqs("?since=4"), [5, 6]);
  assert.deepEqual(await seqs(`?session=${two.session_id}`), [2, 6]);
  assert.deepEqual(await seqs("?since=1&limit=2"), [2, 3]);
  assert.deepEqual(await seqs("?since=6"), []);
});

test("a session the server named is logged under that name", async (t) => {
  const { ok, requests } = await backendFor(t);
  const { session_id: id } = await ok("POST", "/v1/sessions", { session_id: "my-session" });
  assert.equal((await requests())[0].session, id);
});

test("log and bodies are bounded, the newest stay", async (t) => {
  const { start, update, requests, stats } = await backendFor(t, { logRecords: 3, logBytes: 1000 });
  const { session_id: id } = await start();
  for (let i = 0; i < 4; i += 1) await update(id, { metadata: { i } });
  assert.deepEqual(
    (await requests()).map((/** @type {any} */ each) => each.seq),
    [3, 4, 5],
  );
  await update(id, { metadata: { long: "x".repeat(5000) } });
  assert.deepEqual(
    (await requests()).map((/** @type {any} */ each) => each.seq),
    [6],
  );
  const { requests: size } = await stats();
  assert.deepEqual([size.total, size.kept], [6, 1]);
});

test("each session has a timeline of what changed it, and of nothing else", async (t) => {
  const { ok, call, start, update } = await backendFor(t);
  const { session_id: id } = await start({ metadata: { a: 1 } });
  await call("PUT", `/v1/events/${id}`, { metadata: 1 });
  const change = { outputs: { o: 1 }, inputs: { ignored: true } };
  await ok("PUT", `/v1/events/${id}`, change, { headers: { "hh-client-timestamp": "5" } });
  await ok("POST", "/session/start", { session: { session_id: id } });
  await update((await start()).session_id, {});

  const [row, ...others] = await ok("GET", `/_local/sessions/${id}`);
  assert.deepEqual(others, []);
  assert.deepEqual([row.key, row.number, row.changes], ["key-1", 1, 3]);
  assert.deepEqual(row.event, await ok("GET", `/v1/sessions/${id}`));
  assert.equal(row.updatedAt, row.timeline.at(-1).at);
  assert.deepEqual(
    row.timeline.map((/** @type {any} */ { at: _at, ...each }) => each),
    [
      {
        seq: 1,
        method: "POST",
        path: "/v1/sessions",
        timestamp: null,
        body: { session_id: id, metadata: { a: 1 } },
      },
      { seq: 3, method: "PUT", path: `/v1/events/${id}`, timestamp: "5", body: change },
      {
        seq: 4,
        method: "POST",
        path: "/session/start",
        timestamp: null,
        body: { session: { session_id: id } },
      },
    ],
  );
});

test("/_local/sessions shows the sessions of all keys", async (t) => {
  const { ok, call, start } = await backendFor(t);
  const { session_id: id } = await start();
  const other = { headers: { authorization: "Bearer key-2" } };
  await ok("POST", "/v1/sessions", { session_id: id }, other);
  await start();
  const page = await ok("GET", "/_local/sessions?limit=2");
  assert.deepEqual(
    page.sessions.map((/** @type {any} */ each) => [each.key, each.number, "timeline" in each]),
    [
      ["key-1", 3, false],
      ["key-2", 2, false],
    ],
  );
  const last = await ok("GET", `/_local/sessions?limit=2&cursor=${page.cursor}`);
  assert.deepEqual([last.sessions.length, last.cursor], [1, null]);
  assert.deepEqual(
    (await ok("GET", `/_local/sessions/${id}`)).map((/** @type {any} */ each) => each.key),
    ["key-1", "key-2"],
  );
  assert.equal((await call("GET", `/_local/sessions/${crypto.randomUUID()}`)).status, 404);
});

test("overlapping requests of one session are found, those of two are not", async (t) => {
  const { start, update, faults, stats } = await backendFor(t);
  const ids = [(await start()).session_id, (await start()).session_id];
  await faults([{ delayMs: 60 }]);
  await Promise.all(ids.map((id) => update(id, {})));
  const apart = await stats();
  assert.equal(apart.overlaps.count, 0);
  assert.deepEqual([apart.inFlight.max, apart.inFlight.maxPerSession], [2, 1]);

  await Promise.all([update(ids[0], {}), update(ids[0], {}), update(ids[1], {})]);
  const together = await stats();
  assert.deepEqual(together.inFlight, { now: 0, max: 3, maxPerSession: 2, session: ids[0] });
  assert.equal(together.overlaps.count, 1);
  assert.equal(together.overlaps.samples[0].session, ids[0]);
});

test("reading back and preflights are no writes, and do not count as such", async (t) => {
  const { call, start, update, stored, stats } = await backendFor(t);
  const { session_id: id } = await start();
  await stored(id);
  await call("OPTIONS", `/v1/events/${id}`);
  await update(id, {});
  const { inFlight, timestamps } = await stats();
  assert.deepEqual([inFlight.now, inFlight.maxPerSession, timestamps.missing], [0, 1, 2]);
});

test("a session that the server names anew does not seem to overlap itself", async (t) => {
  const { ok, stats } = await backendFor(t);
  for (let i = 0; i < 3; i += 1) await ok("POST", "/v1/sessions", { session_id: "my-session" });
  const { inFlight, overlaps } = await stats();
  assert.deepEqual([inFlight.maxPerSession, overlaps.count], [1, 0]);
});

test("timestamps that go back and writes stored twice are found", async (t) => {
  const { ok, start, faults, call, stats } = await backendFor(t);
  const { session_id: id } = await start();
  await ok("PUT", `/v1/events/${id}`, { metrics: { n: 1 } }, at("1700000000000000010"));
  await ok("PUT", `/v1/events/${id}`, { metrics: { n: 2 } }, at("1700000000000000009"));
  await faults([{ times: 1, status: 500, stored: true }]);
  const body = { metrics: { n: 3 } };
  const failed = await call("PUT", `/v1/events/${id}`, body, at("1700000000000000011"));
  assert.equal(failed.status, 500);
  await ok("PUT", `/v1/events/${id}`, body, at("1700000000000000011"));

  const { timestamps, duplicates } = await stats();
  assert.deepEqual(timestamps.outOfOrder, {
    count: 1,
    samples: [
      {
        session: id,
        seq: 3,
        timestamp: "1700000000000000009",
        before: "1700000000000000010",
      },
    ],
  });
  assert.equal(timestamps.missing, 1, "that of the start");
  assert.deepEqual(duplicates, {
    count: 1,
    samples: [{ session: id, timestamp: "1700000000000000011", first: 4, again: 5 }],
  });
});

test("requests are counted by route, status and fate", async (t) => {
  const { call, start, update, stats, stored } = await backendFor(t);
  const { session_id: id } = await start();
  await update(id, {});
  await update(id, {});
  await stored(id);
  await call("PUT", "/somewhere/else", {});
  const { byRoute, byStatus, byFate, sessions, requests } = await stats();
  assert.deepEqual(byRoute, {
    "POST /v1/sessions": 1,
    "PUT /v1/events/:id": 2,
    "GET /v1/sessions/:id": 1,
    "PUT elsewhere": 1,
  });
  assert.deepEqual([byStatus, byFate], [{ 200: 4, 404: 1 }, { answered: 5 }]);
  assert.deepEqual([sessions, requests.total], [1, 5]);
});

test("the backend can play an older one, a newer one, and none", async (t) => {
  const { call, mode, start } = await backendFor(t);
  const { session_id: id } = await start();
  const v1 = async () => [
    (await call("POST", "/v1/sessions", {})).status,
    (await call("PUT", `/v1/events/${id}`, {})).status,
  ];
  const legacy = async () => [
    (await call("POST", "/session/start", { session: {} })).status,
    (await call("PUT", "/events", { event_id: id })).status,
  ];
  const good = [200, 200];
  assert.deepEqual([await v1(), await legacy()], [good, good]);
  await mode({ routes: "v1" });
  assert.deepEqual([await v1(), await legacy()], [good, [404, 404]]);
  await mode({ routes: "legacy", missing: 405 });
  assert.deepEqual([await v1(), await legacy()], [[405, 405], good]);
  await mode({ routes: "none" });
  assert.deepEqual(
    [await v1(), await legacy()],
    [
      [404, 404],
      [404, 404],
    ],
  );
  assert.equal((await call("GET", `/v1/sessions/${id}`)).status, 200, "reading back always goes");
  assert.equal((await call("POST", "/v1/sessions", {})).json.errorCode, "ROUTE_NOT_FOUND");
  await mode({ routes: "none", html: true });
  const page = await call("POST", "/v1/sessions", {});
  assert.equal(page.status, 404);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(page.text, /^<!doctype html>/);
});

test("keys can be limited", async (t) => {
  const { call, mode } = await backendFor(t);
  await mode({ keys: ["key-1", "key-2"] });
  /** @param {string} key */
  const status = async (key) =>
    (await call("POST", "/v1/sessions", {}, { headers: { authorization: `Bearer ${key}` } }))
      .status;
  assert.deepEqual(
    [await status("key-1"), await status("key-2"), await status("key-3")],
    [200, 200, 401],
  );
  await mode({});
  assert.equal(await status("key-3"), 200);
});

test("settings that mean nothing are refused and leave the old ones", async (t) => {
  const { call, mode, faults } = await backendFor(t);
  await mode({ routes: "legacy" });
  await faults([{ match: { method: "POST" }, status: 503 }]);
  for (const [path, body] of /** @type {const} */ ([
    ["/_local/mode", { routes: "v3" }],
    ["/_local/mode", { route: "v1" }],
    ["/_local/mode", { keys: "key-1" }],
    ["/_local/mode", "{"],
    ["/_local/faults", { status: 500 }],
    ["/_local/faults", [{ statusCode: 500 }]],
    ["/_local/faults", [{ match: { url: "/" } }]],
    ["/_local/faults", [{ status: 99 }]],
    ["/_local/faults", [{ cut: "sometimes" }]],
    ["/_local/faults", [{ probability: 2 }]],
    ["/_local/faults", [{ times: 0 }]],
    ["/_local/faults", [{ delayMs: [1] }]],
    ["/_local/faults", [{ delayMs: 2 ** 31 }]],
    ["/_local/faults", [{ status: 500, headers: { "bad name": "x" } }]],
    ["/_local/faults", [{ redirect: "/a\r\nb: c" }]],
    ["/_local/faults", "nothing"],
  ])) {
    assert.equal((await call("PUT", path, body)).status, 400, JSON.stringify(body));
  }
  assert.equal((await call("POST", "/session/start", { session: {} })).status, 503);
  assert.equal((await call("POST", "/v1/sessions", {})).status, 503);
  await faults([]);
  assert.equal((await call("POST", "/v1/sessions", {})).status, 404);
});

test("DELETE /_local starts over", async (t) => {
  const { ok, call, start, mode, faults, requests, stats, reset } = await backendFor(t);
  const { session_id: id } = await start();
  await mode({ keys: [] });
  await faults([{ hang: true }]);
  const hanging = call("POST", "/v1/sessions", {}).catch((/** @type {Error} */ error) => error);
  await eventually(stats, ({ inFlight }) => inFlight.now === 1);
  await reset();
  assert.ok((await hanging) instanceof TypeError, "what was held is cut");
  assert.deepEqual(await requests(), []);
  assert.deepEqual(await ok("GET", "/_local/faults"), []);
  assert.deepEqual(await ok("GET", "/_local/mode"), {
    routes: "all",
    missing: 404,
    html: false,
    reads: true,
  });
  const { inFlight, sessions } = await stats();
  assert.deepEqual([inFlight.now, inFlight.max, sessions], [0, 0, 0]);
  assert.equal((await call("GET", `/v1/sessions/${id}`)).status, 404);
  await start();
  assert.deepEqual(
    (await requests()).map((/** @type {any} */ each) => each.seq),
    [1, 2],
  );
});
