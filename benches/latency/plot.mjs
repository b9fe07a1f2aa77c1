// The results of latency.mjs as plots.

import { lines, svg } from "../peers/plots.mjs";

/**
 * @param {import("./table.mjs").Results} results
 * @returns {Promise<Record<string, string>>} SVG by name; only of what was measured
 */
export async function draw({ rows }) {
  const found = rows.filter(({ job, runtime, delayMs }) => {
    return job === "sessions" && runtime === "Node" && delayMs === 100;
  });
  if (found.length === 0) return {};
  const of = (/** @type {(row: import("./table.mjs").Row) => number | undefined} */ y) =>
    found.flatMap((row) => {
      const value = y(row);
      return value === undefined ? [] : [{ peer: row.peer, x: row.rate, y: value }];
    });
  const x = "sessions a second, three enrichments each";
  const part = ({ stored = 0, said = 1 }) => (100 * stored) / said;
  return {
    "latency-arrived": await svg(
      lines(of(part), {
        x,
        y: "% arrived",
        title: "What arrives at a backend that answers after 100 ms",
        isLinear: true,
      }),
    ),
    "latency-late": await svg(
      lines(
        of(({ late }) => late?.p50),
        { x, y: "ms from the call until it is stored (median)", title: "How late it arrives" },
      ),
    ),
  };
}
