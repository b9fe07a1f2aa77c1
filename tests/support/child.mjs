// Child processes that cannot outlive their test: each has a time limit, and is ended by its own id.

import { spawn } from "node:child_process";

/**
 * @typedef {object} Ended
 * @property {number | null} code
 * @property {string} stdout
 * @property {string} stderr
 *
 * @typedef {{cwd?: string, env?: Record<string, string>, timeoutMs?: number, stdio?: any}} Options
 */

/** The machine's environment without HoneyHive's variables, which a test sets itself. */
export function cleanEnv(/** @type {Record<string, string>} */ extra = {}) {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^(HH_|HONEYHIVE_|NODE_OPTIONS$|NODE_TEST_)/.test(name)) delete env[name];
  }
  return { ...env, ...extra };
}

/**
 * Runs a program to its end.
 * @param {string} command
 * @param {string[]} args
 * @param {Options} [options]
 * @returns {Promise<Ended>}
 */
export async function runToEnd(command, args, options = {}) {
  const { timeoutMs = 60_000 } = options;
  const child = start(command, args, options);
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const ended = await child.ended;
  clearTimeout(timer);
  if (child.killed) {
    throw new Error(
      `${command} did not end within ${timeoutMs} ms\n${ended.stdout}\n${ended.stderr}`,
    );
  }
  return ended;
}

/**
 * Starts a program that goes on until stop().
 * @param {string} command
 * @param {string[]} args
 * @param {Options} [options]
 */
export function start(command, args, { cwd, env, stdio = ["ignore", "pipe", "pipe"] } = {}) {
  const child = spawn(command, args, { cwd, env: cleanEnv(env), stdio });
  const output = { stdout: "", stderr: "" };
  for (const name of /** @type {const} */ (["stdout", "stderr"])) {
    child[name]?.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output[name] += text;
    });
  }
  /** @type {Promise<Ended>} */
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...output }));
  });
  ended.catch(() => {});
  let killed = false;
  return {
    child,
    output,
    ended,
    get killed() {
      return killed;
    },
    /** @param {NodeJS.Signals} signal */
    kill(signal) {
      killed = true;
      child.kill(signal);
    },
    /** Asks it to end, and ends it where it does not. */
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
      // What it has started may hold its output open for longer.
      await within(ended, 10_000).catch(() => {});
      clearTimeout(timer);
    },
  };
}

/**
 * Waits for something that may never end.
 * @template T
 * @param {T | Promise<T>} promise
 * @param {number} ms
 * @param {string} [what] it does
 * @returns {Promise<T>} rejects if it has not ended by then
 */
export async function within(promise, ms, what = "it") {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${ms} ms`)), ms);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds that one look may take beyond the time that is waited: a browser's own limit is shorter. */
const LOOK_MS = 90_000;

/**
 * Waits until `look` finds what it looks for.
 * @template T
 * @param {() => T | Promise<T>} look
 * @param {{timeoutMs?: number, everyMs?: number, what: string}} options
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(look, { timeoutMs = 30_000, everyMs = 50, what }) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const leftMs = Math.max(deadline - Date.now(), 0);
    const found = await within(look(), leftMs + LOOK_MS, `looking for ${what}`);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
