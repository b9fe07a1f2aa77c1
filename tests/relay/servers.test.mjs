// The relay in Node behind an adapter, in Deno and in Bun: the same requests, the same answers.

import { readFile } from "node:fs/promises";
import { before, describe } from "node:test";
import { DENO_RUN, bun, deno, node } from "../support/binaries.mjs";
import { start, until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { environment, holds, serving } from "./holds.mjs";

const FILES = {
  "node.mjs": `
    import { serve } from "@hono/node-server";
    import { app } from "./app.mjs";
    const listening = ({ port }) => console.log("listening on " + port);
    serve({ fetch: app(process.env), hostname: "127.0.0.1", port: 0 }, listening);
  `,
  "deno.mjs": `
    import { app } from "./app.mjs";
    const onListen = ({ port }) => console.log("listening on " + port);
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, app(Deno.env.toObject()));
  `,
  "bun.mjs": `
    import { app } from "./app.mjs";
    const { port } = Bun.serve({ fetch: app(process.env), hostname: "127.0.0.1", port: 0 });
    console.log("listening on " + port);
  `,
};

/** @type {[string, () => string, string[]][]} */
const SERVERS = [
  ["Node 20", () => node("20"), ["node.mjs"]],
  ["Node 26", () => node("26"), ["node.mjs"]],
  ["Deno", deno, [...DENO_RUN, "--allow-net=127.0.0.1", "--allow-env", "deno.mjs"]],
  ["Bun", bun, ["bun.mjs"]],
];

/** @type {string} */
let cwd;
before(async () => {
  const app = await readFile(new URL("app.mjs", import.meta.url), "utf8");
  cwd = await consumer("relay-servers", { ...FILES, "app.mjs": app });
});

for (const [name, command, args] of SERVERS) {
  describe(`the relay in ${name}`, () => {
    const at = serving(async (backend) => {
      const { child, output, stop } = start(command(), args, { cwd, env: environment(backend) });
      const [, port] = await until(
        () => {
          if (child.exitCode !== null) throw new Error(output.stderr);
          return /listening on (\d+)/.exec(output.stdout);
        },
        { what: `${name} to listen` },
      );
      return { url: `http://127.0.0.1:${port}`, output, stop };
    });
    holds(at);
  });
}
