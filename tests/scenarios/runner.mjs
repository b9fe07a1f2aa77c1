// Runs scenarios inside the runtime under test and makes a report of it, as plain JSON. Portable: no
// runtime's own API is needed, what is there is used. Judging the report is left to check.mjs, in
// the test's own process.

import { scenarios } from "./index.mjs";

/** No scenario takes a tenth of this; it is here so that a hang has a name. */
const SCENARIO_LIMIT_MS = 60_000;

/**
 * @typedef {object} Params
 * @property {{main: string, other: string}} keys
 * @property {Record<"v1" | "second" | "legacy" | "none" | "none405" | "page" | "down", string>} servers
 *
 * @typedef {{level: string, text: string}} Line one line that went to the console
 * @typedef {{value?: any, error?: string, lines: Line[], uncaught: string[]}} Result
 * @typedef {Record<string, Result>} Report
 *
 * @typedef {Params & {api: typeof import("honeyhive-edge"), lines: Line[]}} Context
 */

/**
 * @param {{api: typeof import("honeyhive-edge"), names: string[], params: Params, own?: typeof scenarios}} what
 *   `own`: scenarios that only some runs have
 * @returns {Promise<Report>}
 */
export async function runScenarios({ api, names, params, own }) {
  /** @type {Report} */
  const report = {};
  const uncaught = watchUncaught();
  const console = watchConsole();
  try {
    for (const name of names) {
      const run = own?.[name] ?? scenarios[name];
      if (!run) throw new Error(`no scenario "${name}"`);
      const lines = console.begin();
      const escaped = uncaught.begin();
      /** @type {Result} */
      const result = { lines, uncaught: escaped };
      try {
        result.value = await limited(run({ ...params, api, lines }));
        // What was thrown into nowhere surfaces a turn later.
        await new Promise((resolve) => setTimeout(resolve, 20));
      } catch (error) {
        result.error = describe(error);
      }
      report[name] = result;
    }
  } finally {
    console.end();
    uncaught.end();
  }
  return report;
}

/** @param {unknown} error */
export function describe(error) {
  try {
    if (error instanceof Error)
      return error.stack?.includes(error.message) ? error.stack : `${error}`;
    return `${typeof error}: ${String(error)}`;
  } catch {
    return "something that cannot be printed";
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 */
function limited(promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("did not end in time")), SCENARIO_LIMIT_MS);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** Keeps what is printed, and prints it no more: a report is all a runtime has to say. */
function watchConsole() {
  /** @type {Line[]} */
  let lines = [];
  const levels = /** @type {const} */ (["error", "warn", "info", "log", "debug"]);
  const own = Object.fromEntries(levels.map((level) => [level, console[level]]));
  for (const level of levels) {
    console[level] = (...parts) => {
      lines.push({ level, text: parts.map((part) => printed(part)).join(" ") });
    };
  }
  return {
    begin() {
      lines = [];
      return lines;
    },
    end: () => Object.assign(console, own),
  };
}

/** @param {unknown} part */
const printed = (part) => (typeof part === "string" ? part : describe(part));

/** What no one caught, by whichever way this runtime tells of it. */
function watchUncaught() {
  /** @type {string[]} */
  let seen = [];
  const note = (/** @type {unknown} */ reason) => void seen.push(describe(reason));
  const { process, EdgeRuntime } = /** @type {any} */ (globalThis);
  // Next's edge runtime has a process whose methods throw.
  const byProcess =
    EdgeRuntime === undefined &&
    typeof process?.on === "function" &&
    typeof process.off === "function";
  const byEvent = typeof globalThis.addEventListener === "function";

  const onError = (/** @type {any} */ event) => {
    event.preventDefault?.();
    note(event.error ?? event.message);
  };
  const onRejection = (/** @type {any} */ event) => {
    event.preventDefault?.();
    // workerd's own: a plain fetch, every promise of it caught, leaves one where its signal is
    // aborted just as the answer comes.
    const isWorkerd = globalThis.navigator?.userAgent === "Cloudflare-Workers";
    if (isWorkerd && String(event.reason).startsWith("AbortError: The operation was aborted"))
      return;
    note(event.reason);
  };
  if (byProcess) {
    process.on("uncaughtException", note);
    process.on("unhandledRejection", note);
  }
  if (byEvent) {
    globalThis.addEventListener("error", onError);
    globalThis.addEventListener("unhandledrejection", onRejection);
  }
  return {
    begin() {
      seen = [];
      return seen;
    },
    end() {
      if (byProcess) {
        process.off("uncaughtException", note);
        process.off("unhandledRejection", note);
      }
      if (byEvent) {
        globalThis.removeEventListener("error", onError);
        globalThis.removeEventListener("unhandledrejection", onRejection);
      }
    },
  };
}
