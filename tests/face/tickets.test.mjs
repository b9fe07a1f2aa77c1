// A function that gives tickets may do anything, and so may the caller of setTicket. The core is told what came of it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { face } from "./face.mjs";

const TICKET = "hht1.ticket";
const OPTIONS = /** @type {const} */ ({ serverUrl: "/honeyhive", logLevel: "silent" });
const never = new Promise(() => {});
const fails = () => {
  throw new Error("offline");
};

describe("a function that gives tickets", () => {
  /** @type {[string, () => unknown, { ticket?: string, why: string }][]} */
  const functions = [
    ["gives one", () => TICKET, { ticket: TICKET, why: "" }],
    ["promises one", async () => TICKET, { ticket: TICKET, why: "" }],
    ["gives an empty text", () => "", { ticket: "", why: "" }],
    ["gives no text", () => ({ ticket: TICKET }), { ticket: "object", why: "" }],
    ["gives nothing", () => {}, { ticket: "undefined", why: "" }],
    ["throws", fails, { why: "offline" }],
    ["throws nothing", () => Promise.reject(), { why: "it threw" }],
    ["rejects", async () => fails(), { why: "offline" }],
    ["is a thenable that throws", () => ({ then: fails }), { why: "offline" }],
    ["never settles", () => never, { why: "no ticket within 20 ms" }],
  ];
  for (const [what, ticket, told] of functions) {
    it(`may be one that ${what}`, async () => {
      const at = face();
      const tracer = await at.initTracer({ ...OPTIONS, ticket: /** @type {any} */ (ticket) });
      const [{ isAsked, ...given } = assert.fail()] = at.core.tickets;
      assert.ok(isAsked);
      assert.deepEqual({ ticket: given.ticket, why: given.why }, { ticket: "undefined", ...told });
      const isNamed = tracer.sessionId === at.core.sessionOfTicket;
      assert.equal(isNamed, told.ticket === TICKET);
    });
  }

  it("names the session of all tracers that wait for it", async () => {
    const at = face();
    const ticket = () => TICKET;
    const tracers = await Promise.all([
      at.initTracer({ ...OPTIONS, ticket }),
      at.initTracer({ ...OPTIONS, ticket: () => TICKET }),
    ]);
    const sources = [...at.core.options.values()].map((options) => options.ticketSource);
    assert.notEqual(sources[0], sources[1], "each function has its number");
    for (const tracer of tracers) assert.equal(tracer.sessionId, at.core.sessionOfTicket);
  });

  it("keeps nobody waiting when the instance dies meanwhile", async () => {
    const at = face();
    const opening = at.initTracer({ ...OPTIONS, ticket: () => /** @type {any} */ (never) });
    while (!at.core?.options.size) await new Promise(setImmediate);
    at.core.trap(new Error("trapped"));
    assert.ok(await opening);
  });
});

describe("setTicket", () => {
  it("takes anything, and returns nothing", async () => {
    const at = face();
    const tracer = await at.initTracer({ ...OPTIONS, ticket: TICKET });
    const given = [TICKET, "", undefined, null, 7, {}, Symbol("ticket"), never, fails];
    for (const ticket of given) {
      assert.equal(tracer.setTicket(/** @type {any} */ (ticket)), undefined);
    }
    await tracer.flush();
    const told = at.core.tickets.map(({ ticket, why, isAsked }) => [ticket, why, isAsked]);
    const types = ["undefined", "object", "number", "object", "symbol", "object", "function"];
    assert.deepEqual(
      told,
      [TICKET, "", ...types].map((ticket) => [ticket, "", false]),
    );
    assert.equal(tracer.sessionId, at.core.sessionOfTicket);
  });

  it("is kept for the instance after one that dies", async () => {
    const at = face({
      behaviour: (instance) => ({ trapOn: (method) => instance === 0 && method === "flush" }),
    });
    const tracer = await at.initTracer({ ...OPTIONS, ticket: "hht1.old" });
    tracer.setTicket(TICKET);
    await tracer.flush();
    await tracer.enrichSession({ feedback: { rating: 5 } });
    assert.equal(at.cores.length, 2);
    assert.equal([...at.core.options.values()][0]?.["ticket"], TICKET);
  });

  it("throws nothing on a closed tracer", async () => {
    const at = face();
    const tracer = await at.initTracer({ ...OPTIONS, ticket: TICKET });
    const closing = tracer.close();
    assert.equal(tracer.setTicket(TICKET), undefined);
    await closing;
    assert.equal(tracer.setTicket(TICKET), undefined);
    await tracer.flush();
  });
});
