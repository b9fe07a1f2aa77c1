// Answers to a request, from servers and from doubles of `fetch` that misbehave: what holds of whatever sends is in
// ../surface/answers.js, and here of the JavaScript that does; with what only Node has.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { describe, it, mock } from "node:test";
import fc from "fast-check";
import { parseDate } from "../../pkg-template/src/globals.js";
import { send } from "../../pkg-template/src/send.js";
import { serverFetch } from "../../pkg-template/src/server-fetch.js";
import { answerCases } from "../surface/answers.js";

const MIB = 1024 * 1024;

/** @param {any} answer */
const answered = (answer) => send(async () => answer, {}, 500);

describe("an answer is", () => {
  const sendWith = (
    /** @type {(url: string, init: any) => unknown} */ fetch,
    /** @type {number} */ ms,
  ) => {
    const init = {};
    return send(() => fetch("https://hive.example", init), init, ms);
  };
  for (const [name, run] of Object.entries(answerCases(sendWith, mock.timers))) {
    it(name, async (t) => {
      mock.timers.enable({ apis: ["setTimeout"] });
      t.after(() => mock.timers.reset());
      await run();
    });
  }
});

describe("an answer is read to a MiB at most", () => {
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
});

describe("the time of a request covers reading its answer", () => {
  it("a stream of Node's that stalls", async (t) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    t.after(() => mock.timers.reset());
    const sent = answered({ status: 200, body: new Readable({ read() {} }) });
    await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(500);
    assert.deepEqual(await sent, { status: 200, retryAfter: "", body: "" });
  });
});

describe("Node's own fetch", () => {
  const body = '{"metadata":{}}';

  /**
   * A server on this machine, and what it was sent.
   * @param {import("node:test").TestContext} t
   * @param {import("node:http").RequestListener} answer
   */
  async function serve(t, answer) {
    /** @type {string[]} */
    const sent = [];
    const server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      sent.push(text);
      answer(request, response);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
    t.after(() => server.close().closeAllConnections());
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    return { url: `http://127.0.0.1:${port}`, sent };
  }

  /** @param {string} url */
  function put(url) {
    const init = { method: "PUT", body };
    return send(() => serverFetch()(url, init), init, 60_000);
  }

  it("makes no second stream of the body", async (t) => {
    const { url, sent } = await serve(t, (_, response) => response.end("{}"));
    const tee = t.mock.method(ReadableStream.prototype, "tee");
    await (await fetch(url, { method: "PUT", body })).text();
    assert.equal(tee.mock.callCount(), 1, "what it does by itself has changed");
    assert.equal((await put(url)).status, 200);
    assert.equal(tee.mock.callCount(), 1);
    assert.deepEqual(sent, [body, body]);
  });

  it("follows no redirect, whose status is the answer", async (t) => {
    const elsewhere = await serve(t, (_, response) => response.end("{}"));
    for (const status of [301, 302, 303, 307, 308]) {
      const { url, sent } = await serve(t, (_, response) => {
        response.writeHead(status, { location: elsewhere.url }).end();
      });
      assert.equal((await put(url)).status, status);
      assert.deepEqual(sent, [body, body]);
    }
    assert.deepEqual(elsewhere.sent, []);
  });

  it("is not asked again after another failure", async (t) => {
    const { url, sent } = await serve(t, (request) => request.socket.destroy());
    assert.equal((await put(url)).status, -1);
    assert.deepEqual(sent, [body]);
  });
});

describe("an HTTP date is read", () => {
  for (const zone of ["Asia/Tokyo", "America/Lima", "UTC"]) {
    it(`in each of its three forms, in ${zone}`, (t) => {
      const before = process.env.TZ;
      t.after(() => {
        if (before === undefined) delete process.env.TZ;
        else process.env.TZ = before;
      });
      process.env.TZ = zone;
      for (const date of [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
      ]) {
        assert.equal(parseDate(date), Date.UTC(1994, 10, 6, 8, 49, 37), date);
      }
      assert.ok(Number.isNaN(parseDate("soon")));
    });
  }
});
