// Two copies of the package in one program, as Next.js' bundles have them: which session a span belongs to, by
// whichever copy it was entered.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { runToEnd } from "../support/child.mjs";
import { packageDir } from "../support/package.mjs";
import { main, otel, registered } from "./in-process.mjs";

/** @type {typeof main} */
const copy = await import(`${pathToFileURL(join(packageDir, "index.js")).href}?copy`);
const { tracer } = registered(new otel.SessionSpanProcessor());

const options = { disabled: true, logLevel: /** @type {const} */ ("silent") };

const sessionHere = () => {
  const span = /** @type {any} */ (tracer.startSpan("root", {}, ROOT_CONTEXT));
  return span.attributes["honeyhive.session_id"];
};

const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 5));

/**
 * What no other test enters is left with the function.
 * @template T
 * @param {() => Promise<T>} fn
 */
const apart = async (fn) => await Promise.resolve().then(fn);

for (const [name, one, other] of /** @type {const} */ ([
  ["a copy and another", main, copy],
  ["the other way round", copy, main],
])) {
  describe(name, () => {
    it("initTracer in one and withSession in the other: the run counts", () =>
      apart(async () => {
        const first = await one.initTracer(options);
        assert.equal(sessionHere(), first.sessionId);
        await other.withSession(options, async (inner) => {
          await pause();
          assert.equal(sessionHere(), inner.sessionId);
        });
        await pause();
        assert.equal(sessionHere(), first.sessionId);
        await first.close();
      }));

    it("of two runs the inner one counts, of two tracers the later one", () =>
      apart(async () => {
        await one.withSession(options, (outer) =>
          other.withSession(options, async (inner) => {
            assert.equal(sessionHere(), inner.sessionId);
            await one.withSession(options, async (innermost) => {
              await pause();
              assert.equal(sessionHere(), innermost.sessionId);
            });
            assert.equal(sessionHere(), inner.sessionId);
            await outer.run(async () => assert.equal(sessionHere(), outer.sessionId));
          }),
        );
        const earlier = await one.initTracer(options);
        const later = await other.initTracer(options);
        assert.equal(sessionHere(), later.sessionId);
        await later.close();
        assert.equal(sessionHere(), earlier.sessionId);
        await earlier.close();
      }));

    it("runs that go on at once are not mixed up", () =>
      apart(async () => {
        await Promise.all(
          Array.from({ length: 50 }, (_, at) =>
            (at % 2 ? one : other).withSession(options, async (outer) => {
              await pause();
              assert.equal(sessionHere(), outer.sessionId);
              await (at % 3 ? one : other).withSession(options, async (inner) => {
                await pause();
                assert.equal(sessionHere(), inner.sessionId);
              });
              assert.equal(sessionHere(), outer.sessionId);
            }),
          ),
        );
      }));
  });
}

it("in a page a copy knows of no other", async () => {
  const holder = /** @type {any} */ (globalThis);
  holder.document = {};
  try {
    await apart(() =>
      copy.withSession(options, async () => assert.equal(sessionHere(), undefined)),
    );
  } finally {
    delete holder.document;
  }
});

for (const [what, before] of [
  ["frozen", "Object.freeze(globalThis);"],
  ["closed to what is new", "Object.preventExtensions(globalThis);"],
  ["taken by somebody else", 'globalThis[Symbol.for("honeyhive-edge.entered")] = "mine";'],
  [
    "half taken",
    'globalThis[Symbol.for("honeyhive-edge.entered")] = Object.freeze({ last: 1, copies: 3 });',
  ],
]) {
  it(`a global object that is ${what} does no harm`, async () => {
    const program = `
      import { trace } from "@opentelemetry/api";
      import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
      new Promise((resolve) => setTimeout(resolve, 1)); // what Node makes at first use
      const provider = (processor) => new NodeTracerProvider({ spanProcessors: [processor] }).getTracer("t");
      await fetch("data:,");
      ${before}
      const main = await import(${JSON.stringify(join(packageDir, "index.js"))});
      const otel = await import(${JSON.stringify(join(packageDir, "otel.js"))});
      const tracer = provider(new otel.SessionSpanProcessor());
      await main.withSession({ disabled: true }, async (session) => {
        const span = tracer.startSpan("s");
        console.log(span.attributes["honeyhive.session_id"] === session.sessionId);
      });
    `;
    const { code, stdout, stderr } = await runToEnd(process.execPath, [
      "--input-type=module",
      "--eval",
      program,
    ]);
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "true\n", stderr: "" });
  });
}
