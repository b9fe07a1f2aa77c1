// A site over HTTP/1.1 with a relay that never answers on the same origin, and a page with as many sessions as a
// test wants. For the tests of a page's manners, and their benchmark.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { text } from "node:stream/consumers";
import { forge } from "../relay/forge.mjs";

const TYPES = /** @type {Record<string, string>} */ ({
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
});

/** The page: `begin` says something of each session, and then asks for things of the site's own; `say` only says it. */
export const VISITS_JS = `
  import { initTracer } from "./node_modules/honeyhive-edge/browser.js";

  globalThis.visit = location.hash;
  globalThis.options = {};
  globalThis.say = async (tickets, visit, options) => {
    const open = (ticket) =>
      initTracer({ serverUrl: "/honeyhive", ticket, timeoutMs: 1500, deadlineMs: 60000, ...options });
    const tracers = await Promise.all(tickets.map(open));
    for (const tracer of tracers) void tracer.enrichSession({ feedback: { ["n" + visit]: visit } });
  };
  globalThis.begin = async (tickets, visit, ms, options) => {
    await say(tickets, visit, options);
    await new Promise((resolve) => setTimeout(resolve, ms));
    const own = async (n) => (await fetch("/own?" + visit + "-" + n, { cache: "no-store" })).text();
    await Promise.all([own(1), own(2), own(3)]);
    // What was said is kept by now.
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
`;

/**
 * @param {string} folder of the page
 * @param {{ isCached?: boolean }} [options] whether browsers may keep its scripts, as they may where a name has a hash
 */
export async function serveHanging(folder, { isCached = false } = {}) {
  /** Requests to the relay whose connections the browser holds, with how it sent them. @type {Map<object, boolean>} */
  const open = new Map();
  /** @type {Map<string, Set<string>>} */
  const stored = new Map();
  /** @type {{ all: number, ofSite: number }[]} */
  const held = [];
  /** How long the relay takes to answer, in milliseconds. */
  let latencyMs = Infinity;

  const server = createServer(async (asked, answer) => {
    const path = new URL(asked.url ?? "/", "http://page").pathname;
    if (path.startsWith("/honeyhive")) {
      if (latencyMs < Infinity) return void setTimeout(() => void store(asked, answer), latencyMs);
      open.set(answer, asked.headers.cookie !== undefined);
      // The browser closes the connection of what it aborts.
      asked.socket.once("close", () => open.delete(answer));
      return;
    }
    if (path === "/own") {
      held.push({ all: open.size, ofSite: [...open.values()].filter(Boolean).length });
      return void answer.end("own");
    }
    try {
      const content = await readFile(join(folder, normalize(path).replace(/\/$/, "/index.html")));
      const type = TYPES[extname(path)] ?? TYPES[".html"] ?? "";
      const cache =
        isCached && extname(path) === ".js" ? "max-age=31536000, immutable" : "no-store";
      const headers = { "content-type": type, "cache-control": cache, "set-cookie": "visitor=1" };
      answer.writeHead(200, headers).end(content);
    } catch {
      answer.writeHead(404).end();
    }
  });

  /** @param {import("node:http").IncomingMessage} asked @param {import("node:http").ServerResponse} answer */
  async function store(asked, answer) {
    try {
      const { feedback = {} } = JSON.parse((await text(asked)) || "{}");
      const session = asked.headers.authorization?.split(".")[1] ?? "";
      const keys = stored.get(session) ?? new Set();
      for (const key of Object.keys(feedback)) keys.add(key);
      stored.set(session, keys);
    } catch {
      // The page was left in the middle of it.
    }
    const json = asked.method === "POST" ? { success: true, session_id: "" } : { success: true };
    if (asked.method === "POST") json.session_id = asked.headers.authorization?.split(".")[1] ?? "";
    answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(json));
  }

  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    /** @param {number} count of sessions */
    visitor(count) {
      const sessions = Array.from({ length: count }, () => crypto.randomUUID());
      return { sessions, tickets: sessions.map((session) => forge({ session })) };
    },
    /**
     * How many connections the relay's requests held each time that the site was asked for something. Chromium and Firefox
     * have connections of their own for requests without cookies, and leave the site its six.
     */
    held: () => held,
    /** From now on the relay answers; what hangs goes on hanging. @param {number} [afterMs] */
    answerAll: (afterMs = 0) => void (latencyMs = afterMs),
    /** What is stored of the session's feedback. @param {string} session */
    keys: (session) => [...(stored.get(session) ?? [])].sort(),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
