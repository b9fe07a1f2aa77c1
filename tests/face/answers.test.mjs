// Answers to a request, from servers and from doubles of `fetch` that misbehave: what holds of whatever sends is in
// ../surface/answers.js, and here of the JavaScript that does; with what only Node has.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it, mock } from "node:test";
import fc from "fast-check";
import { send } from "../../pkg-template/src/send.js";
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
