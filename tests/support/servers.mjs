// One portable function that answers requests, as a server of each runtime that has one: Node, Deno, Bun
// and Vercel's edge. Workers are in workerd.mjs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DENO_RUN, NODE_VERSIONS, bun, deno, node } from "./binaries.mjs";
import { start, until } from "./child.mjs";
import { bundleEdge } from "./edge.mjs";
import { consumer, testsDir } from "./package.mjs";

const ENTRIES = {
  "node.mjs": `
    import { createServer } from "node:http";
    import { text } from "node:stream/consumers";
    import * as api from "honeyhive-edge";
    import { answer } from "./answer.mjs";

    const server = createServer(async (request, response) => {
      response.end(JSON.stringify(await answer(api, JSON.parse(await text(request)))));
    });
    server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
  `,
  "deno.mjs": `
    import * as api from "honeyhive-edge";
    import { answer } from "./answer.mjs";

    const onListen = ({ port }) => console.log("port", port);
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen }, async (request) =>
      Response.json(await answer(api, await request.json())),
    );
  `,
  "bun.mjs": `
    import * as api from "honeyhive-edge";
    import { answer } from "./answer.mjs";

    const { port } = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 60,
      fetch: async (request) => Response.json(await answer(api, await request.json())),
    });
    console.log("port", port);
  `,
  "edge.mjs": `
    import * as api from "honeyhive-edge";
    import { answer } from "./answer.mjs";

    addEventListener("fetch", (event) => {
      const answered = event.request.json().then((what) => answer(api, what));
      event.respondWith(answered.then((result) => Response.json(result)));
    });
  `,
};

/** @type {Record<string, (project: string, edge: string) => [command: string, args: string[]]>} */
const PROGRAMS = {
  ...Object.fromEntries(
    NODE_VERSIONS.map((version) => [`Node ${version}`, () => [node(version), ["node.mjs"]]]),
  ),
  Deno: () => [deno(), [...DENO_RUN, "--allow-net=127.0.0.1", "--allow-env", "deno.mjs"]],
  Bun: () => [bun(), ["bun.mjs"]],
  "edge-light": (_, edge) => [
    process.execPath,
    [join(testsDir, "support", "edge-server.mjs"), edge],
  ],
};

export const SERVER_RUNTIMES = Object.keys(PROGRAMS);

/**
 * @param {string} name
 * @param {Record<string, string>} files answer.mjs, which exports `answer(api, what)`, and what it needs
 */
export async function serverProject(name, files) {
  const project = await consumer(name, { ...ENTRIES, ...files });
  const edge = await bundleEdge(project);
  return {
    /**
     * @param {import("node:test").TestContext} t
     * @param {string} runtime one of SERVER_RUNTIMES
     */
    async serve(t, runtime) {
      const program = PROGRAMS[runtime];
      assert.ok(program);
      const running = start(...program(project, edge.folder), { cwd: project });
      t.after(() => running.stop());
      const port = await until(() => /port (\d+)/.exec(running.output.stdout)?.[1], {
        what: `the server in ${runtime} to listen`,
      });
      return {
        output: running.output,
        /** @param {unknown} what JSON, as the answer is */
        async ask(what) {
          const body = JSON.stringify(what);
          const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
          const text = await response.text();
          assert.equal(response.status, 200, `${text}\n${running.output.stderr}`);
          return JSON.parse(text);
        },
      };
    },
  };
}
