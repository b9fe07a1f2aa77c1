// HoneyHiveSpanExporter in this process: what it sends, held against OpenTelemetry's own serializer, and
// what becomes of an export whatever the network and the application do.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { createServer } from "node:http";
import { join } from "node:path";
import v8 from "node:v8";
import vm from "node:vm";
import { pathToFileURL } from "node:url";
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  context,
  trace,
} from "@opentelemetry/api";
import { TraceState, isTracingSuppressed } from "@opentelemetry/core";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import fc from "fast-check";
import { KEYS, startBackends } from "../support/backends.mjs";
import { packageDir } from "../support/package.mjs";
import { readStrictly } from "./strict-otlp.mjs";

/** @type {typeof import("honeyhive-edge/otel")} */
let otel;
/** @type {Awaited<ReturnType<typeof startBackends>>} */
let backends;

/** @type {string[]} */
const lines = [];
const { warn, error } = console;

before(async () => {
  otel = await import(pathToFileURL(join(packageDir, "otel.js")).href);
  backends = await startBackends();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const note = (/** @type {unknown[]} */ ...parts) => void lines.push(parts.join(" "));
  Object.assign(console, { warn: note, error: note });
});
after(async () => {
  Object.assign(console, { warn, error });
  context.disable();
  await backends.close();
});
beforeEach(async () => {
  lines.length = 0;
  await backends.v1.reset();
  await fetch(`${backends.v1.url}/_local/mode`, {
    method: "PUT",
    body: JSON.stringify({ keys: [KEYS.main] }),
  });
});

const finished = new InMemorySpanExporter();
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "chat", "host.count": 2 }),
  spanProcessors: [new SimpleSpanProcessor(finished)],
});

/**
 * @param {(tracer: import("@opentelemetry/api").Tracer) => void} fn starts and ends spans
 */
function spansOf(fn) {
  finished.reset();
  fn(provider.getTracer("shop", "1.2.3", { schemaUrl: "https://schema.example" }));
  return [...finished.getFinishedSpans()];
}

const oneSpan = () => spansOf((tracer) => tracer.startSpan("span").end());

/** @param {object} [more] */
const exporterWith = (more) =>
  new otel.HoneyHiveSpanExporter({
    apiKey: KEYS.main,
    serverUrl: backends.v1.url,
    timeoutMs: 1000,
    deadlineMs: 4000,
    mergeWindowMs: 0,
    ...more,
  });

/**
 * @param {import("honeyhive-edge/otel").HoneyHiveSpanExporter} exporter
 * @param {any[]} spans
 * @returns {Promise<{ code: number, error?: Error }>}
 */
const exported = (exporter, spans) => new Promise((resolve) => exporter.export(spans, resolve));

/** A server that takes everything. */
function taking() {
  /** @type {any[]} */
  const bodies = [];
  return {
    bodies,
    fetch: (/** @type {unknown} */ _url, /** @type {any} */ init) => {
      readStrictly(init.body);
      bodies.push(JSON.parse(init.body));
      return Promise.resolve(new Response("{}"));
    },
  };
}

/** @param {unknown} rules */
const faults = (rules) =>
  fetch(`${backends.v1.url}/_local/faults`, { method: "PUT", body: JSON.stringify(rules) });

const sent = async () =>
  (await backends.v1.requests()).filter(
    (/** @type {any} */ each) => each.path === "/opentelemetry/v1/traces",
  );

/** What OpenTelemetry's own exporter would send, without what JSON leaves out of it. */
const official = (/** @type {any[]} */ spans) =>
  JSON.parse(new TextDecoder().decode(JsonTraceSerializer.serializeRequest(spans)));

/**
 * The same request without what says nothing: counts of zero, and whether a whole number is an `intValue`
 * (OpenTelemetry's own says so of some that 64 bits cannot hold).
 * @param {any} request
 */
function normal(request) {
  const text = JSON.stringify(request, (key, value) =>
    key === "droppedAttributesCount" && value === 0 ? undefined : value,
  );
  return JSON.parse(text.replaceAll('"intValue"', '"doubleValue"'));
}

describe("what is sent", () => {
  it("is what OpenTelemetry's own exporter sends", async () => {
    const spans = spansOf((tracer) => {
      const root = tracer.startSpan("root", { kind: SpanKind.SERVER });
      root.setStatus({ code: SpanStatusCode.ERROR, message: 'bad "luck"' });
      root.recordException(new TypeError("boom"));
      root.addEvent("event", { list: ["a", "b"], none: [] });
      const remote = trace.setSpanContext(ROOT_CONTEXT, {
        traceId: "0af7651916cd43dd8448eb211c80319c",
        spanId: "b7ad6b7169203331",
        traceFlags: TraceFlags.SAMPLED,
        isRemote: true,
        traceState: new TraceState("a=1,b=2"),
      });
      const child = tracer.startSpan(
        "child ☃\n",
        {
          links: [{ context: root.spanContext(), attributes: { why: "because" } }],
          attributes: { text: "t", yes: true, int: 12, half: 0.5, mixed: [1, 2.5], huge: 1e300 },
        },
        remote,
      );
      child.end();
      root.end();
    });
    const { fetch, bodies } = taking();
    assert.deepEqual(await exported(exporterWith({ fetch }), spans), { code: 0 });
    assert.deepEqual(normal(bodies[0]), normal(official(spans)));
  });

  const scalar = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const value = fc.oneof(scalar, fc.array(scalar, { maxLength: 4 }));

  /** What is sent of a span with these attributes, and what OpenTelemetry's own exporter would send. */
  async function bothOf(/** @type {any} */ attributes, /** @type {object} */ options) {
    const { fetch, bodies } = taking();
    const spans = spansOf((tracer) => tracer.startSpan("span", { attributes }).end());
    assert.equal((await exported(exporterWith({ ...options, fetch }), spans)).code, 0);
    return [normal(bodies[0]), normal(official(spans))];
  }

  it("is the same whatever the attributes are, where nothing is masked", async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ minLength: 1 }), value), async (attributes) => {
        const [own, others] = await bothOf(attributes, { redact: false });
        assert.deepEqual(own, others);
      }),
      { numRuns: 300, endOnFailure: true, examples: [[{ pwd: "hunter2", "": [] }]] },
    );
  });

  it("is the same but for texts under the names of secrets, where they are masked", async () => {
    const secret = fc.constantFrom("pwd", "password", "db.password", "apiKey", "X_API_KEY");
    const open = fc.constantFrom("tokens", "author", "passage", "public_key_id", "gen_ai.prompt");
    const name = fc
      .tuple(fc.oneof(secret, open), fc.nat(3))
      .map(([last, words]) => `${"x ".repeat(words)}${last}`);
    const isSecret = (/** @type {string} */ key) => /(pwd|password|api_?key)$/i.test(key);
    /** As `docs/redaction.md` has it: a text that says something, and the texts that a list begins with. */
    const mask = (/** @type {any} */ given) => {
      if (!Array.isArray(given)) return typeof given === "string" && given ? "[Redacted]" : given;
      const rest = given.findIndex((item) => typeof item !== "string");
      const texts = rest < 0 ? given.length : rest;
      return given.map((item, at) => (at < texts && item ? "[Redacted]" : item));
    };
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value), async (attributes) => {
        const [own] = await bothOf(attributes, {});
        const masked = Object.fromEntries(
          Object.entries(attributes).map(([key, given]) => [
            key,
            isSecret(key) ? mask(given) : given,
          ]),
        );
        const [, others] = await bothOf(masked, {});
        const of = (/** @type {any} */ body) =>
          body.resourceSpans[0].scopeSpans[0].spans[0].attributes;
        assert.deepEqual(of(own), of(others));
      }),
      {
        numRuns: 300,
        endOnFailure: true,
        examples: [[{ pwd: "hunter2", tokens: "hunter2", password: ["a", 1, "b"] }]],
      },
    );
  });

  it("goes to the backend with the key, and is stored there", async () => {
    assert.deepEqual(await exported(exporterWith(), oneSpan()), { code: 0 });
    const [request, ...more] = await sent();
    assert.equal(more.length, 0);
    assert.equal(request.headers.authorization, `Bearer ${KEYS.main}`);
    assert.match(request.headers["hh-client-timestamp"], /^\d{16,19}$/);
    const [span] = await (await fetch(`${backends.v1.url}/_local/spans?key=${KEYS.main}`)).json();
    assert.deepEqual(span.resource, { "service.name": "chat", "host.count": 2 });
  });

  it("is one request for what is exported at once", async () => {
    const exporter = exporterWith();
    const results = await Promise.all(
      Array.from({ length: 30 }, () => exported(exporter, oneSpan())),
    );
    assert.ok(results.every(({ code }) => code === 0));
    assert.equal((await sent()).length, 1);
  });

  it("spans of SDK 1.x are taken as well", async () => {
    const [span] = /** @type {any[]} */ (oneSpan());
    const older = {
      name: "older",
      kind: 0,
      spanContext: () => span.spanContext(),
      parentSpanId: "b7ad6b7169203331",
      startTime: span.startTime,
      endTime: span.endTime,
      status: { code: 0 },
      attributes: { a: 1 },
      links: [],
      events: [],
      duration: [0, 1],
      ended: true,
      resource: { attributes: { "service.name": "older" } },
      instrumentationLibrary: { name: "library", version: "1" },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
    assert.equal((await exported(exporterWith(), [older])).code, 0);
    const [stored] = await (await fetch(`${backends.v1.url}/_local/spans?key=${KEYS.main}`)).json();
    assert.equal(stored.parent_id, "b7ad6b7169203331");
    assert.equal(stored.scope, "library");
    assert.deepEqual(stored.resource, { "service.name": "older" });
  });

  it("is not traced itself, and outlives a page that is being left", async () => {
    /** @type {any} */
    const seen = {};
    const document = { visibilityState: "hidden" };
    Object.assign(globalThis, { document });
    try {
      const fetch = (/** @type {unknown} */ _url, /** @type {any} */ init) => {
        seen.suppressed = isTracingSuppressed(context.active());
        seen.keepalive = init.keepalive;
        return Promise.resolve(new Response("{}"));
      };
      assert.equal((await exported(exporterWith({ fetch }), oneSpan())).code, 0);
      assert.deepEqual(seen, { suppressed: true, keepalive: true });
      document.visibilityState = "visible";
      assert.equal((await exported(exporterWith({ fetch }), oneSpan())).code, 0);
      assert.deepEqual(seen, { suppressed: true, keepalive: undefined });
    } finally {
      delete (/** @type {any} */ (globalThis).document);
    }
    assert.equal(isTracingSuppressed(context.active()), false);
  });
});

describe("masking", () => {
  const KEY = ["sk-proj", "-abcdefghij0123456789"].join("");
  const SESSION = "018f3c5e-7d4a-7c2b-9e1f-4a5b6c7d8e9f";

  const spans = () =>
    spansOf((tracer) => {
      const span = tracer.startSpan(`call ${KEY}`);
      span.setAttributes({
        "honeyhive.session_id": SESSION,
        "ai.prompt": JSON.stringify({ messages: [{ role: "user", content: `my key is ${KEY}` }] }),
        "user.email": "ann@example.com",
        list: [KEY, "b"],
        tokens: 12,
      });
      span.addEvent(`event ${KEY}`, { password: "hunter2" });
      span.addLink({ context: span.spanContext(), attributes: { note: KEY } });
      span.setStatus({ code: SpanStatusCode.ERROR, message: `refused ${KEY}` });
      span.end();
    });

  /** @param {any} redact */
  const sentWith = async (redact) => {
    const { bodies, fetch } = taking();
    const exporter = exporterWith({ redact, fetch });
    assert.equal((await exported(exporter, spans())).code, 0);
    return bodies[0];
  };

  it("is on by default, in every text of a span", async () => {
    const text = JSON.stringify(await sentWith(undefined));
    assert.ok(!text.includes(KEY) && !text.includes("hunter2"), text);
    assert.ok(text.includes(SESSION) && text.includes('{"intValue":12}'));
    assert.match(text, /my key is \[Redacted\]/);
  });

  it("`false` turns it off", async () => {
    const body = await sentWith(false);
    assert.deepEqual(normal(body).resourceSpans[0].resource, {
      attributes: normal(official(spans())).resourceSpans[0].resource.attributes,
    });
    assert.ok(JSON.stringify(body).includes("hunter2"));
  });

  it("takes names and patterns of the application's own", async () => {
    const text = JSON.stringify(
      await sentWith({ keys: ["user.email"], patterns: [/my|018f|session_id/] }),
    );
    assert.ok(!text.includes("ann@") && text.includes(KEY), text);
    assert.ok(text.includes("[Redacted] key is"));
    assert.ok(text.includes(`{"key":"honeyhive.session_id","value":{"stringValue":"${SESSION}"}}`));
  });

  it("takes a function, and masks the whole attribute where it throws", async () => {
    /** @type {Set<string>} */
    const paths = new Set();
    const body = await sentWith((/** @type {any} */ value, /** @type {string[]} */ path) => {
      paths.add(path.join(" "));
      if (path[1] === "user.email") return undefined;
      if (path[1] === "list") throw new Error("no");
      return value;
    });
    for (const path of ["name", "status message", "attributes ai.prompt", "attributes note"]) {
      assert.ok(paths.has(path), path);
    }
    const text = JSON.stringify(body);
    assert.ok(!text.includes("ann@") && text.includes("my key is sk-proj"), text);
    const { attributes } = body.resourceSpans[0].scopeSpans[0].spans[0];
    const list = attributes.find((/** @type {any} */ each) => each.key === "list");
    assert.ok(!JSON.stringify(list).includes("sk-proj"));
  });

  it("leaves what finds a span, and what is no text", async () => {
    const [span] = spans();
    const digits = { traceId: "4111111111111111".repeat(2), spanId: "4111111111111111" };
    const { bodies, fetch } = taking();
    await exported(exporterWith({ fetch }), [
      Object.create(/** @type {any} */ (span), {
        spanContext: { value: () => ({ ...digits, traceFlags: 1 }) },
      }),
    ]);
    const { traceId, spanId } = bodies[0].resourceSpans[0].scopeSpans[0].spans[0];
    assert.deepEqual({ traceId, spanId }, digits);
  });
});

describe("the body of a request", { concurrency: 1 }, () => {
  for (const [whose, isReplaced] of /** @type {const} */ ([
    ["Node's own fetch", false],
    ["one that an application has put in its place, which keeps what it is given", true],
  ])) {
    it(`stays whole while others are sent, by ${whose}`, async () => {
      /** @type {string[]} */
      const arrived = [];
      const check = (/** @type {string} */ json) => {
        const { resourceSpans } = JSON.parse(json);
        return resourceSpans[0].scopeSpans[0].spans.map((/** @type {any} */ span) => {
          const { name, attributes } = span;
          assert.match(attributes[0].value.stringValue, new RegExp(`^(?:${name} )+$`));
          return name;
        });
      };
      const server = createServer((request, response) => {
        /** @type {Buffer[]} */
        const chunks = [];
        request.on("data", (chunk) => chunks.push(chunk));
        request.on("end", () => {
          arrived.push(...check(Buffer.concat(chunks).toString()));
          setTimeout(() => response.end("{}"), (arrived.length * 7) % 20);
        });
      });
      await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      const own = globalThis.fetch;
      /** @type {any[]} */
      const bodies = [];
      if (isReplaced) {
        globalThis.fetch = async (url, init) => {
          bodies.push(init?.body);
          await new Promise((resolve) => setTimeout(resolve, (bodies.length * 5) % 12));
          return own(url, init);
        };
      }
      try {
        const serverUrl = `http://127.0.0.1:${port}`;
        const exporter = exporterWith({ serverUrl, mergeWindowMs: 0 });
        const names = Array.from({ length: 120 }, (_, place) => `span${place}`);
        const exports = [];
        for (const [place, name] of names.entries()) {
          const text = `${name} `.repeat(1 + ((place * 977) % 5_000));
          const spans = spansOf((tracer) => tracer.startSpan(name, { attributes: { text } }).end());
          exports.push(exported(exporter, spans));
          if (place % 3 === 0) await exports[place - 3];
        }
        for (const result of await Promise.all(exports)) assert.equal(result.code, 0);
        assert.deepEqual(arrived.toSorted(), names.toSorted());
        assert.equal(bodies.length > 20, isReplaced);
        const kept = bodies.flatMap((body) => check(new TextDecoder().decode(body)));
        assert.deepEqual(kept.toSorted(), isReplaced ? names.toSorted() : []);
      } finally {
        globalThis.fetch = own;
        server.closeAllConnections();
        server.close();
      }
    });
  }

  for (const method of ["findIndex", "sort", "splice"]) {
    it(`is made without Array.prototype.${method}, which a library may have replaced`, async () => {
      const exporter = exporterWith();
      assert.equal((await exported(exporter, oneSpan())).code, 0);
      const spans = oneSpan();
      const own = Reflect.get(Array.prototype, method);
      Reflect.set(Array.prototype, method, () => {
        throw new Error("replaced");
      });
      try {
        assert.equal((await exported(exporter, spans)).code, 0);
      } finally {
        Reflect.set(Array.prototype, method, own);
      }
    });
  }
});

describe("a page that is hidden", { concurrency: 1 }, () => {
  /** Whether each request was to outlive the page. @type {boolean[]} */
  const outlived = [];
  /** @type {(outlives: boolean) => Promise<Response>} */
  let answer;
  const fetch = (/** @type {unknown} */ _url, /** @type {any} */ init) => {
    outlived.push(init.keepalive === true);
    return answer(init.keepalive === true);
  };
  before(() => void Object.assign(globalThis, { document: { visibilityState: "hidden" } }));
  after(() => void delete (/** @type {any} */ (globalThis).document));
  beforeEach(() => void (outlived.length = 0));

  it("has one request at a time that outlives it", async () => {
    /** @type {((response: Response) => void)[]} */
    const answers = [];
    answer = () => new Promise((resolve) => void answers.push(resolve));
    const exporter = exporterWith({ fetch });
    const exports = [exported(exporter, oneSpan()), exported(exporter, oneSpan())];
    while (answers.length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(outlived, [true, false]);
    answer = async () => new Response("{}");
    for (const resolve of answers) resolve(new Response("{}"));
    await Promise.all(exports);
    await exported(exporter, oneSpan());
    assert.deepEqual(outlived, [true, false, true]);
  });

  it("takes no connection that the site needs, until something was answered", async () => {
    /** @type {unknown[]} */
    const credentials = [];
    const statuses = [401, 200, 200, 200];
    const exporter = exporterWith({
      serverUrl: `${backends.v1.url}/unasked`,
      fetch: async (/** @type {unknown} */ _url, /** @type {any} */ init) => {
        credentials.push(init.credentials);
        return new Response("{}", { status: statuses[credentials.length - 1] ?? 200 });
      },
    });
    for (let n = 0; n < 3; n++) assert.equal((await exported(exporter, oneSpan())).code, 0);
    assert.deepEqual(credentials, ["omit", undefined, undefined, undefined]);
  });

  it("sends without keepalive what the browser refuses, and that is nobody's failure", async () => {
    answer = async (outlives) => {
      if (outlives) throw new TypeError("Failed to fetch");
      return new Response("{}");
    };
    assert.equal((await exported(exporterWith({ fetch }), oneSpan())).code, 0);
    assert.deepEqual(outlived, [true, false]);
  });
});

describe("what becomes of it", { concurrency: 1 }, () => {
  it("what can pass is tried again, after as long as the server asks", async () => {
    await faults([
      { times: 1, status: 503 },
      { times: 1, cut: "before" },
      { times: 1, retryAfter: 1 },
    ]);
    const exporter = exporterWith();
    assert.deepEqual(await exported(exporter, oneSpan()), { code: 0 });
    const requests = await sent();
    assert.ok(requests.length >= 4);
    const [, , third, fourth] = requests;
    assert.ok(fourth.at >= third.at + 1_000, "it comes again when the server said, by its clock");
    const stamps = requests.map((/** @type {any} */ each) => each.headers["hh-client-timestamp"]);
    assert.equal(new Set(stamps).size, 1);
    assert.deepEqual(lines, []);
  });

  it("what does not pass within the deadline fails, is said once, and names no key", async () => {
    await faults([{ status: 503, body: KEYS.main }]);
    const exporter = exporterWith({ deadlineMs: 600 });
    const results = await Promise.all([1, 2].map(() => exported(exporter, oneSpan())));
    for (const { code, error: why } of results) {
      assert.equal(code, 1);
      assert.match(String(why), /retries_exhausted: .*503/);
    }
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0], /spans were dropped/);
    assert.doesNotMatch(`${lines}${results.map((result) => result.error)}`, new RegExp(KEYS.main));
  });

  it("a key that is refused is said, without the key", async () => {
    const exporter = exporterWith({ apiKey: KEYS.other });
    const { code, error: why } = await exported(exporter, oneSpan());
    assert.equal(code, 1);
    assert.match(`${why}\n${lines}`, /refused the API key with 401/);
    assert.doesNotMatch(`${why}${lines}`, new RegExp(KEYS.other));
    assert.equal((await sent()).length, 1);
  });

  it("without a key, or disabled, nothing is sent", async () => {
    for (const more of [{ apiKey: "" }, { disabled: true }]) {
      const { code, error: why } = await exported(exporterWith(more), oneSpan());
      assert.equal(code, 1);
      assert.match(String(why), /disabled/);
    }
    assert.equal((await sent()).length, 0);
    assert.match(lines.join("\n"), /no API key/);
  });

  it("whatever fetch does, the export ends", async () => {
    const boom = new Error("boom");
    /** @type {[string, any][]} */
    const hostile = [
      [
        "throws",
        () => {
          throw boom;
        },
      ],
      ["rejects", () => Promise.reject(boom)],
      ["rejects with a string", () => Promise.reject("boom")],
      ["rejects with nothing", () => Promise.reject()],
      ["gives nothing", () => undefined],
      ["gives something else", () => ({ status: "fine" })],
      ["never settles", () => new Promise(() => {})],
      [
        "a body that never ends",
        () =>
          Promise.resolve({
            status: 500,
            headers: new Headers(),
            text: () => new Promise(() => {}),
          }),
      ],
      [
        "headers that throw",
        () =>
          Promise.resolve({
            status: 500,
            get headers() {
              throw boom;
            },
            text: () => "x",
          }),
      ],
    ];
    await Promise.all(
      hostile.map(async ([name, fetch]) => {
        const exporter = exporterWith({
          fetch,
          timeoutMs: 100,
          deadlineMs: 300,
          logLevel: "silent",
        });
        const { code, error: why } = await exported(exporter, oneSpan());
        assert.equal(code, 1, name);
        assert.ok(why instanceof Error, name);
      }),
    );
    assert.deepEqual(lines, []);
  });

  it("never throws, whatever it is given", async () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error("hostile");
        },
      },
    );
    const exporter = exporterWith();
    for (const spans of [undefined, null, 3, [hostile], [undefined], [{}], { length: 1 }]) {
      const result = await exported(exporter, /** @type {any} */ (spans));
      assert.ok([0, 1].includes(result.code));
    }
    exporter.export(oneSpan(), () => {
      throw new Error("a callback that throws");
    });
    exporter.export(oneSpan(), /** @type {any} */ (undefined));
    await exporter.forceFlush();
    const [good] = oneSpan();
    lines.length = 0;
    const mixed = await exported(exporterWith(), [hostile, good]);
    assert.equal(mixed.code, 1);
    assert.equal(mixed.error?.message, "invalid: a span could not be read: hostile");
    assert.match(
      lines.join("\n"),
      /spans were dropped \(invalid\): a span could not be read: hostile$/,
    );
    const kept = await (await fetch(`${backends.v1.url}/_local/spans?key=${KEYS.main}`)).json();
    assert.equal(kept.length, 3, "what can be read is sent");
    for (const options of [hostile, 3, null]) {
      const { code } = await exported(
        new otel.HoneyHiveSpanExporter(/** @type {any} */ (options)),
        [],
      );
      assert.equal(code, 0);
    }
  });

  it("exports what a list has before it throws", async () => {
    const { bodies, fetch } = taking();
    const spans = {
      *[Symbol.iterator]() {
        for (let i = 0; i < 3; i++) yield* oneSpan();
        throw new Error("the list is broken");
      },
    };
    const { error: why } = await exported(exporterWith({ fetch }), /** @type {any} */ (spans));
    assert.equal(why?.message, "invalid: a span could not be read: the list is broken");
    assert.equal(bodies[0].resourceSpans[0].scopeSpans[0].spans.length, 3);
  });

  it("takes a span that lacks what may be empty", async () => {
    const { bodies, fetch } = taking();
    const [whole] = oneSpan();
    const spanContext = () => whole?.spanContext();
    const span = {
      ...whole,
      spanContext,
      events: undefined,
      links: undefined,
      status: undefined,
    };
    assert.equal((await exported(exporterWith({ fetch }), [span])).code, 0);
    assert.equal(bodies[0].resourceSpans[0].scopeSpans[0].spans[0].name, "span");
  });

  it("forceFlush waits for what was exported, shutdown too, and then nothing is taken", async () => {
    await faults([{ delayMs: 300 }]);
    const exporter = exporterWith();
    /** @type {number[]} */
    const codes = [];
    exporter.export(oneSpan(), ({ code }) => void codes.push(code));
    await exporter.forceFlush();
    assert.deepEqual(codes, [0]);
    exporter.export(oneSpan(), ({ code }) => void codes.push(code));
    await exporter.shutdown();
    assert.deepEqual(codes, [0, 0]);
    const { code, error: why } = await exported(exporter, oneSpan());
    assert.equal(code, 1);
    assert.match(String(why), /closed/);
    await Promise.all([exporter.forceFlush(), exporter.shutdown()]);
    assert.equal((await sent()).length, 2);
  });

  it("its own fetch is held while something is sent, and no longer", async () => {
    v8.setFlagsFromString("--expose-gc");
    const gc = vm.runInNewContext("gc");
    /** @type {WeakRef<object>[]} */
    const refs = [];
    for (const shutsDown of [true, false]) {
      await (async () => {
        const own = async () => new Response("{}");
        refs.push(new WeakRef(own));
        const exporter = exporterWith({ fetch: own });
        assert.equal((await exported(exporter, oneSpan())).code, 0);
        if (shutsDown) await exporter.shutdown();
      })();
    }
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    assert.deepEqual(refs.map((ref) => ref.deref()), [undefined, undefined]); // prettier-ignore
  });
});

describe("a trap inside", () => {
  it("ends what is under way, and the next call works on a fresh instance", async () => {
    const traps = trapping();
    try {
      const url = pathToFileURL(join(packageDir, "otel.js")).href;
      /** @type {typeof import("honeyhive-edge/otel")} */
      const own = await import(`${url}?trap`);
      const options = { apiKey: KEYS.main, serverUrl: backends.v1.url, mergeWindowMs: 0 };
      const exporter = new own.HoneyHiveSpanExporter(options);
      assert.equal((await exported(exporter, oneSpan())).code, 0);

      await faults([{ times: 1, delayMs: 500 }]);
      const underWay = exported(exporter, oneSpan());
      await new Promise((resolve) => setTimeout(resolve, 100));
      // The later ones are called on a fresh instance only.
      for (const names of [
        ["exportSpans"],
        ["spanAttributes"],
        ["runScope"],
        ["exportSpans", "openExporter"],
        ["exportSpans", "__wbindgen_start"],
      ]) {
        const what = names.join(", then ");
        traps.next = [...names];
        for (const name of names) {
          const span = provider.getTracer("trap").startSpan("span");
          own.enrichSpan(span, { metadata: { a: 1 } });
          const { code } = await exported(exporter, oneSpan());
          if (/^export|^run/.test(name)) assert.equal(code, 1, what);
        }
        assert.deepEqual(traps.next, [], `all were sprung: ${what}`);
        const span = provider.getTracer("trap").startSpan("span");
        own.enrichSpan(span, { metadata: { a: 2 } });
        const { attributes } = /** @type {any} */ (span);
        assert.equal(attributes["honeyhive_metadata.a"], 2, `after ${what}`);
        assert.equal((await exported(exporter, oneSpan())).code, 0, `after ${what}`);
      }
      const lost = await underWay;
      assert.equal(lost.code, 1);
      assert.match(String(lost.error), /internal error/);
    } finally {
      traps.restore();
    }
  });
});

/** Instances of WebAssembly that are made from now on trap in the exports `next`, one after another. */
function trapping() {
  const { Instance } = WebAssembly;
  const traps = { next: [""], restore: () => void (WebAssembly.Instance = Instance) };
  WebAssembly.Instance = /** @type {any} */ (
    class {
      /** @type {Record<string, any>} */
      exports = {};

      /** @param {[any, any]} given */
      constructor(...given) {
        for (const [name, value] of Object.entries(new Instance(...given).exports)) {
          this.exports[name] =
            typeof value !== "function"
              ? value
              : (/** @type {unknown[]} */ ...args) => {
                  if (name !== traps.next[0]) return value(...args);
                  traps.next.shift();
                  throw new WebAssembly.RuntimeError("unreachable");
                };
        }
      }
    }
  );
  return traps;
}
