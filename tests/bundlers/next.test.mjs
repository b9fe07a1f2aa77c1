// The package in a Next.js app, built for production and started: in the browser, in a server
// component, in a Node route and in an edge route; by each of Next's two bundlers.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { blocksRunBy } from "../docs/documents.mjs";
import { ask } from "../relay/ask.mjs";
import { ATTACKS, good } from "../relay/attacks.mjs";
import { SECRETS } from "../relay/forge.mjs";
import { checkReport } from "../scenarios/check.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { chromium } from "../support/browsers.mjs";
import { runToEnd, start, until } from "../support/child.mjs";
import { consumer, testsDir } from "../support/package.mjs";
import { pageScript, serveSite } from "../support/site.mjs";
import { clickThrough } from "./chat-visit.mjs";

const names = ["guide", "touch"];
const next = join(testsDir, "node_modules", "next", "dist", "bin", "next");

const route = (/** @type {string} */ runtime) => `
  import * as api from "honeyhive-edge";
  import { runScenarios } from "../../scenarios/runner.mjs";

  export const runtime = ${JSON.stringify(runtime)};
  export async function POST(request) {
    return Response.json(await runScenarios({ api, ...(await request.json()) }));
  }
`;

/** The relay as docs/relay.md has it, and the same for the edge runtime. */
const [relay] = await blocksRunBy("tests/bundlers/next.test.mjs");
const edgeRelay = `${relay.text}
  export const runtime = "edge";
`.replace("createRelay()", 'createRelay({ path: "/hive-at-the-edge" })');

const app = {
  // Next and React are in tests/node_modules, above the project.
  "next.config.mjs": `
    export default {
      turbopack: { root: ${JSON.stringify(testsDir)} },
      outputFileTracingRoot: ${JSON.stringify(testsDir)},
    };
  `,
  "app/layout.js": `
    export default function Layout({ children }) {
      return <html lang="en"><body>{children}</body></html>;
    }
  `,
  "scenarios-in-page.mjs": pageScript("honeyhive-edge").replace("void main();", ""),
  "app/page.js": `
    "use client";
    import { useEffect } from "react";
    import { activeTracer } from "honeyhive-edge";

    export default function Page() {
      useEffect(() => {
        // The window is there only after hydration.
        void import("../scenarios-in-page.mjs").then(({ main }) => main());
      }, []);
      // Rendered on the server as well.
      return <p>{activeTracer() === undefined ? "no tracer" : "a tracer"}</p>;
    }
  `,
  "app/ssr/page.js": `
    import * as api from "honeyhive-edge";
    import { runScenarios } from "../../scenarios/runner.mjs";

    export const dynamic = "force-dynamic";
    export default async function Page({ searchParams }) {
      const { what } = await searchParams;
      const report = await runScenarios({ api, ...JSON.parse(what) });
      return <pre>{btoa(unescape(encodeURIComponent(JSON.stringify(report))))}</pre>;
    }
  `,
  "app/node/route.js": route("nodejs"),
  "app/edge/route.js": route("edge"),
  "chat.mjs": await readFile(new URL("chat.mjs", import.meta.url), "utf8"),
  "app/chat/page.js": `
    "use client";
    import { useEffect } from "react";
    import { chat } from "../../chat.mjs";

    export default function Page() {
      useEffect(() => void chat(document), []);
      return null;
    }
  `,
  "app/ticket/route.js": `
    import { issueTicket } from "honeyhive-edge/relay";

    export const dynamic = "force-dynamic";
    export async function GET() {
      const sessionId = crypto.randomUUID();
      const ticket = await issueTicket({ sessionId, fields: ["feedback"] });
      return Response.json({ sessionId, ticket });
    }
  `,
  "app/icon.svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>',
  "app/honeyhive/[...path]/route.js": relay.text,
  "app/hive-at-the-edge/[...path]/route.js": edgeRelay,
};

describe("Next.js", { concurrency: 1 }, () => {
  for (const bundler of ["turbopack", "webpack"]) {
    it(bundler, async (t) => {
      const project = await consumer(`next-${bundler}`, app);
      const env = { NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production", NO_COLOR: "1" };
      const built = await runToEnd(process.execPath, [next, "build", `--${bundler}`], {
        cwd: project,
        env,
        timeoutMs: 180_000,
      });
      assert.equal(built.code, 0, `${built.stdout}\n${built.stderr}`);
      assert.doesNotMatch(`${built.stdout}${built.stderr}`, /warn/i);

      const behind = await startBackends();
      t.after(() => behind.close());
      const relayed = {
        HH_API_KEY: KEYS.main,
        HH_RELAY_SECRET: SECRETS.current,
        HH_API_URL: behind.v1.url,
      };
      const server = start(
        process.execPath,
        [next, "start", "--hostname", "127.0.0.1", "--port", "0"],
        { cwd: project, env: { ...env, ...relayed } },
      );
      t.after(() => server.stop());
      const url = await until(
        () => /http:\/\/127\.0\.0\.1:(?!0\b)\d+/.exec(server.output.stdout)?.[0],
        { what: `next start\n${server.output.stderr}` },
      );

      /** @param {(backends: Awaited<ReturnType<typeof startBackends>>) => Promise<any>} run */
      const checked = (run) => async (/** @type {import("node:test").TestContext} */ part) => {
        const backends = await startBackends();
        part.after(() => backends.close());
        const report = await run(backends).catch((error) =>
          assert.fail(`${error}\n${server.output.stdout}\n${server.output.stderr}`),
        );
        await checkReport(part, report, { names, backends });
      };
      for (const runtime of ["node", "edge"]) {
        await t.test(
          `${runtime} route`,
          checked(async ({ params }) => {
            const body = JSON.stringify({ names, params });
            const signal = AbortSignal.timeout(60_000);
            const response = await fetch(`${url}/${runtime}`, { method: "POST", body, signal });
            assert.equal(response.status, 200);
            return response.json();
          }),
        );
      }
      for (const path of ["/honeyhive", "/hive-at-the-edge"]) {
        await t.test(`relay at ${path}`, async () => {
          const from = good(url, path);
          for (const asked of [from.start, from.update]) {
            const { status, text } = await ask(url, asked);
            assert.equal(status, 200, `${text}\n${server.output.stderr}`);
          }
          assert.deepEqual((await behind.v1.session(from.session)).feedback, { rating: 5 });
          await behind.v1.reset();
          for (const { name, attack, status, code } of ATTACKS) {
            const answer = await ask(url, attack(good(url, path)));
            // Next.js answers itself for addresses and methods that have no handler.
            const isNexts = [404, 405].includes(status) && answer.json === undefined;
            if (isNexts) assert.ok(answer.status >= 300, name);
            else assert.deepEqual([answer.status, answer.json.errorCode], [status, code], name);
          }
          assert.deepEqual(await behind.v1.requests(), []);
        });
      }
      await t.test(
        "server component",
        checked(async ({ params }) => {
          const what = encodeURIComponent(JSON.stringify({ names, params }));
          const signal = AbortSignal.timeout(60_000);
          const html = await (await fetch(`${url}/ssr?what=${what}`, { signal })).text();
          const [, base64] = /<pre>([^<]+)<\/pre>/.exec(html) ?? assert.fail(html);
          return JSON.parse(Buffer.from(base64, "base64").toString());
        }),
      );
      await t.test("a chat page, clicked through", () =>
        clickThrough(`${url}/chat`, async (session) => (await behind.v1.session(session)).feedback),
      );
      await t.test("in the browser", async (part) => {
        const browser = await chromium();
        part.after(() => browser.quit());
        const site = await serveSite(project);
        part.after(() => site.close());
        await checked(({ params }) =>
          site
            .report(() => browser.visit(`${url}/?site=${site.url}`), { names, params })
            .catch((error) => assert.fail(`${error}\n${browser.console()}`)),
        )(part);
      });
      assert.equal(server.output.stderr, "");
    });
  }
});
