// A session on its way: a page in Chromium calls a Worker, which calls a second one. It ends as one session,
// with the enrichments and the spans of all three.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { build } from "esbuild";
import { KEYS, startBackends } from "../support/backends.mjs";
import { chromium } from "../support/browsers.mjs";
import { until } from "../support/child.mjs";
import { pageHtml, serveSite } from "../support/site.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";
import { spanProject } from "./project.mjs";
import { sessionWithSpans } from "./spans.check.mjs";

const provider = (/** @type {string} */ Provider, /** @type {string} */ from) => `
  import { ${Provider}, SimpleSpanProcessor } from "@opentelemetry/${from}";
  import { HoneyHiveSpanExporter, SessionPropagator, SessionSpanProcessor } from "honeyhive-edge/otel";
  const tracerWith = (options) => new ${Provider}({
    spanProcessors: [
      new SessionSpanProcessor(),
      new SimpleSpanProcessor(new HoneyHiveSpanExporter(options)),
    ],
  }).getTracer("travel");
`;

const page = `
  import { initTracer } from "honeyhive-edge";
  ${provider("WebTracerProvider", "sdk-trace-web")}
  async function main() {
    const { options, worker } = await (await fetch("/__what")).json();
    const session = await initTracer({ ...options, sessionName: "page" });
    const span = tracerWith(options).startSpan("page");
    session.enrichSession({ metadata: { page: true } });
    // Who starts the session first names it: on a busy machine that could be a Worker.
    await session.flush();
    const headers = session.propagationHeaders({ baggage: "vendor=kept" });
    const answer = await (await fetch(worker, { headers })).json();
    span.end();
    return { sessionId: session.sessionId, answer };
  }
  main()
    .catch((error) => ({ failed: String(error.stack) }))
    .then((report) => fetch("/__report", { method: "POST", body: JSON.stringify(report) }));
`;

const worker = `
  import { ROOT_CONTEXT, SpanKind } from "@opentelemetry/api";
  import { initTracer, sessionIdFromHeaders } from "honeyhive-edge";
  ${provider("BasicTracerProvider", "sdk-trace-base")}
  const propagator = new SessionPropagator();
  const getter = { get: (headers, name) => headers.get(name) ?? undefined, keys: (headers) => [...headers.keys()] };
  const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "baggage" };
  let tracer;

  export default {
    async fetch(request, { NAME, NEXT, SERVER, KEY }) {
      if (request.method === "OPTIONS") return new Response(null, { headers: cors });
      const options = { apiKey: KEY, serverUrl: SERVER };
      tracer ??= tracerWith(options);
      // Before there is a session in this request: what came in the headers says whose it is.
      const arrived = propagator.extract(ROOT_CONTEXT, request.headers, getter);
      tracer.startSpan(NAME + " arrived", { kind: SpanKind.SERVER }, arrived).end();

      const sessionId = sessionIdFromHeaders(request.headers);
      const session = await initTracer({ ...options, sessionId, sessionName: NAME });
      session.enrichSession({ metadata: { [NAME]: true } });
      const span = tracer.startSpan(NAME, { root: true });
      const headers = session.propagationHeaders(request.headers);
      const next = NEXT && (await (await fetch(NEXT, { headers })).json());
      span.end();
      const baggage = request.headers.get("baggage");
      return Response.json({ sessionId: session.sessionId, baggage, next }, { headers: cors });
    },
  };
`;

it("browser, Worker, second Worker: one session", async (t) => {
  const backends = await startBackends();
  t.after(() => backends.close());
  const project = await spanProject("travel", {
    "page.mjs": page,
    "site/index.html": pageHtml("./page.js"),
    "worker.mjs": worker,
  });
  await build({
    entryPoints: [join(project, "page.mjs")],
    bundle: true,
    format: "esm",
    outfile: join(project, "site", "page.js"),
    logLevel: "error",
  });
  const bundle = await bundleWorker(project);
  const common = { SERVER: backends.v1.url, KEY: KEYS.main };
  const compatibilityDate = "2025-01-01";
  const second = await startWorker(bundle, {
    compatibilityDate,
    bindings: { ...common, NAME: "second", NEXT: "" },
  });
  t.after(second.stop);
  const first = await startWorker(bundle, {
    compatibilityDate,
    bindings: { ...common, NAME: "first", NEXT: second.url },
  });
  t.after(first.stop);
  const site = await serveSite(join(project, "site"));
  t.after(() => site.close());
  const browser = await chromium();
  t.after(() => browser.quit());

  const options = { apiKey: KEYS.main, serverUrl: backends.v1.url };
  const { sessionId, answer } = await site
    .report(browser.visit, /** @type {any} */ ({ options, worker: first.url }))
    .catch((error) => assert.fail(`${error}\n${browser.console()}\n${first.output.stderr}`));
  assert.equal(answer.sessionId, sessionId);
  assert.equal(answer.next.sessionId, sessionId);
  for (const { baggage } of [answer, answer.next]) {
    assert.equal(baggage, `session_id=${sessionId},source=dev,vendor=kept`);
  }

  const names = ["first", "first arrived", "page", "second", "second arrived"];
  const { event, spans } = await until(
    async () => {
      const found = await sessionWithSpans(backends, sessionId);
      const isWhole = Object.keys(found.event.metadata).length >= 3;
      return isWhole && found.spans.length >= names.length ? found : undefined;
    },
    { what: "everything of the session" },
  );
  assert.deepEqual(spans.map(({ name }) => name).sort(), names);
  assert.deepEqual(event.metadata, { page: true, first: true, second: true });
  assert.equal(event.session_name, "page");
  assert.equal((await backends.v1.sessions()).length, 1);
});
