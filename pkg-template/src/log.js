// The package's lines on the console. The core has already left out what `logLevel` hides.

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
