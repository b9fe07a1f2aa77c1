// The package's functions around a fake core, as an entry puts them around the real one.

import { alsContext } from "../../pkg-template/src/context/als.js";
import { pageContext } from "../../pkg-template/src/context/page.js";
import {
  publicFunctions,
  sessionIdFrom,
  sessionIdFromHeaders,
} from "../../pkg-template/src/public.js";
import { ofServers } from "../../pkg-template/src/servers.js";
import { AsyncLocalStorage } from "node:async_hooks";
import { FakeCore } from "./fake-core.mjs";

/**
 * @param {object} [options]
 * @param {"sync" | "async"} [options.loading]
 * @param {(instance: number) => ConstructorParameters<typeof FakeCore>[1]} [options.behaviour]
 * @param {(attempt: number) => unknown} [options.failLoading] what loading fails with, undefined if it does not
 * @param {Record<string, string>} [options.env]
 * @param {() => import("../../pkg-template/src/context/context.d.ts").Context} [options.newContext]
 * @param {(leave: () => void) => import("../../pkg-template/src/page/page.js").Page} [options.newPage] around it, and
 *   `leave` then opens a core at once
 */
export function face({
  loading = "async",
  behaviour = () => ({}),
  failLoading = () => undefined,
  env = {},
  newContext = () => alsContext(AsyncLocalStorage),
  newPage,
} = {}) {
  /** @type {FakeCore[]} */
  const cores = [];
  let attempts = 0;
  /** @param {(error: unknown) => void} onTrap */
  const open = (onTrap) => {
    const error = failLoading(attempts++);
    if (error !== undefined) throw error;
    const fake = new FakeCore(onTrap, behaviour(cores.length));
    cores.push(fake);
    return fake.core;
  };
  const functions = publicFunctions({
    open: loading === "sync" ? open : async (onTrap) => open(onTrap),
    ...(newPage && { newPage, openNow: open }),
    variable: (name) => env[name],
    newContext,
    hint: "Hint.",
    ...ofServers,
  });
  return {
    ...functions,
    sessionIdFrom,
    sessionIdFromHeaders,
    cores,
    /** The one that runs. */
    get core() {
      return /** @type {FakeCore} */ (cores.at(-1));
    },
    get attempts() {
      return attempts;
    },
  };
}

export const inPage = () => pageContext();

/**
 * What is written to the console while `fn` runs.
 * @param {() => unknown} fn
 * @returns {Promise<{ level: string, line: string }[]>}
 */
export async function logged(fn) {
  /** @type {{ level: string, line: string }[]} */
  const lines = [];
  const levels = /** @type {const} */ (["error", "warn", "info", "debug"]);
  const originals = levels.map((level) => console[level]);
  for (const level of levels) console[level] = (line) => void lines.push({ level, line });
  try {
    await fn();
  } finally {
    levels.forEach((level, i) => (console[level] = /** @type {any} */ (originals[i])));
  }
  return lines;
}
