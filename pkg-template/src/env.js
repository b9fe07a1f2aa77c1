// Reads environment variables, wherever the runtime keeps them. The core decides which one takes precedence.

import { attempt, read } from "./guard.js";
import { printAt } from "./log.js";
import { each } from "./lists.js";

// Each variable is asked for by its name: Deno grants variables one by one, and listing all of Node's costs far more.
export const NAMES = [
  "HH_API_KEY",
  "HONEYHIVE_API_KEY",
  "HH_INGESTION_API_KEY",
  "HH_PROJECT_API_KEY",
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

/** The variables whose quotes were reported. @type {Record<string, true>} */
const spokenOf = Object.create(null);

/**
 * @param {(name: string) => unknown} get
 * @param {string[]} [names]
 * @param {unknown} [logLevel]
 * @returns {Record<string, string>}
 */
export function environment(get, names = NAMES, logLevel) {
  /** @type {Record<string, string>} */
  const env = {};
  each(names, (name) => {
    const value = attempt(() => get(name));
    if (typeof value === "string") env[name] = unquoted(name, value, logLevel);
  });
  return env;
}

/**
 * Removes quotes around a value: `docker run --env-file` and systemd keep them, where a shell and dotenv remove them.
 * @param {string} name
 * @param {string} value
 * @param {unknown} logLevel
 */
function unquoted(name, value, logLevel) {
  const inner = /^\s*(["'])(.*)\1\s*$/s.exec(value)?.[2];
  if (inner === undefined) return value;
  if (!spokenOf[name]) {
    const what = `${name} is set with quotes around its value, which were left out`;
    printAt(logLevel, "warn", `${what}: write it without, ${name}=value`);
  }
  spokenOf[name] = true;
  return inner;
}

/**
 * A variable in Node, Bun, Deno and Vercel's edge; undefined in a browser.
 * @param {string} name
 * @returns {unknown}
 */
export function processVariable(name) {
  const { Deno, process } = /** @type {any} */ (globalThis);
  // Deno comes first, because its `process.env` asks the user at the terminal for permission.
  if (Deno?.env) {
    const asked = Deno.permissions?.querySync?.({ name: "env", variable: name });
    return asked?.state === "granted" ? Deno.env.get(name) : undefined;
  }
  return read(process?.env, name);
}

/**
 * The origin for relative addresses in the page or browser worker, and the origin of its requests if that is another.
 * A document without an address of its own (srcdoc) uses the origin of its base. Without any, the origin is `"null"`, as
 * browsers write it.
 * @returns {{ page?: string, origin?: string }}
 */
export function pageOrigins() {
  const own = read(globalThis, "origin");
  const page = originOf(read(read(globalThis, "location"), "origin"), () => {
    const { document } = globalThis;
    return new URL(document.baseURI).origin;
  });
  if (page === undefined) return {};
  if (typeof own !== "string" || own === page) return { page };
  return page === "null" ? { page: own } : { page, origin: own };
}

/**
 * @param {unknown} origin
 * @param {() => string} base
 * @returns {string | undefined}
 */
function originOf(origin, base) {
  if (origin !== "null") return typeof origin === "string" ? origin : undefined;
  return attempt(base, origin);
}
