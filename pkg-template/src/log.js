// The package's lines on the console. The core's own have passed `logLevel` already; the face's few do it here.

const LEVELS = ["silent", "error", "warn", "info", "debug"];

/**
 * @param {"error" | "warn" | "info" | "debug"} level
 * @param {string} message
 */
export function print(level, message) {
  try {
    console[level](`[honeyhive-edge] ${message}`);
  } catch {
    // No console, or one that throws: there is nowhere left to say it.
  }
}

/**
 * @param {unknown} logLevel what the tracer was given for it
 * @param {"error" | "warn" | "info" | "debug"} level
 * @param {string} message
 */
export function printAt(logLevel, level, message) {
  const given = LEVELS.indexOf(/** @type {string} */ (logLevel));
  if (LEVELS.indexOf(level) <= (given < 0 ? LEVELS.indexOf("warn") : given)) print(level, message);
}
