// What the tests of frameworks have in common: an application of each answers requests by the same function, and the
// local backend has to have what each request said, in a session of its own.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KEYS } from "../support/backends.mjs";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";

/** The module that each application has its route call. */
export const ANSWER = `
  import { enrichSession, initTracer, withSession } from "honeyhive-edge";

  const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

  export async function answer({ options, number, leaves }) {
    if (leaves) {
      const { sessionId } = await initTracer(options);
      await pause();
      // Delivered after the answer.
      enrichSession({ metadata: { number } });
      return { sessionId };
    }
    return withSession(options, async ({ sessionId }) => {
      await pause();
      return { sessionId, delivery: await enrichSession({ metadata: { number } }) };
    });
  }
`;

/** Requests at once: each other one leaves its delivery to what comes after the answer. */
const REQUESTS = 6;

/** @param {string} framework a folder beside this file */
export const folderOf = (framework) => fileURLToPath(new URL(framework, import.meta.url));

/**
 * A project with the package, answer.mjs, the files given, and the packages that are installed for the framework.
 * @param {string} framework
 * @param {string} name
 * @param {Record<string, string>} files content by path
 */
export function application(framework, name, files) {
  return consumer(name, { "answer.mjs": ANSWER, ...files }, folderOf(framework));
}

/**
 * A command of one of the framework's packages.
 * @param {string} framework
 * @param {string} path inside node_modules
 */
export const command = (framework, path) => join(folderOf(framework), "node_modules", path);

/**
 * @param {string} url of the route
 * @returns {(what: unknown) => Promise<any>}
 */
export function askAt(url) {
  return async (what) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(what),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text);
  };
}

/** @param {import("../support/backends.mjs").Backends} backends */
const optionsFor = ({ v1 }) => ({
  apiKey: KEYS.main,
  serverUrl: v1.url,
  project: "project",
  sessionName: "framework",
});

/**
 * Every request's session has what it said, and nothing of the others'.
 * @param {(what: unknown) => Promise<any>} ask
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function assertStores(ask, backends) {
  const options = optionsFor(backends);
  const numbers = Array.from({ length: REQUESTS }, (_, number) => number);
  await Promise.all(
    numbers.map(async (number) => {
      const leaves = number % 2 === 1;
      const { sessionId, delivery } = await ask({ options, number, leaves });
      if (!leaves) assert.equal(delivery.status, "delivered", JSON.stringify(delivery));
      const stored = await until(
        async () => {
          const session = await backends.v1.session(sessionId).catch(() => undefined);
          return session?.metadata?.number === undefined ? undefined : session;
        },
        { what: `the metadata of session ${sessionId}` },
      );
      assert.equal(stored.metadata.number, number);
    }),
  );
  assert.equal((await backends.v1.sessions()).length, REQUESTS);
}

/**
 * Nothing is sent, and both the outcome and the answer say why.
 * @param {(what: unknown) => Promise<any>} ask
 * @param {import("../support/backends.mjs").Backends} backends
 * @param {RegExp} why
 */
export async function assertDisabled(ask, backends, why) {
  const { delivery } = await ask({ options: optionsFor(backends), number: 0 });
  assert.deepEqual([delivery.status, delivery.reason], ["dropped", "disabled"]);
  assert.match(delivery.message, why);
  assert.deepEqual(await backends.v1.requests(), []);
}

/** A port that nobody listens at, for servers that do not say which one they chose. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}
