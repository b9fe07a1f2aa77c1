// A page and its relay on one origin, as visitors meet them: the relay in real workerd, the local backend
// behind it, and in front of both a server whose network can go away.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { basename, extname, join, normalize } from "node:path";
import { API_KEY, forge } from "../relay/forge.mjs";
import { environment } from "../relay/holds.mjs";
import { worker } from "../relay/worker.mjs";
import { startBackends } from "../support/backends.mjs";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";

/** Nothing more than what the documentation asks for. */
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

/** The page that may say which pages the browser is to load before they are seen. */
export const SPECULATING = "/speculating.html";

const types = /** @type {Record<string, string>} */ ({
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
});

/** A session, and what a page has to be given for it. */
function visitor() {
  const session = crypto.randomUUID();
  return { session, options: { serverUrl: "/honeyhive", ticket: forge({ session }) } };
}

/** @param {string} folder of the page */
export async function serve(folder) {
  const app = await readFile(new URL("../relay/app.mjs", import.meta.url), "utf8");
  const project = await consumer(`${basename(join(folder, ".."))}-${basename(folder)}-relay`, {
    "worker.mjs": worker,
    "app.mjs": app,
  });
  const backends = await startBackends();
  const backend = backends.v1;
  const mode = JSON.stringify({ routes: "v1", keys: [API_KEY] });
  await fetch(`${backend.url}/_local/mode`, { method: "PUT", body: mode });
  const bindings = environment(backend.url);
  const bundle = await bundleWorker(project);
  const relay = await startWorker(bundle, { compatibilityDate: "2026-10-01", bindings });

  const state = { isDown: false, session: "" };
  /** Pages that have no network, whatever the others have: the queries of their addresses. @type {Set<string>} */
  const cutOff = new Set();
  /** Paths of the site's own that browsers asked for. @type {Set<string>} */
  const asked = new Set();
  const server = createServer(async (incoming, answer) => {
    // Whole, where it comes from a browser that takes this for a proxy.
    const { pathname: path, search } = new URL(incoming.url ?? "/", "http://page");
    if (path.startsWith("/honeyhive")) {
      const isAway = state.isDown && path.includes(state.session);
      const page = new URL(incoming.headers.referer ?? "http://page").search;
      if (isAway || cutOff.has(page)) return void incoming.socket.destroy();
      const { method, headers } = incoming;
      const passed = request(relay.url + path + search, { method, headers }, (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers);
        got.pipe(answer);
      });
      passed.on("error", () => answer.destroy());
      return void incoming.pipe(passed);
    }
    asked.add(path);
    if (path === "/ticket") {
      const { session, options } = visitor();
      answer.writeHead(200, { "content-type": "application/json" });
      return void answer.end(JSON.stringify({ sessionId: session, ticket: options.ticket }));
    }
    // What another script of the site asks, and nobody answers.
    if (path === "/hang") return;
    // As at a logout.
    if (path === "/clear") {
      return void answer.writeHead(204, { "clear-site-data": '"storage"' }).end();
    }
    if (path === "/icon") return void answer.writeHead(204).end();
    const file = normalize(path).replace(/\/$/, "/index.html");
    try {
      const content = await readFile(join(folder, file));
      const type = types[extname(file)] ?? "application/octet-stream";
      const policy = path === SPECULATING ? `${POLICY} 'inline-speculation-rules'` : POLICY;
      answer.writeHead(200, { "content-type": type, "content-security-policy": policy });
      answer.end(content);
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    backend,
    /**
     * Whether the network is away, for all or for the updates of one session.
     * @param {boolean} isDown @param {string} [session]
     */
    down(isDown, session = "") {
      Object.assign(state, { isDown, session });
      if (isDown) server.closeIdleConnections();
    },
    /** Whether the network is away. */
    isDown: () => state.isDown,
    /**
     * Takes the network away from one page, or gives it back. What a page asked before it was left may arrive at any time
     * later: if the test goes by what was refused, the network comes back for the other pages only.
     * @param {string} page the query of its address @param {boolean} isCutOff
     */
    cutOff(page, isCutOff) {
      if (isCutOff) cutOff.add(page);
      else cutOff.delete(page);
    },
    visitor,
    /** Whether any browser asked for it. @param {string} path */
    wasAsked: (path) => asked.has(path),
    /** What the backend has of a session's feedback; nothing if it has no such session. @param {string} session */
    async feedback(session) {
      const all = await backend.sessions();
      const found = all.find((/** @type {any} */ it) => it.event.session_id === session);
      return found?.event.feedback;
    },
    /**
     * Waits until the backend has this feedback of a session, and no other.
     * @param {string} session @param {object} feedback
     */
    async stored(session, feedback) {
      const isStored = async () =>
        JSON.stringify(await this.feedback(session)) === JSON.stringify(feedback);
      await until(isStored, { what: "it to be stored", timeoutMs: 20_000 }).catch(() => {});
      assert.deepEqual(await this.feedback(session), feedback);
    },
    /**
     * The feedback in each request that was stored, in the order in which the backend takes them: by their time
     * stamps, for what a page sends on leaving may be overtaken by what the next one says.
     * @param {string} session @returns {Promise<any[]>}
     */
    async told(session) {
      const all = await backend.requests(session);
      return all
        .filter((/** @type {any} */ it) => it.stored && it.body.feedback)
        .sort((/** @type {any} */ a, /** @type {any} */ b) =>
          Number(BigInt(a.timestamp) - BigInt(b.timestamp)),
        )
        .map((/** @type {any} */ it) => it.body.feedback);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await relay.stop();
      await backends.close();
    },
  };
}
