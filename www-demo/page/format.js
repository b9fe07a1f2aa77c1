// Stored values as people read them: dollars, seconds, dates. Used by the page's session panel and
// by what `make demo` prints.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });
const dollars = new Intl.NumberFormat("en", {
  style: "currency",
  currency: "USD",
  maximumSignificantDigits: 3,
});

/** @param {number} ms */
export function formatDuration(ms) {
  if (ms < 1000) return `${number.format(Math.round(ms))} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** @param {number} usd */
export const formatCost = (usd) => dollars.format(usd);

/** @param {number} ms Unix milliseconds. */
export const formatTime = (ms) =>
  `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/**
 * @param {string} key The name tells the unit: `cost_usd`, `answer_ms`, `end_time`.
 * @param {unknown} value
 * @returns {string}
 */
export function formatValue(key, value) {
  if (typeof value === "number") {
    if (/(^|_)usd$/.test(key)) return formatCost(value);
    if (/(^|_)ms$|^duration$/.test(key)) return formatDuration(value);
    if (/^(start_time|end_time|endTime)$/.test(key)) return formatTime(value);
    return number.format(value);
  }
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map((item) => formatValue(key, item)).join(", ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, inner]) => `${name}: ${formatValue(name, inner)}`)
      .join(", ");
  }
  return String(value);
}
