// Writes log lines to the console. LoggedLines of the core have already passed `logLevel`; the face's own are checked here.

const { hasOwn } = Object;

/** @type {Record<string, number>} */
const LEVELS = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 };

/**
 * @param {"error" | "warn" | "info" | "debug"} level
 * @param {string} message
 */
export function print(level, message) {
  try {
    console[level](`[honeyhive-edge] ${message}`);
  } catch {
    // Without a working console, there is nowhere to log.
  }
}

/**
 * @param {unknown} logLevel the tracer's option
 * @param {"error" | "warn" | "info" | "debug"} level
 * @param {string} message
 */
export function printAt(logLevel, level, message) {
  const given = typeof logLevel === "string" && hasOwn(LEVELS, logLevel) ? logLevel : "warn";
  if (Number(LEVELS[level]) <= Number(LEVELS[given])) print(level, message);
}

/** How many lines are remembered. The number is limited, because lines may contain values that the application passes. */
const REMEMBERED_LINES = 64;

/** The lines that were logged already, so that a problem of every call is logged once. */
export class LoggedLines {
  /** @type {Set<string>} */
  #lines = new Set();

  /**
   * @param {string} line
   * @returns {boolean} whether it is a new one
   */
  add(line) {
    if (this.#lines.has(line)) return false;
    if (this.#lines.size >= REMEMBERED_LINES) this.#lines.clear();
    this.#lines.add(line);
    return true;
  }
}
