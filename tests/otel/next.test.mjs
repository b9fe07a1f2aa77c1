// Spans in a Next.js app that registers @vercel/otel in its instrumentation. Next bundles that and the
// routes apart from one another, each with a copy of the package, and the copies know of one another. A route on
// the edge gets only the WebAssembly that it imports itself, so the one here imports honeyhive-edge/otel.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { blocksRunBy } from "../docs/documents.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { runToEnd, start, until } from "../support/child.mjs";
import { testsDir } from "../support/package.mjs";
import { spanProject } from "./project.mjs";
import { sessionWithSpans } from "./spans.check.mjs";

const next = join(testsDir, "node_modules", "next", "dist", "bin", "next");

/** As docs/opentelemetry.md has it. */
const [instrumentation] = await blocksRunBy("tests/otel/next.test.mjs");

const route = (/** @type {string} */ runtime, /** @type {boolean} */ enrichSpan) => `
  import { trace } from "@opentelemetry/api";
  import { withSession } from "honeyhive-edge";
  ${enrichSpan ? 'import { enrichSpan } from "honeyhive-edge/otel";' : ""}

  export const runtime = ${JSON.stringify(runtime)};
  const tracer = trace.getTracer("route");
  const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 30));

  export async function POST(request) {
    const { name } = await request.json();
    const sessionId = await withSession({ sessionName: name }, (session) =>
      tracer.startActiveSpan("turn", async (turn) => {
        session.enrichSession({ metadata: { name } });
        await pause();
        await tracer.startActiveSpan("model", async (model) => {
          await pause();
          ${enrichSpan ? "enrichSpan({ metadata: { name } });" : ""}
          model.end();
        });
        turn.end();
        return session.sessionId;
      }),
    );
    return Response.json({ sessionId });
  }
`;

const app = {
  "next.config.mjs": `
    export default {
      turbopack: { root: ${JSON.stringify(testsDir)} },
      outputFileTracingRoot: ${JSON.stringify(testsDir)},
    };
  `,
  "instrumentation.js": instrumentation.text,
  "app/layout.js": `
    export default function Layout({ children }) {
      return <html lang="en"><body>{children}</body></html>;
    }
  `,
  "app/page.js": "export default function Page() { return null; }",
  "app/node/route.js": route("nodejs", false),
  "app/edge/route.js": route("edge", true),
};

it("spans in Next.js with @vercel/otel", async (t) => {
  const backends = await startBackends();
  t.after(() => backends.close());
  const project = await spanProject("next", app);
  const env = {
    NEXT_TELEMETRY_DISABLED: "1",
    NODE_ENV: "production",
    NO_COLOR: "1",
    HH_API_KEY: KEYS.main,
    HH_API_URL: backends.v1.url,
    OTEL_BSP_SCHEDULE_DELAY: "200",
  };
  const built = await runToEnd(process.execPath, [next, "build"], {
    cwd: project,
    env,
    timeoutMs: 180_000,
  });
  assert.equal(built.code, 0, `${built.stdout}\n${built.stderr}`);
  const server = start(
    process.execPath,
    [next, "start", "--hostname", "127.0.0.1", "--port", "0"],
    { cwd: project, env },
  );
  t.after(() => server.stop());
  const url = await until(
    () => /http:\/\/127\.0\.0\.1:(?!0\b)\d+/.exec(server.output.stdout)?.[0],
    { what: `next start\n${server.output.stderr}` },
  );
  for (const runtime of ["node", "edge"]) {
    await t.test(`${runtime} route`, async () => {
      const answers = await Promise.all(
        ["first", "second", "third"].map(async (name) => {
          const response = await fetch(`${url}/${runtime}`, {
            method: "POST",
            body: JSON.stringify({ name }),
            signal: AbortSignal.timeout(60_000),
          });
          assert.equal(response.status, 200, server.output.stderr);
          return { name, sessionId: (await response.json()).sessionId };
        }),
      );
      for (const { name, sessionId } of answers) {
        // Next's own spans are in the session as well.
        const { event, own } = await until(
          async () => {
            const found = await sessionWithSpans(backends, sessionId).catch(() => undefined);
            const spans = found?.spans.filter(({ scope }) => scope === "route") ?? [];
            return found && spans.length >= 2 ? { event: found.event, own: spans } : undefined;
          },
          {
            what: `the spans of ${runtime} ${sessionId}\n${server.output.stdout}\n${server.output.stderr}`,
          },
        );
        assert.deepEqual(event.metadata, { name });
        assert.deepEqual(own.map((span) => span.name).sort(), ["model", "turn"]);
        for (const { name: of, attributes } of own) {
          assert.equal(attributes["honeyhive.session_name"], name);
          const isEnriched = of === "model" && runtime === "edge";
          const enriched = isEnriched ? name : undefined;
          assert.equal(attributes["honeyhive_metadata.name"], enriched);
        }
      }
    });
  }
  const all = await (await fetch(`${backends.v1.url}/_local/spans?key=${KEYS.main}`)).json();
  const own = all.filter((/** @type {any} */ span) =>
    JSON.stringify(span).includes(backends.v1.url),
  );
  assert.deepEqual(own, [], "no request of the package's own is traced");
  assert.equal(server.output.stderr, "");
});
