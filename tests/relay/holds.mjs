// What a relay holds to in every runtime: what is allowed passes, every attack is refused, and nothing
// that is refused reaches the backend, nor a key or a ticket the log.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { uuidOfUrlName } from "../guide/check.mjs";
import { startBackends } from "../support/backends.mjs";
import { ask } from "./ask.mjs";
import { ATTACKS, good } from "./attacks.mjs";
import { API_KEY, SECRETS, forge, nowSeconds } from "./forge.mjs";

/** What the application is given; all of it strings. @param {string} backend */
export const environment = (backend) => ({
  BACKEND: backend,
  API_KEY,
  SECRET: SECRETS.current,
  OLD_SECRET: SECRETS.old,
  ORIGINS: "https://blog.example",
});

/**
 * @typedef {object} Served
 * @property {string} url
 * @property {{ stdout: string, stderr: string }} output all that the server printed
 * @property {() => Promise<unknown>} stop
 */

/**
 * A backend that takes the relay's key alone, and a server in front of it, for all tests of a suite.
 * @param {(backend: string) => Promise<Served>} serve
 * @returns {{ served: Served, backend: import("../support/backends.mjs").Reader }} there when the tests run
 */
export function serving(serve) {
  const at = /** @type {any} */ ({});
  /** @type {(() => unknown)[]} */
  const stops = [];
  before(async () => {
    const backends = await startBackends();
    stops.push(() => backends.close());
    at.backend = backends.v1;
    const mode = JSON.stringify({ routes: "v1", keys: [API_KEY] });
    await fetch(`${at.backend.url}/_local/mode`, { method: "PUT", body: mode });
    at.served = await serve(at.backend.url);
    stops.push(() => at.served.stop());
  });
  after(async () => {
    for (const stop of stops.toReversed()) await stop();
  });
  return at;
}

/** @param {ReturnType<typeof serving>} at */
export function holds(at) {
  it("passes what the ticket allows, with the key in its place", async () => {
    const from = good(at.served.url);
    const update = { ...from.update, path: `${from.update.path}?event_id=other` };
    for (const asked of [from.start, update]) {
      const answer = await ask(at.served.url, asked);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers["cache-control"], "no-store");
    }
    const event = await at.backend.session(from.session, API_KEY);
    assert.deepEqual(event.feedback, { rating: 5 });
    for (const { headers, query } of await at.backend.requests(from.session)) {
      assert.equal(query, "");
      assert.equal(headers.authorization, `Bearer ${API_KEY}`);
      assert.match(headers["hh-client-timestamp"], /^\d{19}$/);
      assert.equal(headers.origin, undefined, "nothing of the page's is passed on");
    }
  });

  it("takes tickets of the secret before, and of no other", async () => {
    for (const [secret, status] of /** @type {const} */ ([
      [SECRETS.current, 200],
      [SECRETS.old, 200],
      [SECRETS.foreign, 401],
    ])) {
      const { start, session } = good(at.served.url);
      const ticket = forge({ session, secret });
      const headers = { ...start.headers, authorization: `Bearer ${ticket}` };
      assert.equal((await ask(at.served.url, { ...start, headers })).status, status);
    }
  });

  it("issues tickets as they are described", async () => {
    const { session } = good(at.served.url);
    const from = nowSeconds();
    const issued = await fetch(`${at.served.url}/ticket`, {
      method: "POST",
      body: JSON.stringify({ sessionId: session, fields: ["feedback"], expiresIn: 60 }),
    });
    const ticket = await issued.text();
    const until = nowSeconds();
    const [, , , expires] = ticket.split(".");
    assert.equal(ticket, forge({ session, expires }));
    // Tickets name whole seconds, rounded up.
    assert.ok(from + 60 <= Number(expires) && Number(expires) <= until + 61, expires);
    const none = await fetch(`${at.served.url}/ticket`, {
      method: "POST",
      body: JSON.stringify({ sessionId: " ", fields: ["feedback"] }),
    });
    assert.equal(await none.text(), "");
  });

  it("takes a session by any spelling of its id, and a name for the UUID that it stands for", async () => {
    const id = uuidOfUrlName("chat-7");
    const issued = await fetch(`${at.served.url}/ticket`, {
      method: "POST",
      body: JSON.stringify({ sessionId: "chat-7", fields: ["feedback"], expiresIn: 60 }),
    });
    const ticket = await issued.text();
    assert.equal(ticket.split(".")[1], id);
    const { update, start } = good(at.served.url);
    const headers = { ...update.headers, authorization: `Bearer ${ticket}` };
    for (const spelled of ["chat-7", id.toUpperCase()]) {
      const begun = await ask(at.served.url, {
        ...start,
        headers,
        body: JSON.stringify({ session_id: spelled }),
      });
      assert.deepEqual([begun.status, begun.json.session_id], [200, id]);
      const path = `${update.path.slice(0, update.path.lastIndexOf("/"))}/${spelled}`;
      assert.equal((await ask(at.served.url, { ...update, headers, path })).status, 200);
    }
  });

  it("answers pages of an origin that is named, and their preflights", async () => {
    const { start } = good(at.served.url);
    const headers = { ...start.headers, origin: "https://blog.example" };
    const preflight = await ask(at.served.url, {
      method: "OPTIONS",
      path: start.path,
      headers: {
        origin: "https://blog.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.text, "");
    assert.equal(preflight.headers["access-control-allow-origin"], "https://blog.example");
    assert.equal(preflight.headers["access-control-allow-methods"], "POST");
    assert.equal(preflight.headers["access-control-allow-headers"], "authorization, content-type");
    const answer = await ask(at.served.url, { ...start, headers });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers["access-control-allow-origin"], "https://blog.example");
    assert.match(answer.headers.vary, /origin/i);
  });

  for (const { name, attack, ...refusal } of ATTACKS) {
    it(`refuses: ${name}`, async () => {
      await at.backend.reset();
      const answer = await ask(at.served.url, attack(good(at.served.url)));
      await refused(answer, refusal);
    });
  }

  it("refuses: the same request again and again", async () => {
    const { start } = good(at.served.url, "/tight");
    const answers = [];
    for (let n = 0; n < 6; n++) answers.push(await ask(at.served.url, start));
    const statuses = answers.map(({ status }) => status);
    assert.deepEqual(statuses.slice(0, 3), [200, 200, 200]);
    assert.deepEqual(statuses.slice(3), [429, 429, 429]);
    await at.backend.reset();
    const last = await ask(at.served.url, start);
    assert.ok(Number(last.headers["retry-after"]) > 0);
    await refused(last, { status: 429, code: "TOO_MANY_REQUESTS", says: /wait \d+ s/ });
  });

  it("refuses: a body whose end never comes", async () => {
    await at.backend.reset();
    const { update } = good(at.served.url, "/hasty");
    const stalled = { ...update, body: undefined, chunks: ['{"feedback":'], stall: true };
    const answer = await ask(at.served.url, stalled);
    await refused(answer, { status: 408, code: "REQUEST_TIMEOUT", says: /in time/ });
  });

  it("refuses: anything, where it has no secret of use", async () => {
    await at.backend.reset();
    const answer = await ask(at.served.url, good(at.served.url, "/bare").update);
    const refusal = { status: 500, code: "RELAY_NOT_SET_UP", says: /HH_RELAY_SECRET/ };
    await refused(answer, refusal);
  });

  it("says why in its log, and there neither a key nor a ticket", async () => {
    const { stdout, stderr } = at.served.output;
    const log = stdout + stderr;
    for (const said of [
      "refused a request with 403",
      "has expired",
      "no secret of 32 characters",
    ]) {
      assert.ok(log.includes(said), `${said}: ${log}`);
    }
    for (const secret of [API_KEY, ...Object.values(SECRETS), "too short", "hht1", "Bearer hh"]) {
      assert.ok(!log.includes(secret), `${secret} is in the log:\n${log}`);
    }
  });

  /**
   * @param {import("./ask.mjs").Answer} answer
   * @param {{status: number, code: string, says: RegExp}} refusal
   */
  async function refused(answer, { status, code, says }) {
    assert.equal(answer.status, status, answer.text);
    const { message } = answer.json;
    assert.deepEqual(answer.json, { statusCode: status, message, success: false, errorCode: code });
    assert.match(message, says);
    assert.deepEqual(await at.backend.requests(), [], "it reached the backend");
  }
}
