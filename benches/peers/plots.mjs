// The results as plots, drawn by Vega.

// Installed by the benchmark only, so not there when types are checked.
const [vega, { compile }] = await Promise.all(["vega", "vega-lite"].map((name) => import(name)));

/** @import { Results } from "./tables.mjs" */

const config = {
  background: "white",
  font: "sans-serif",
  axis: { labelFontSize: 11, titleFontSize: 12 },
  legend: { labelFontSize: 11, title: null },
};

/**
 * @param {any} spec of Vega-Lite
 * @returns {Promise<string>} SVG
 */
export async function svg(spec) {
  const compiled = compile({ ...spec, config }).spec;
  return `${await new vega.View(vega.parse(compiled), { renderer: "none" }).toSVG()}\n`;
}

const colour = { field: "peer", type: "nominal", scale: { scheme: "tableau10" } };

/**
 * @param {any[]} values
 * @param {{x: string, y: string, title: string, isLinear?: boolean}} what `isLinear` for what is a part of something
 */
export const lines = (values, { x, y, title, isLinear = false }) => ({
  title,
  width: 420,
  height: 280,
  data: { values },
  mark: { type: "line", point: true },
  encoding: {
    x: { field: "x", type: "quantitative", scale: { type: "log" }, title: x },
    y: { field: "y", type: "quantitative", scale: { type: isLinear ? "linear" : "log" }, title: y },
    color: colour,
  },
});

/**
 * @param {any[]} values
 * @param {{y: string, title: string, columns: string[]}} what
 */
const bars = (values, { y, title, columns }) => ({
  title,
  data: { values },
  facet: { column: { field: "column", type: "nominal", title: null, sort: columns } },
  spec: {
    width: 150,
    height: 240,
    encoding: { x: { field: "peer", type: "nominal", title: null, sort: null } },
    layer: [
      {
        mark: "bar",
        encoding: {
          y: { field: "median", type: "quantitative", scale: { type: "symlog" }, title: y },
          color: { ...colour, legend: null },
        },
      },
      {
        mark: { type: "rule", strokeWidth: 1.5 },
        encoding: {
          y: { field: "low", type: "quantitative" },
          y2: { field: "high" },
        },
      },
    ],
  },
});

/**
 * @param {Results} results
 * @returns {Promise<Record<string, string>>} SVG by name; only of what was measured
 */
export async function draw({ runtimes }) {
  /** @type {Record<string, string>} */
  const drawn = {};
  for (const [runtime, peers] of Object.entries(runtimes)) {
    const found = Object.entries(peers);
    const caller = found.flatMap(([peer, { caller: rows = [] }]) =>
      rows.map((/** @type {any} */ { name, microseconds }) => ({
        peer,
        column: name,
        ...microseconds,
      })),
    );
    const file = runtime.toLowerCase();
    if (caller.length > 0) {
      const columns = [...new Set(caller.map(({ column }) => column))];
      const title = `${runtime}: microseconds in the caller, and the range of half of the calls`;
      drawn[`caller-${file}`] = await svg(bars(caller, { y: "µs", title, columns }));
    }
    const growth = found.flatMap(([peer, { growth: of }]) => (of ? [{ peer, ...of }] : []));
    if (growth.length > 0) {
      const sessions = growth.flatMap(({ peer, bySessions }) =>
        bySessions.map((/** @type {any} */ each) => ({ peer, x: each.sessions, y: each.cpu })),
      );
      const sizes = growth.flatMap(({ peer, bySize }) =>
        bySize.map((/** @type {any} */ each) => ({ peer, x: each.kilobytes, y: each.cpu })),
      );
      const y = "µs of CPU for each update";
      drawn[`sessions-${file}`] = await svg(
        lines(sessions, { x: "open sessions", y, title: `${runtime}: the more sessions are open` }),
      );
      drawn[`sizes-${file}`] = await svg(
        lines(sizes, { x: "KB of an update", y, title: `${runtime}: the larger an update is` }),
      );
    }
  }
  return drawn;
}
