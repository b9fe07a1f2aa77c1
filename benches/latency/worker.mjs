// The package in workerd: a request to the Worker for each session, as visitors come. Each waits for its
// enrichments, and says when it made them: the clock goes on with each answer.

import { mkdir, symlink, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { fileURLToPath } from "node:url";
import { bundleWorker, startWorker } from "../../tests/support/workerd.mjs";

const project = fileURLToPath(new URL("../../.cache/latency/", import.meta.url));
const load = fileURLToPath(new URL("load.mjs", import.meta.url));
const adapter = fileURLToPath(new URL("../peers/adapters/honeyhive-edge.mjs", import.meta.url));

const code = `
  import { setup } from ${JSON.stringify(adapter)};
  import { sessions } from ${JSON.stringify(load)};

  export default {
    async fetch(request, { URL: url }) {
      const peer = await setup({ url });
      return Response.json(await sessions(peer, { ...(await request.json()), rate: 1, seconds: 1 }));
    },
  };
`;

/** @param {string} url of the server */
export async function startWorkers(url) {
  await mkdir(`${project}node_modules`, { recursive: true });
  await symlink("../../../pkg", `${project}node_modules/honeyhive-edge`).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
  await writeFile(`${project}worker.mjs`, code);
  const bundle = await bundleWorker(project, ["nodejs_compat"]);
  const worker = await startWorker(bundle, {
    compatibilityDate: "2026-10-01",
    flags: ["nodejs_compat"],
    bindings: { URL: url },
  });
  const agent = new Agent({ keepAlive: true });
  return {
    stop() {
      agent.destroy();
      return worker.stop();
    },

    /** @param {{ rate: number, seconds: number }} what */
    async sessions({ rate, seconds }) {
      const from = performance.now();
      const answers = Array.from({ length: rate * seconds }, async (_, n) => {
        const ms = (n * 1_000) / rate - (performance.now() - from);
        await new Promise((resolve) => setTimeout(resolve, ms));
        return ask(worker.url, agent, { job: `w${n}` });
      });
      /** @type {import("./load.mjs").Calls} */
      const calls = { at: {}, delivered: [], dropped: {}, ms: 0 };
      for (const each of await Promise.all(answers)) {
        Object.assign(calls.at, each.at);
        calls.delivered.push(...each.delivered);
        for (const [reason, count] of Object.entries(each.dropped)) {
          calls.dropped[reason] = (calls.dropped[reason] ?? 0) + Number(count);
        }
      }
      calls.ms = performance.now() - from;
      return calls;
    },
  };
}

/**
 * @param {string} url
 * @param {Agent} agent
 * @param {object} what
 * @returns {Promise<any>}
 */
function ask(url, agent, what) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: "POST", agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`${response.statusCode} ${text}`));
      });
    });
    asked.on("error", reject).end(JSON.stringify(what));
  });
}
