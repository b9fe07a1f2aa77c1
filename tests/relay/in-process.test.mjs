// The relay in this process, with the runtime's own WebCrypto: tickets, whatever is done to them; and
// that nothing throws, whatever the caller, `fetch`, the queue or the core does.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { relayFunctions } from "../../pkg-template/src/relay/public.js";
import { logged } from "../face/face.mjs";
import { until } from "../support/child.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { packageDir } from "../support/package.mjs";
import { API_KEY, SECRETS, forge } from "./forge.mjs";

const packaged = pathToFileURL(join(packageDir, "relay.js")).href;
let copies = 0;

/** @type {typeof import("honeyhive-edge/relay")} */
let edge;
before(async () => {
  edge = await import(packaged);
});

const FIELDS = /** @type {const} */ ([
  "metadata",
  "outputs",
  "config",
  "feedback",
  "metrics",
  "userProperties",
]);

/** A relay, and what it has sent. @param {object} [options] */
function relay(options) {
  /** @type {{ url: string, init: RequestInit }[]} */
  const sent = [];
  const handle = edge.createRelay({
    apiKey: API_KEY,
    serverUrl: "https://hive.example",
    secret: SECRETS.current,
    fetch: async (url, init) => {
      sent.push({ url: String(url), init: /** @type {RequestInit} */ (init) });
      return Response.json({ success: true });
    },
    ...options,
  });
  return { handle, sent };
}

/**
 * @param {string} session
 * @param {string} ticket
 * @param {object} [fields]
 */
function update(session, ticket, fields = { feedback: { rating: 5 } }) {
  return new Request(`https://shop.example/honeyhive/v1/events/${session}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${ticket}`, "content-type": "application/json" },
    body: JSON.stringify(fields),
  });
}

describe("a page rates one answer", () => {
  it("by a ticket for that event alone, and nothing else with it", async (t) => {
    const backends = await startBackends();
    t.after(() => backends.close());
    const key = KEYS.main;
    const { url } = backends.v1;
    const handle = edge.createRelay({ apiKey: key, serverUrl: url, secret: SECRETS.current });
    const { initTracer, newEventId } = await import(
      pathToFileURL(join(packageDir, "index.js")).href
    );
    const server = await initTracer({ apiKey: key, serverUrl: url, sessionName: "chat" });
    await server.flush();
    const answers = [newEventId(), newEventId(), newEventId()];
    for (const event_id of answers) {
      const event = { event_id, session_id: server.sessionId, event_type: "model", inputs: {} };
      const made = await fetch(`${url}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify(event),
      });
      assert.equal(made.status, 200);
    }
    const ticket = await edge.issueTicket({
      sessionId: server.sessionId,
      events: [answers[1]],
      fields: ["feedback"],
      secret: SECRETS.current,
    });
    assert.match(ticket, /^hht2\./);
    const { length: earlier } = await backends.v1.requests();

    // As in a page: the relay is on its own origin.
    const page = await initTracer({
      ticket,
      serverUrl: "https://shop.example/honeyhive",
      logLevel: "silent",
      /** @param {string} at @param {RequestInit} init */
      fetch: (at, init) => handle(new Request(at, init)),
    });
    const up = { feedback: { thumb: "up" } };
    const [rated, ...refused] = await Promise.all([
      page.enrichEvent(answers[1], up),
      page.enrichEvent(answers[0], up),
      page.enrichEvent(answers[2], up),
      page.enrichEvent(newEventId(), up),
      page.enrichSession(up),
      page.enrichSession({ sessionId: newEventId(), ...up }),
    ]);
    const other = await page.enrichEvent(answers[1], { metadata: { a: 1 } });
    assert.deepEqual(rated, { status: "delivered", eventId: answers[1] });
    for (const one of [...refused, other]) {
      assert.deepEqual([one.status, one.reason], ["dropped", "rejected"], JSON.stringify(one));
    }
    assert.match(other.message, /does not allow `metadata`/);
    assert.equal((await page.readEvent(answers[1])).reason, "not_available");
    await page.close();

    const requests = (await backends.v1.requests()).slice(earlier);
    assert.deepEqual(
      requests.map((/** @type {any} */ { method, path, body }) => [method, path, body]),
      [["PUT", `/v1/events/${answers[1]}`, up]],
      "nothing of the rest reached the backend",
    );
    const read = await server.readEvent(answers[1]);
    assert.deepEqual(read.event.feedback, { thumb: "up" });
    await server.close();
  });

  it("what is wrong with the events of a ticket is said, and none is issued", async () => {
    for (const [events, about] of /** @type {[unknown, RegExp][]} */ ([
      [[], /`events` is empty/],
      ["an id", /`events` must be a list/],
      // What was said once is not said again.
      [[7], /\[\]/],
      [{}, /\[\]/],
      [Array.from({ length: 51 }, (_, i) => `e${i}`), /more than 50/],
    ])) {
      let ticket = "none";
      const lines = await logged(async () => {
        ticket = await edge.issueTicket({
          sessionId: "s",
          events: /** @type {any} */ (events),
          fields: ["feedback"],
          secret: SECRETS.current,
        });
      });
      assert.equal(ticket, "");
      assert.match(JSON.stringify(lines), about);
    }
  });
});

describe("tickets", () => {
  it("allow the fields they name, for the session they name, and nothing else", async () => {
    const { handle, sent } = relay({ rate: { requests: 1e6 } });
    await fc.assert(
      fc.asyncProperty(
        fc.uuid(),
        fc.uuid(),
        fc.subarray([...FIELDS], { minLength: 1 }),
        fc.constantFrom(...FIELDS),
        async (session, other, fields, field) => {
          const secret = SECRETS.current;
          const ticket = await edge.issueTicket({ sessionId: session, fields, secret });
          const name = field === "userProperties" ? "user_properties" : field;
          sent.length = 0;
          const answer = await handle(update(session, ticket, { [name]: { a: 1 } }));
          assert.equal(answer.status, fields.includes(field) ? 200 : 403);
          assert.equal(sent.length, fields.includes(field) ? 1 : 0);
          if (other === session) return;
          sent.length = 0;
          assert.equal((await handle(update(other, ticket))).status, 403);
          assert.equal(sent.length, 0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("are refused once anything of them is changed", async () => {
    const { handle, sent } = relay();
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    const change = fc.record({
      at: fc.nat(),
      cut: fc.nat(3),
      put: fc.string({ unit: fc.constantFrom(...letters), maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uuid(),
        fc.subarray([...FIELDS], { minLength: 1 }),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        async (session, fields, changes) => {
          const ticket = forge({ session, fields: fields.join("~") });
          let other = ticket;
          for (const { at, cut, put } of changes) {
            const place = at % (other.length + 1);
            other = other.slice(0, place) + put + other.slice(place + cut);
          }
          fc.pre(other !== ticket);
          assert.equal((await handle(update(session, other))).status, 401, other);
        },
      ),
      { numRuns: 1000 },
    );
    assert.deepEqual(sent, []);
  });

  it("end when they say", async () => {
    const { handle } = relay();
    const session = crypto.randomUUID();
    const secret = SECRETS.current;
    const fields = /** @type {const} */ (["feedback"]);
    const ticket = await edge.issueTicket({ sessionId: session, fields, expiresIn: 2, secret });
    assert.equal((await handle(update(session, ticket))).status, 200);
    const [, , , end] = ticket.split(".");
    while (Date.now() < Number(end) * 1000) await new Promise((done) => setTimeout(done, 50));
    const late = await handle(update(session, ticket));
    assert.equal(late.status, 401);
    assert.equal((await late.json()).errorCode, "TICKET_EXPIRED");
  });

  it("that cannot be issued are empty, and the log says why", async () => {
    const good = { sessionId: crypto.randomUUID(), fields: ["feedback"], secret: SECRETS.current };
    const bad = [
      [undefined, /HH_RELAY_SECRET/],
      [{ ...good, secret: "short" }, /HH_RELAY_SECRET/],
      [{ ...good, sessionId: "" }, /`sessionId` must be the session's id/],
      [{ ...good, sessionId: 7 }, /`sessionId` must be the session's id/],
      [{ ...good, fields: "feedback" }, /`fields` must be a list/],
      [{ ...good, fields: [] }, /empty/],
      [{ ...good, fields: ["password"] }, /names of an enrichment's fields/],
      [{ ...good, fields: [Symbol("feedback")] }, /names of an enrichment's fields/],
      [{ ...good, expiresIn: "1h" }, /`expiresIn` must be seconds/],
      [{ ...good, expiresIn: Infinity }, /`expiresIn` must be seconds/],
      [{ ...good, expiresIn: 1e9 }, /30 days/],
    ];
    for (const [options, why] of bad) {
      const { issueTicket } = await freshly();
      const lines = await logged(async () => {
        assert.equal(await issueTicket(/** @type {any} */ (options)), "");
      });
      assert.match(lines.map(({ line }) => line).join("\n"), /** @type {RegExp} */ (why));
      assert.doesNotMatch(JSON.stringify(lines), new RegExp(SECRETS.current));
    }
    const trap = new Proxy({}, { get: () => assert.fail("read") });
    assert.equal(await edge.issueTicket(/** @type {any} */ (trap)), "");
  });
});

describe("the relay, whatever happens around it", () => {
  it("answers in time, whatever fetch does", async () => {
    /** @type {[string, (url: any, init: any) => any, number][]} */
    const cases = [
      [
        "throws",
        () => {
          throw new Error(API_KEY);
        },
        502,
      ],
      ["rejects with a string", () => Promise.reject(API_KEY), 502],
      ["gives nothing", () => undefined, 502],
      ["gives something else", async () => ({}), 502],
      ["never answers", () => new Promise(() => {}), 504],
      [
        "breaks off in the body",
        async () =>
          new Response(
            new ReadableStream({ pull: (stream) => stream.error(new Error("broke off")) }),
          ),
        200,
      ],
      ["redirects", async () => new Response(null, { status: 302 }), 502],
      ["answers a web page", async () => new Response("<!doctype html>"), 502],
      ["refuses the key", async () => Response.json({ message: API_KEY }, { status: 401 }), 502],
      ["is too busy", async () => new Response(API_KEY, { status: 503 }), 503],
      ["answers a captive portal's text", async () => new Response("sign in at db-7"), 502],
      ["says what is wrong", async () => Response.json({ message: "db-7" }, { status: 422 }), 422],
      ["stored nothing", async () => Response.json({ success: false, message: "db-7" }), 422],
    ];
    for (const [name, fetch, status] of cases) {
      const { handle } = relay({ fetch, timeoutMs: 100 });
      const session = crypto.randomUUID();
      const lines = await logged(async () => {
        const answer = await handle(update(session, forge({ session })));
        const text = await answer.text();
        assert.equal(answer.status, status, `${name}: ${text}`);
        assert.ok(!text.includes(API_KEY) && !text.includes("db-7"), name);
      });
      assert.ok(!JSON.stringify(lines).includes(API_KEY), name);
    }
  });

  it("keeps inputs of a session that has others, and tells the page nothing of these", async () => {
    /** @type {string[]} */
    const told = [];
    for (const inputs of [{ q: "guessed" }, { q: "something else" }]) {
      /** @type {{ url: string, body: any }[]} */
      const sent = [];
      const fetch = async (/** @type {string} */ url, /** @type {any} */ { body }) => {
        sent.push({ url, body: JSON.parse(body) });
        return Response.json({ inputs });
      };
      const { handle } = relay({ fetch });
      const session = "3cd70a6e-7d5b-4f3a-9b39-0c9c6a1f2e4d";
      const body = JSON.stringify({ session_id: session, inputs: { q: "guessed" } });
      const { headers } = update(session, forge({ session, fields: "inputs" }));
      const url = "https://shop.example/honeyhive/v1/sessions";
      const answer = await handle(new Request(url, { method: "POST", headers, body }));
      told.push(await answer.text());
      const late = { metadata: { inputs: { q: "guessed" } } };
      assert.deepEqual(
        sent.slice(1).map((each) => each.body),
        inputs.q === "guessed" ? [] : [late],
      );
    }
    assert.equal(told[0], told[1]);
  });

  it("keeps who waits for the backend, however many tickets are made up meanwhile", async () => {
    /** @type {(answer: Response) => void} */
    let answer = () => {};
    const fetch = () => new Promise((resolve) => (answer = resolve));
    const { handle } = relay({ fetch, timeoutMs: 300_000 });
    const session = crypto.randomUUID();
    const honest = handle(update(session, forge({ session })));
    const secrets = ["A".repeat(32), SECRETS.foreign];
    const burst = Array.from({ length: 5_000 }, async (_, place) => {
      const stranger = crypto.randomUUID();
      const ticket = forge({ session: stranger, secret: secrets[place % 2] });
      return (await handle(update(stranger, ticket))).status;
    });
    assert.deepEqual([...new Set(await Promise.all(burst))], [401]);
    answer(Response.json({ success: true, message: "stored" }));
    assert.equal((await honest).status, 200);
  });

  it("tells who finds no place to come again, and keeps those who have one", async () => {
    const AT_ONCE = 4_096;
    /** @type {((answer: Response) => void)[]} */
    const waiting = [];
    const fetch = () => new Promise((resolve) => waiting.push(resolve));
    // Another copy, in which nobody else has a place.
    const { createRelay } = await freshly();
    const options = { apiKey: API_KEY, secret: SECRETS.current, rate: { requests: 1e6 } };
    const handle = createRelay({ ...options, fetch, timeoutMs: 300_000 });
    const session = crypto.randomUUID();
    const ticket = forge({ session });
    /** @type {Response[]} */
    const ended = [];
    const all = Array.from({ length: AT_ONCE + 900 }, async () => {
      ended.push(await handle(update(session, ticket)));
    });
    await until(() => ended.length + waiting.length === all.length, { what: "all to come" });
    assert.equal(waiting.length, AT_ONCE);
    for (const answer of ended.splice(0)) {
      assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "1"]);
      assert.equal((await answer.json()).errorCode, "RELAY_BUSY");
    }
    for (const answer of waiting) answer(Response.json({ success: true }));
    await Promise.all(all);
    assert.equal(ended.length, AT_ONCE);
    for (const { status } of ended) assert.equal(status, 200);
    const next = handle(update(session, ticket));
    await until(() => waiting.length > AT_ONCE, { what: "the next to find a place" });
    waiting.at(-1)?.(Response.json({ success: true }));
    assert.equal((await next).status, 200);
  });

  it("opens one core for a burst of requests", async () => {
    let opened = 0;
    const empty = () => ({ secrets: [], log: [] });
    const { createRelay } = relayFunctions({
      hint: "",
      variable: () => undefined,
      open: () => {
        opened++;
        const admit = () => new Response(null, { status: 404 });
        return /** @type {any} */ ({ connect() {}, secrets: empty, check: empty, admit });
      },
    });
    const handle = createRelay();
    const request = new Request("https://shop.example/honeyhive/v1/sessions");
    await Promise.all(Array.from({ length: 1_000 }, () => handle(request)));
    assert.equal(opened, 1);
  });

  it("tells the page to come again where the queue takes nothing", async () => {
    const queue = { send: () => Promise.reject(new Error("overloaded")) };
    const { handle, sent } = relay({ queue });
    const session = crypto.randomUUID();
    const lines = await logged(async () => {
      const answer = await handle(update(session, forge({ session })));
      assert.equal(answer.status, 503);
      assert.equal((await answer.json()).errorCode, "QUEUE_UNAVAILABLE");
    });
    assert.match(lines[0].line, /did not take a message: overloaded/);
    assert.deepEqual(sent, []);
  });

  it("puts messages into the queue where random numbers are broken", async () => {
    const { random } = Math;
    const throws = () => {
      throw new Error("no random numbers");
    };
    try {
      for (const broken of [throws, () => "four", () => NaN, () => Symbol("no number")]) {
        const { createRelay } = await freshly();
        Math.random = /** @type {any} */ (broken);
        const session = crypto.randomUUID();
        /** @type {string[]} */
        const sent = [];
        const queue = { send: async (/** @type {string} */ text) => void sent.push(text) };
        const handle = createRelay({ apiKey: API_KEY, secret: SECRETS.current, queue });
        for (let nth = 0; nth < 2; nth++) {
          assert.equal((await handle(update(session, forge({ session })))).status, 202);
        }
        const links = sent.map((text) => text.split("\n")[2]);
        assert.match(links[0], /^\d+ 1 0$/);
        assert.match(links[1], /^\d+ 2 1$/);
      }
    } finally {
      Math.random = random;
    }
  });

  it("tells the page to come again where the queue says nothing", async () => {
    const { handle } = relay({ queue: { send: () => new Promise(() => {}) }, timeoutMs: 50 });
    const session = crypto.randomUUID();
    const lines = await logged(async () => {
      assert.equal((await handle(update(session, forge({ session })))).status, 503);
    });
    assert.match(lines[0].line, /did not take a message: no answer within 50 ms/);
  });

  it("works for whoever gives it something else than options or requests", async () => {
    const hostile = new Proxy({}, { get: () => assert.fail("read"), ownKeys: () => assert.fail() });
    await logged(async () => {
      for (const options of [null, 7, "x", hostile, { path: Symbol("x"), origins: 7, rate: [] }]) {
        const handle = edge.createRelay(/** @type {any} */ (options));
        const answer = await handle(new Request("https://shop.example/honeyhive/v1/sessions"));
        assert.ok(answer.status >= 400);
      }
      const { handle } = relay();
      for (const request of [undefined, {}, { url: "nowhere" }]) {
        assert.equal((await handle(/** @type {any} */ (request))).status, 500);
      }
    });
  });

  it("says each trouble once, at its level", async () => {
    const session = crypto.randomUUID();
    const many = (/** @type {object} */ options) =>
      logged(async () => {
        const { createRelay } = await freshly();
        const handle = createRelay({ apiKey: API_KEY, ...options });
        for (let n = 0; n < 3; n++) await handle(update(session, forge({ session })));
      });
    assert.deepEqual(
      (await many({})).map(({ level }) => level),
      ["error"],
    );
    assert.deepEqual(await many({ logLevel: "silent" }), []);
  });

  it("goes on with a fresh core where one died", async () => {
    let opened = 0;
    const { createRelay } = relayFunctions({
      hint: "",
      variable: () => undefined,
      open: (onTrap) => {
        opened++;
        const dies = () => void onTrap(new Error("unreachable"));
        const empty = { secrets: [], log: [] };
        const admit = opened === 1 ? dies : () => new Response(null, { status: 404 });
        const [connect, secrets, check] = [() => {}, () => empty, () => empty];
        return /** @type {any} */ ({ connect, secrets, check, admit });
      },
    });
    const handle = createRelay();
    const request = new Request("https://shop.example/honeyhive/v1/sessions");
    const lines = await logged(async () => {
      assert.deepEqual(
        [(await handle(request)).status, (await handle(request)).status, opened],
        [500, 404, 2],
      );
    });
    assert.match(JSON.stringify(lines), /internal error of honeyhive-edge\/relay \(unreachable\)/);
  });

  it("answers who was under way where the core died", async () => {
    /** @type {((error: unknown) => void)[]} */
    const traps = [];
    /** What the first core would end. @type {(() => void)[]} */
    const passed = [];
    const { createRelay } = relayFunctions({
      hint: "",
      variable: () => undefined,
      open: (onTrap) => {
        traps.push(onTrap);
        /** @type {import("../../pkg-template/src/relay/core.d.ts").RelayHost} */
        let host;
        const empty = () => ({ secrets: [], log: [] });
        return /** @type {any} */ ({
          connect: (/** @type {typeof host} */ given) => (host = given),
          secrets: empty,
          check: empty,
          admit: () => ({ claims: "", signature: [] }),
          pass(/** @type {number} */ call) {
            const end = () => host.settle(call, new Response(null, { status: 200 + traps.length }));
            if (traps.length > 1) end();
            else passed.push(end);
          },
        });
      },
    });
    const handle = createRelay();
    const ask = () => handle(new Request("https://shop.example/honeyhive/v1/sessions"));
    await logged(async () => {
      const asked = [ask(), ask(), ask()];
      await until(() => passed.length === 3, { what: "all to be under way" });
      traps[0]?.(new Error("unreachable"));
      // What a core says after its death is not heard.
      for (const end of passed) end();
      const answers = await Promise.all(asked);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [500, 500, 500],
      );
      assert.deepEqual([(await ask()).status, traps.length], [202, 2]);
    });
  });

  it("says so where WebAssembly will not start", async () => {
    const { createConsumer, createRelay, issueTicket } = relayFunctions({
      hint: "A hint.",
      variable: () => undefined,
      open: () => Promise.reject(new Error("forbidden")),
    });
    const lines = await logged(async () => {
      const request = new Request("https://shop.example/honeyhive/v1/sessions");
      assert.equal((await createRelay()(request)).status, 500);
      assert.equal(await issueTicket({ sessionId: crypto.randomUUID(), fields: ["feedback"] }), "");
      /** @type {unknown[]} */
      const told = [];
      const message = { body: "", ack: () => told.push("ack"), retry: () => told.push("retry") };
      await createConsumer()({ messages: [message] });
      assert.deepEqual(told, ["retry"]);
    });
    assert.match(lines[0].line, /could not be started \(forbidden\).* A hint\.$/);
  });
});

describe("the consumer", () => {
  /** @param {object} [options] */
  const consumerOf = (options) =>
    edge.createConsumer({ apiKey: API_KEY, retryDelay: 7, ...options });

  /**
   * A batch of messages that keep what they are told.
   * @param {string[]} bodies
   * @param {number} [attempts]
   */
  function batchOf(bodies, attempts) {
    /** @type {unknown[]} */
    const told = [];
    const messages = bodies.map((body, place) => ({
      body,
      attempts,
      ack: () => void (told[place] = "ack"),
      retry: (/** @type {object | undefined} */ options) => void (told[place] = options ?? "retry"),
    }));
    return { messages, told };
  }

  const message = (session = crypto.randomUUID()) =>
    `hhq1 ${session} ${Date.now()}000000\n{"feedback":{"rating":5}}`;

  it("has a message wait longer with each attempt, and never shorter than its queue", async () => {
    for (const [
      after,
      attempts,
      expected,
    ] of /** @type {[string | undefined, number | undefined, unknown][]} */ ([
      [undefined, 1, "retry"],
      ["0", 1, "retry"],
      ["Thu, 01 Jan 1998 00:00:00 GMT", 1, "retry"],
      ["0", undefined, "retry"],
      ["3", 1, { delaySeconds: 7 }],
      ["30", 1, { delaySeconds: 30 }],
      [undefined, 3, { delaySeconds: 28 }],
      ["0", 3, { delaySeconds: 28 }],
      ["0", 20, { delaySeconds: 600 }],
      ["7200", 20, { delaySeconds: 7200 }],
      ["99999999999", 1, { delaySeconds: 43_200 }],
    ])) {
      const headers = new Headers(after === undefined ? [] : [["retry-after", after]]);
      const { messages, told } = batchOf([message()], attempts);
      await consumerOf({ fetch: async () => new Response("", { status: 503, headers }) })({
        messages,
      });
      assert.deepEqual(told, [expected], `${after}, ${attempts}`);
    }
  });

  it("sends sessions at once, one request each, and no more than a Worker's platform bears to hold", async () => {
    let [now, most] = [0, 0];
    /** @type {Set<string>} */
    const onTheWay = new Set();
    const fetch = async (/** @type {string} */ url, /** @type {any} */ { body }) => {
      const session = JSON.parse(body).session_id ?? url.split("/").at(-1);
      assert.ok(!onTheWay.has(session), "two at once of one session");
      onTheWay.add(session);
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now--;
      onTheWay.delete(session);
      return Response.json({});
    };
    const { messages, told } = batchOf(Array.from({ length: 100 }, () => message()));
    await consumerOf({ fetch })({ messages });
    assert.deepEqual([...new Set(told)], ["ack"]);
    assert.ok(most > 12 && most <= 24, `${most} at once`);
  });

  it("never rejects, whatever a message does when it is told, and tells the others", async () => {
    const fetch = async () => Response.json({});
    const throws = () => {
      throw new Error("gone");
    };
    const { messages, told } = batchOf([message(), message(), "none of the relay's"]);
    const odd = [
      { body: message(), ack: throws, retry: throws },
      { body: "none", ack: throws, retry: throws },
      { body: message(), ack: () => Promise.reject(new Error("gone")), retry: throws },
      {
        get body() {
          return throws();
        },
        get attempts() {
          return throws();
        },
        ack: throws,
        retry: throws,
      },
      { body: message() },
      null,
      7,
    ];
    const lines = await logged(async () => {
      for (const each of odd) {
        await consumerOf({ fetch })(/** @type {any} */ ({ messages: [each, ...messages] }));
        assert.deepEqual(told.splice(0), ["ack", "ack", "retry"]);
      }
    });
    const said = JSON.stringify(lines);
    assert.match(said, /could not be acknowledged: gone/);
    assert.match(said, /is lost: it cannot come again: gone/);
  });

  it("says what to pass where it gets no batch, and lets all of it come again", async () => {
    /** @type {unknown[]} */
    const again = [];
    const retryAll = () => void again.push("all");
    const noBatches = [
      undefined,
      null,
      {},
      { messages: 7, retryAll },
      {
        get messages() {
          throw new Error("gone");
        },
        retryAll,
      },
      { body: message(), ack() {}, retry() {} },
    ];
    for (const batch of noBatches) {
      const { createConsumer } = await freshly();
      const lines = await logged(() => createConsumer()(/** @type {any} */ (batch)));
      assert.match(
        lines[0].line,
        /got no batch, and delivers nothing: pass on what .* gets, as in/,
      );
    }
    assert.deepEqual(again, ["all", "all"]);
  });

  it("takes the messages of a batch by themselves", async () => {
    const { messages, told } = batchOf([message(), "none of the relay's"]);
    const deliver = consumerOf({ fetch: async () => Response.json({}) });
    await deliver(/** @type {any} */ (messages));
    assert.deepEqual(told, ["ack", "retry"]);
  });
});

/** The package's functions as if just imported: with nothing said yet. */
function freshly() {
  copies++;
  return /** @type {Promise<typeof edge>} */ (import(`${packaged}?copy=${copies}`));
}
