// Answers to a request, from servers and from doubles of `fetch` that misbehave: there is always one in time, and
// of none is more read than is of use. What was read is counted; the test's own clock says when time is up.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it, mock } from "node:test";
import fc from "fast-check";
import { send } from "../../pkg-template/src/send.js";

const MIB = 1024 * 1024;

/**
 * @param {any} answer
 * @param {object} [more]
 */
const answered = (answer, more) => send(async () => answer, { ...more }, 60_000);

/**
 * A stream that goes on for as long as it is asked, and what of it was asked for.
 * @param {() => unknown} chunk
 */
function endless(chunk) {
  const asked = { reads: 0, bytes: 0, cancelled: 0 };
  const reader = {
    async read() {
      asked.reads++;
      const value = chunk();
      asked.bytes += /** @type {any} */ (value)?.length ?? 0;
      return { done: false, value };
    },
    cancel: () => void asked.cancelled++,
  };
  return { asked, body: { getReader: () => reader } };
}

/** @param {any} value as the `text` of something that is no stream */
const textOnly = (value) => ({ status: 200, text: async () => value });

describe("an answer is read to a MiB at most", () => {
  it("in chunks of any size, and cancelled then", async () => {
    for (const size of [1, 100, 16_384, 65_536, 3 * MIB]) {
      const { asked, body } = endless(() => new Uint8Array(size).fill(97));
      const { status, body: text } = await answered({ status: 422, body });
      assert.equal(status, 422);
      assert.ok(text.length <= MIB && text.length >= Math.min(MIB, size * 1000), `${text.length}`);
      assert.match(text, /^a+$/);
      assert.ok(asked.bytes <= MIB + size, `${asked.bytes} bytes in chunks of ${size}`);
      assert.equal(asked.cancelled, 1);
    }
  });

  it("in chunks of nothing, of which none comes after the other without end", async () => {
    const { asked, body } = endless(() => new Uint8Array(0));
    assert.equal((await answered({ status: 200, body })).status, 200);
    assert.ok(asked.reads <= 20_000, `${asked.reads} reads`);
    assert.equal(asked.cancelled, 1);
  });

  it("where it ends there, it is whole, whatever its letters", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.array(fc.nat(9), { minLength: 1 }),
        async (string, sizes) => {
          const text = string.toWellFormed();
          const bytes = new TextEncoder().encode(text);
          let at = 0;
          const stream = new ReadableStream({
            pull(controller) {
              const size = sizes[at % sizes.length] ?? 1;
              if (at >= bytes.length) return controller.close();
              controller.enqueue(bytes.subarray(at, (at += size + 1)));
            },
          });
          const { body } = await answered(new Response(stream));
          assert.equal(body, await new Response(bytes).text());
        },
      ),
    );
  });

  it("as Node's own stream, which node-fetch gives", async () => {
    let pulled = 0;
    const body = new Readable({
      read() {
        pulled += 65_536;
        this.push(Buffer.alloc(65_536, "a"));
      },
    });
    const { status, body: text } = await answered({ status: 200, body, text: assert.fail });
    assert.deepEqual([status, text.length], [200, MIB]);
    assert.ok(pulled < 2 * MIB, `${pulled} bytes`);
    assert.equal(body.destroyed, true);
    const said = { status: 200, body: Readable.from(['{"a"', ":1}"]) };
    assert.equal((await answered(said)).body, '{"a":1}');
  });

  it("where there is no stream, what it comes to is cut", async () => {
    const long = "x".repeat(3 * MIB);
    for (const body of [undefined, null, long, {}, 7]) {
      const answer = await answered({ ...textOnly(long), body });
      assert.deepEqual([answer.status, answer.body.length], [200, MIB]);
    }
    const json = { status: 422, json: async () => ({ message: long }) };
    assert.deepEqual((await answered(json)).body.slice(0, 15), '{"message":"xxx');
    assert.equal((await answered(json)).body.length, MIB);
  });

  it("and so are a header and a reason", async () => {
    const long = "x".repeat(3 * MIB);
    const headers = { get: () => long };
    assert.ok((await answered({ ...textOnly(""), headers })).retryAfter.length <= 1024);
    for (const reason of [long, new Error(long)]) {
      const { status, body } = await send(() => Promise.reject(reason), {}, 60_000);
      assert.equal(status, -1);
      assert.ok(body.length <= 1024);
    }
  });
});

describe("an answer's status counts, whatever its body does", () => {
  const fail = () => {
    throw new Error("not to be looked at");
  };
  const unreadable = new Proxy({}, { get: fail, has: fail, getPrototypeOf: fail });
  const reading = (/** @type {() => any} */ read, cancel = () => {}) => ({
    getReader: () => ({ read, cancel }),
  });
  const locked = new Response("locked");
  locked.body?.getReader();
  /** @type {Record<string, () => any>} */
  const bodies = {
    "throws where it is looked for": () => ({
      status: 200,
      get body() {
        return fail();
      },
    }),
    "lets nothing be looked at": () => ({ status: 200, body: unreadable }),
    "is locked": () => locked,
    "gives no reader": () => ({ status: 200, body: { getReader: fail } }),
    "gives a reader that is none": () => ({ status: 200, body: { getReader: () => ({}) } }),
    "throws when it is read": () => ({ status: 200, body: reading(fail) }),
    "rejects when it is read": () => ({ status: 200, body: reading(() => Promise.reject()) }),
    "reads as nothing": () => ({ status: 200, body: reading(() => undefined) }),
    "reads as something else": () => ({ status: 200, body: reading(() => unreadable) }),
    "throws when it is cancelled": () => ({ status: 200, body: reading(() => ({}), fail) }),
    "rejects when it is cancelled": () => ({
      status: 200,
      body: reading(
        () => ({}),
        () => Promise.reject(new Error("no")),
      ),
    }),
    "has a text that is none": () => textOnly({}),
    "has a text that throws": () => ({ status: 200, text: fail }),
    "has neither text nor JSON": () => ({ status: 200 }),
    "has JSON that is none": () => ({ status: 200, json: async () => 1n }),
    ...Object.fromEntries(
      [1, null, {}, [1], new ArrayBuffer(3), unreadable, Symbol("chunk")].map((value) => [
        `has chunks of ${typeof value} ${value === unreadable ? "" : Object.prototype.toString.call(value)}`,
        () => ({ status: 200, body: endless(() => value).body }),
      ]),
    ),
    "has a chunk that lies about its length": () => {
      const chunk = new Uint8Array(8);
      Object.defineProperty(chunk, "byteLength", { value: NaN });
      return { status: 200, body: endless(() => chunk).body };
    },
  };
  for (const [name, make] of Object.entries(bodies)) {
    it(name, async () => {
      assert.equal((await answered(make())).status, 200);
    });
  }
});

describe("the time of a request covers reading its answer", () => {
  const never = () => new Promise(() => {});
  const stalled = (/** @type {any[]} */ ...chunks) => ({
    getReader: () => ({
      read: () => (chunks.length > 0 ? { value: Buffer.from(chunks.shift()) } : never()),
      cancel: never,
    }),
  });
  /** @type {Record<string, [answer: any, body: string]>} */
  const answers = {
    "a stream that stalls": [{ status: 200, body: stalled() }, ""],
    "one that stalls later": [{ status: 200, body: stalled("abc", "def") }, "abcdef"],
    "a stream of Node's that stalls": [{ status: 200, body: new Readable({ read() {} }) }, ""],
    "a text that never comes": [{ status: 200, text: never }, ""],
    "JSON that never comes": [{ status: 200, json: never }, ""],
    "a thenable that calls nobody": [{ status: 200, text: () => ({ then() {} }) }, ""],
  };
  for (const [name, [answer, body]] of Object.entries(answers)) {
    it(name, async (t) => {
      mock.timers.enable({ apis: ["setTimeout"] });
      t.after(() => mock.timers.reset());
      /** @type {RequestInit} */
      const init = {};
      let ended = false;
      const sent = send(async () => answer, init, 5_000).finally(() => (ended = true));
      await turns();
      mock.timers.tick(4_999);
      await turns();
      assert.equal(ended, false, "it is waited for");
      mock.timers.tick(1);
      assert.deepEqual(await sent, { status: 200, retryAfter: "", body });
      assert.equal(init.signal?.aborted, true, "nobody listens any more");
    });
  }

  it("one that ends in time is not aborted", async () => {
    /** @type {RequestInit} */
    const init = {};
    assert.equal((await send(async () => Response.json({}), init, 5_000)).body, "{}");
    assert.equal(init.signal?.aborted, false);
  });
});

/** Lets everything run that waits for nothing. */
const turns = () => new Promise((resolve) => setImmediate(resolve));
