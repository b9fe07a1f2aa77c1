// Faults as a client meets them on a real connection. Where fetch would hide what happened, a plain
// socket looks at the bytes.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import * as v from "valibot";
import { createBackend } from "./app.js";
import { faults as ruleSet, faultsSchema } from "./faults.js";
import { backendFor, eventually } from "./test-client.mjs";

/**
 * What a socket sees of one PUT: every byte that came, and how it ended.
 * @param {string} url
 * @param {string} id
 * @returns {Promise<{text: string, error: string | undefined, ended: boolean, arrivals: number[]}>}
 */
async function putBySocket(url, id) {
  const { hostname, port } = new URL(url);
  const body = '{"metadata":{"sent":true}}';
  const socket = connect(Number(port), hostname);
  let text = "";
  let ended = false;
  /** @type {string | undefined} */
  let error;
  /** @type {number[]} */
  const arrivals = [];
  socket.on("data", (data) => {
    text += data.toString("latin1");
    arrivals.push(performance.now());
  });
  socket.on("end", () => (ended = true));
  socket.on("error", (/** @type {NodeJS.ErrnoException} */ each) => (error = each.code));
  socket.write(
    `PUT /v1/events/${id} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer key-1\r\n` +
      `content-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await new Promise((resolve) => socket.on("close", resolve));
  return { text, error, ended, arrivals };
}

/**
 * @param {import("node:test").TestContext} t
 * @param {unknown} rules
 */
async function faulty(t, rules) {
  const backend = await backendFor(t);
  const { session_id: id } = await backend.start();
  await backend.faults(rules);
  /** @param {RequestInit} [init] */
  const put = (init) =>
    backend.call(
      "PUT",
      `/v1/events/${id}`,
      { metadata: { sent: true } },
      /** @type {any} */ (init),
    );
  const last = async () => (await backend.requests()).at(-1);
  return {
    ...backend,
    id,
    put,
    sent: async () => (await backend.stored(id)).metadata.sent ?? false,
    /** Sends, leaves once the fault has begun, and tells how the backend saw that end. */
    async giveUp() {
      const leaving = new AbortController();
      const left = assert.rejects(put({ signal: leaving.signal }), { name: "AbortError" });
      await eventually(last, (each) => each.fault !== null && each.fate === "pending");
      leaving.abort();
      await left;
      const { fate, status, stored } = await eventually(last, (each) => each.fate !== "pending");
      return [fate, status, stored];
    },
  };
}

test("a status comes in the backend's own shape, stores nothing, and ends after `times`", async (t) => {
  const { put, sent } = await faulty(t, [{ times: 2, status: 503 }]);
  for (let i = 0; i < 2; i += 1) {
    const { status, json } = await put();
    assert.deepEqual([status, json.statusCode, json.success], [503, 503, false]);
  }
  assert.equal(await sent(), false);
  assert.equal((await put()).status, 200);
  assert.equal(await sent(), true);
});

test("stored: the same, but after storing", async (t) => {
  const { put, sent, requests } = await faulty(t, [{ status: 500, stored: true }]);
  assert.equal((await put()).status, 500);
  assert.equal(await sent(), true);
  const [, put500] = await requests();
  assert.deepEqual([put500.status, put500.stored, put500.fault], [500, true, 0]);
});

test("stored: of the route's own answer nothing shows", async (t) => {
  const { put } = await faulty(t, [{ status: 502, html: true, stored: true, cors: false }]);
  const { status, headers } = await put();
  assert.deepEqual(
    [status, headers.get("content-type"), headers.get("access-control-allow-origin")],
    [502, "text/html; charset=utf-8", null],
  );
});

test("Retry-After in seconds, as a date, and as nonsense", async (t) => {
  const { put, faults } = await faulty(t, [{ retryAfter: 7 }]);
  const seconds = await put();
  assert.deepEqual([seconds.status, seconds.headers.get("retry-after")], [503, "7"]);

  await faults([{ status: 429, retryAfterDate: 5 }]);
  const before = Date.now();
  const date = await put();
  const text = date.headers.get("retry-after") ?? "";
  assert.equal(date.status, 429);
  assert.match(text, /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
  const at = Date.parse(text);
  assert.ok(at >= before + 5000 && at < Date.now() + 6000, text);

  await faults([{ retryAfter: "soon" }]);
  assert.equal((await put()).headers.get("retry-after"), "soon");
});

test("an answer of the rule's own: body, headers, page, no body, without CORS", async (t) => {
  const { put, faults } = await faulty(t, [
    { status: 200, body: "not { json", headers: { "x-a": "b", "content-type": "text/odd" } },
  ]);
  const odd = await put();
  assert.deepEqual([odd.status, odd.text], [200, "not { json"]);
  assert.deepEqual([odd.headers.get("x-a"), odd.headers.get("content-type")], ["b", "text/odd"]);
  assert.equal(odd.headers.get("access-control-allow-origin"), "*");

  await faults([{ status: 418, body: { any: ["json"] }, cors: false }]);
  const json = await put();
  assert.deepEqual([json.status, json.json], [418, { any: ["json"] }]);
  assert.equal(json.headers.get("access-control-allow-origin"), null);

  await faults([{ html: true }]);
  const page = await put();
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(page.text, /^<!doctype html>/);

  await faults([{ html: "<p>own", status: 502 }]);
  assert.deepEqual([(await put()).status, (await put()).text], [502, "<p>own"]);

  await faults([{ status: 204 }]);
  const none = await put();
  assert.deepEqual([none.status, none.text], [204, ""]);
});

test("a redirect is one, and is followed to where it says", async (t) => {
  const { url, id, put, faults, stored } = await faulty(t, [{ redirect: "/elsewhere" }]);
  const answer = await put();
  assert.deepEqual([answer.status, answer.headers.get("location")], [307, "/elsewhere"]);
  await faults([{ times: 1, redirect: `/v1/events/${id}`, status: 308 }]);
  const followed = await fetch(`${url}/v1/events/${id}`, {
    method: "PUT",
    headers: { authorization: "Bearer key-1", "content-type": "application/json" },
    body: '{"metadata":{"by":"redirect"}}',
  });
  assert.deepEqual([followed.status, followed.redirected], [200, true]);
  assert.deepEqual((await stored(id)).metadata, { by: "redirect" });
});

test("cut before: reset without a byte, nothing stored", async (t) => {
  const { url, id, sent, requests } = await faulty(t, [{ cut: "before" }]);
  const seen = await putBySocket(url, id);
  assert.deepEqual([seen.text, seen.error, seen.ended], ["", "ECONNRESET", false]);
  assert.equal(await sent(), false);
  const [, cut] = await requests();
  assert.deepEqual([cut.fate, cut.status, cut.stored], ["cut-before", null, false]);
});

test("cut after: reset without a byte, all stored", async (t) => {
  const { url, id, sent, requests } = await faulty(t, [{ cut: "after" }]);
  const seen = await putBySocket(url, id);
  assert.deepEqual([seen.text, seen.error, seen.ended], ["", "ECONNRESET", false]);
  assert.equal(await sent(), true);
  const [, cut] = await requests();
  assert.deepEqual([cut.fate, cut.status, cut.stored], ["cut-after", null, true]);
});

test("cut mid-body: a status, half of the promised bytes, the end; all stored", async (t) => {
  const { url, id, put, sent, requests } = await faulty(t, [{ cut: "mid-body" }]);
  const seen = await putBySocket(url, id);
  assert.deepEqual([seen.error, seen.ended], [undefined, true]);
  const [head = "", body = ""] = seen.text.split("\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 200 /);
  const promised = Number(/content-length: (\d+)/i.exec(head)?.[1]);
  assert.equal(promised, JSON.stringify({ event_id: id, success: true }).length);
  assert.equal(body.length, Math.floor(promised / 2));
  assert.equal(await sent(), true);
  await assert.rejects(put(), /terminated/, "fetch fails while reading the body");
  const [, cut] = await requests();
  assert.deepEqual([cut.fate, cut.status, cut.stored], ["cut-mid-body", 200, true]);
});

test("mid-body of an answer of the rule's own stores nothing", async (t) => {
  const { url, id, sent } = await faulty(t, [{ cut: "mid-body", status: 503 }]);
  assert.match((await putBySocket(url, id)).text, /^HTTP\/1\.1 503 [^]*"status/);
  assert.equal(await sent(), false);
});

test("after a cut the server goes on as before", async (t) => {
  const { put } = await faulty(t, [
    { times: 1, cut: "before" },
    { times: 1, cut: "after" },
    { times: 1, cut: "mid-body" },
  ]);
  for (let i = 0; i < 3; i += 1) await assert.rejects(put(), TypeError);
  assert.equal((await put()).status, 200);
});

test("a slow body comes byte by byte and whole", async (t) => {
  const rule = { trickle: { bytes: 6, everyMs: 15 } };
  const { url, id, put } = await faulty(t, [rule]);
  const seen = await putBySocket(url, id);
  const body = JSON.stringify({ event_id: id, success: true });
  assert.ok(seen.text.endsWith(`\r\n\r\n${body}`));
  const pieces = Math.ceil(body.length / 6);
  assert.ok(seen.arrivals.length > pieces / 2, `${seen.arrivals.length} of ${pieces} arrivals`);
  const took =
    /** @type {number} */ (seen.arrivals.at(-1)) - /** @type {number} */ (seen.arrivals[0]);
  assert.ok(took >= (pieces - 2) * 15, `${took} ms`);
  assert.deepEqual((await put()).json, { event_id: id, success: true });
});

test("a delay holds the request before storing, or with `stored` after it", async (t) => {
  const { id, put, sent, start, reset, faults, giveUp } = await faulty(t, [{ delayMs: 80 }]);
  const began = performance.now();
  assert.equal((await put()).status, 200);
  const took = performance.now() - began;
  assert.ok(took >= 79, `${took} ms`);

  await reset();
  await start({ session_id: id });
  await faults([{ delayMs: 60_000 }]);
  assert.deepEqual(await giveUp(), ["client-left", null, false]);
  assert.equal(await sent(), false);
  await faults([{ delayMs: 60_000, stored: true }]);
  assert.deepEqual(await giveUp(), ["client-left", null, true]);
  assert.equal(await sent(), true);
});

test("a delay goes before the rule's answer; from a range it is drawn", async (t) => {
  const { put, requests } = await faulty(t, [{ delayMs: [20, 60], status: 500 }]);
  for (let i = 0; i < 5; i += 1) assert.equal((await put()).status, 500);
  const waits = (await requests()).slice(1).map((/** @type {any} */ each) => each.ms);
  for (const ms of waits) assert.ok(ms >= 19, `${waits}`);
  assert.ok(new Set(waits).size > 1, `${waits}`);
});

test("hang: never an answer, nothing stored; with `stored` a timeout after storing", async (t) => {
  const { sent, faults, giveUp } = await faulty(t, [{ hang: true }]);
  assert.deepEqual(await giveUp(), ["client-left", null, false]);
  assert.equal(await sent(), false);
  await faults([{ hang: true, stored: true }]);
  assert.deepEqual(await giveUp(), ["client-left", null, true]);
  assert.equal(await sent(), true);
});

test("a rule hits what it matches and nothing else", async (t) => {
  const { call, ok, start, faults } = await backendFor(t);
  const { session_id: id } = await start();
  const { session_id: other } = await start();
  /**
   * @param {object} match
   * @returns {Promise<string>} the requests that were hit
   */
  const hit = async (match) => {
    await faults([{ match, status: 599 }]);
    const calls = {
      start: call("POST", "/v1/sessions", { session_id: id }),
      startOther: call("POST", "/v1/sessions", { session_id: other }),
      startAny: call("POST", "/v1/sessions", {}),
      put: call("PUT", `/v1/events/${id}`, {}),
      putOther: call("PUT", `/v1/events/${other}`, {}),
      legacyStart: call("POST", "/session/start", { session: { session_id: id } }),
      legacyPut: call("PUT", "/events", { event_id: id }),
      otherKey: call(
        "PUT",
        "/events",
        { event_id: id },
        { headers: { authorization: "Bearer k2" } },
      ),
      get: call("GET", `/v1/sessions/${id}`),
      preflight: call("OPTIONS", `/v1/events/${id}`),
    };
    const names = [];
    for (const [name, answer] of Object.entries(calls)) {
      if ((await answer).status === 599) names.push(name);
    }
    return names.join(" ");
  };
  const writes = "start startOther startAny put putOther legacyStart legacyPut otherKey";
  assert.equal(await hit({}), writes);
  assert.equal(await hit({ method: "put" }), "put putOther legacyPut otherKey");
  assert.equal(await hit({ path: "/v1/" }), "start startOther startAny put putOther");
  assert.equal(await hit({ session: id }), "start put legacyStart legacyPut otherKey");
  assert.equal(await hit({ key: "k2" }), "otherKey");
  assert.equal(await hit({ session: other, method: "PUT" }), "putOther");
  assert.equal(await hit({ method: "GET" }), "get");
  assert.equal(await hit({ method: "OPTIONS" }), "preflight");
  assert.equal((await ok("GET", "/_local/faults"))[0].fired, 1);
});

test("the first rule that fires wins, and each counts what it met", async (t) => {
  const { put, ok } = await faulty(t, [
    { skip: 1, times: 1, status: 501 },
    { times: 1, status: 502 },
    { probability: 0, status: 503 },
    { skip: 2, status: 504 },
  ]);
  const statuses = [];
  for (let i = 0; i < 6; i += 1) statuses.push((await put()).status);
  assert.deepEqual(statuses, [502, 501, 200, 200, 504, 504]);
  assert.deepEqual(
    (await ok("GET", "/_local/faults")).map((/** @type {any} */ each) => [
      each.matched,
      each.fired,
    ]),
    [
      [2, 1],
      [1, 1],
      [4, 0],
      [4, 2],
    ],
  );
});

/**
 * Which of so many requests each seed hits.
 * @param {unknown} set
 * @param {number} count
 */
function draws(set, count) {
  const rules = ruleSet(v.parse(faultsSchema, set));
  const request = { method: "PUT", path: "/", session: null, key: null };
  return Array.from({ length: count }, () => rules.choose(request)?.index ?? null);
}

test("chance is drawn from the seed: the same again, another with another, as often as told", () => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0.05, max: 0.95, noNaN: true }), (seed, chance) => {
      const rules = [{ probability: chance }];
      const drawn = draws({ seed, rules }, 2000);
      assert.deepEqual(drawn, draws({ seed, rules }, 2000));
      assert.notDeepEqual(drawn, draws({ seed: seed + 1, rules }, 2000));
      const share = drawn.filter((each) => each === 0).length / 2000;
      // Six times the standard deviation.
      const margin = 6 * Math.sqrt((chance * (1 - chance)) / 2000);
      assert.ok(Math.abs(share - chance) < margin, `${share} instead of ${chance}`);
    }),
    { numRuns: 200 },
  );
});

test("one rule's draws do not shift another's", () => {
  const second = { probability: 0.5 };
  const alone = draws({ seed: 3, rules: [{ probability: 0 }, second] }, 50);
  const beside = draws({ seed: 3, rules: [{ probability: 0.5, skip: 50 }, second] }, 50);
  assert.deepEqual(alone, beside);
  assert.ok(alone.includes(1) && alone.includes(null));
});

test("a client that leaves while it sends is told apart", async (t) => {
  const { url, requests } = await backendFor(t);
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /v1/sessions HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: 100\r\n\r\n{"a":`,
  );
  await eventually(requests, (all) => all.length === 1);
  socket.destroy();
  const [left] = await eventually(requests, (all) => all[0].fate !== "pending");
  assert.deepEqual([left.fate, left.status, left.stored], ["client-left", null, false]);
});

test("a request that is still being sent when all is reset is cut, and stores nothing", async (t) => {
  const { url, ok, requests, reset, stats } = await backendFor(t);
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const closed = new Promise((resolve) => socket.on("close", resolve).on("error", () => {}));
  socket.write(
    `POST /v1/sessions HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer key-1\r\n` +
      `content-type: application/json\r\ncontent-length: 2\r\n\r\n{`,
  );
  await eventually(requests, (all) => all.length === 1);
  await reset();
  socket.write("}");
  await closed;
  assert.deepEqual((await ok("GET", "/v1/sessions")).sessions, []);
  assert.equal((await stats()).inFlight.now, 0);
});

test("without a server a cut shows as an answer that breaks off", async () => {
  const backend = createBackend();
  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} body
   */
  const call = (method, path, body) => {
    const init = {
      method,
      headers: { authorization: "Bearer k", "content-type": "application/json" },
      body: JSON.stringify(body),
    };
    return backend.fetch(new Request(`http://backend${path}`, init));
  };
  assert.equal((await call("POST", "/v1/sessions", {})).status, 200);
  for (const cut of ["before", "after", "mid-body"]) {
    await call("PUT", "/_local/faults", [{ cut }]);
    await assert.rejects((await call("POST", "/v1/sessions", {})).text(), /connection cut/);
  }
});
