// Environment variables, wherever the runtime keeps them. Which one counts is the core's to say.

import { attempt, read } from "./guard.js";

// Asked for by name: Deno grants variables one by one, and listing all of Node's costs far more.
export const NAMES = [
  "HH_API_KEY",
  "HONEYHIVE_API_KEY",
  "HH_INGESTION_API_KEY",
  "HH_API_URL",
  "HH_DATA_PLANE_URL",
  "HH_SERVER_URL",
  "HONEYHIVE_SERVER_URL",
  "HH_PROJECT",
  "HH_SOURCE",
  "HH_SESSION_NAME",
  "HH_VERBOSE",
  "HH_TEST_MODE",
];

/**
 * @param {(name: string) => unknown} get
 * @param {string[]} names
 * @returns {Record<string, string>}
 */
export function environment(get, names = NAMES) {
  /** @type {Record<string, string>} */
  const env = {};
  for (const name of names) {
    const value = attempt(() => get(name), undefined);
    if (typeof value === "string") env[name] = value;
  }
  return env;
}

/**
 * Node, Bun, Deno and Vercel's edge; nothing in a browser.
 * @param {string} name
 * @returns {unknown}
 */
export function processVariable(name) {
  const { Deno, process } = /** @type {any} */ (globalThis);
  // Deno first: its `process.env` asks the person at the terminal for leave.
  if (Deno?.env) {
    const asked = Deno.permissions?.querySync?.({ name: "env", variable: name });
    return asked?.state === "granted" ? Deno.env.get(name) : undefined;
  }
  return read(process?.env, name);
}

/**
 * The origin of the page or browser worker this runs in.
 * @returns {string | undefined}
 */
export function pageOrigin() {
  const origin = read(read(globalThis, "location"), "origin");
  return typeof origin === "string" ? origin : undefined;
}
