// The plots: cost and latency by variant with their spread, and ratings over time; and the same as a
// table, for who reads better than looks. Drawing is Observable Plot's.

import * as Plot from "@observablehq/plot";
import { extent, flatRollup, mean, median, quantile } from "d3-array";
import { html, nothing } from "lit-html";
import { formatCost, formatDuration } from "../page/format.js";
import { cost, duration } from "./pieces.js";

/** @typedef {import("./api.js").Points} Points */
/** @typedef {{variant: string, cost: number | null, latency: number | null, rating: number | null, at: Date}} Point */

/** Times that are one point of the rating's line: the longest that leaves a few of them. */
const STEPS = /** @type {const} */ ([
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
]);
const ENOUGH = 4;

/** @param {Points} points @returns {Point[]} */
const rowsOf = ({ started_at, variant, ...columns }) =>
  started_at.map((at, index) => ({
    variant: variant[index] ?? "none",
    cost: columns.cost[index] ?? null,
    latency: columns.latency[index] ?? null,
    rating: columns.rating[index] ?? null,
    at: new Date(at),
  }));

/** @param {Points} points @param {number} width */
export function figuresView(points, width) {
  if (points.started_at.length === 0) return html`<p class="hint">Nothing to plot yet.</p>`;
  const rows = rowsOf(points);
  const variants = [...new Set(rows.map(({ variant }) => variant))].sort();
  const frame = frameOf(variants, width);
  return html`<h2 class="hidden">Figures</h2>
    <figure>
      <h3>Cost of a session, by variant</h3>
      ${spread(rows, "cost", formatCost, frame)}
    </figure>
    <figure>
      <h3>Time to answer, by variant</h3>
      ${spread(rows, "latency", formatDuration, frame)}
    </figure>
    <figure>
      <h3>Rating over time</h3>
      ${ratings(rows, frame)}
    </figure>
    <p class="hint">
      Thick: the middle half of the sessions, and their median. Thin: all but the lowest and the
      highest tenth.
    </p>
    ${table(rows, variants)}`;
}

/** @param {string[]} variants @param {number} width */
function frameOf(variants, width) {
  return {
    width,
    style: {
      background: "transparent",
      color: "var(--faint)",
      fontSize: "12px",
      overflow: "visible",
    },
    color: {
      domain: variants,
      range: variants.map((name) =>
        name === "A" || name === "B"
          ? `var(--variant-${name.toLowerCase()})`
          : "var(--variant-other)",
      ),
    },
  };
}

/**
 * @param {Point[]} rows
 * @param {"cost" | "latency"} name
 * @param {(value: number) => string} format
 * @param {ReturnType<typeof frameOf>} frame
 */
function spread(rows, name, format, frame) {
  const known = rows.filter((row) => row[name] !== null);
  if (known.length === 0) return html`<p class="hint">No session says it yet.</p>`;
  const by = { y: "variant", stroke: "variant" };
  return drawing({
    ...frame,
    height: 50 + 44 * frame.color.domain.length,
    marginLeft: 40,
    marginTop: 8,
    ariaLabel: `${name} by variant; the table below has the numbers`,
    x: { label: null, zero: true, ticks: frame.width < 500 ? 3 : 6, tickFormat: format },
    y: { label: null, domain: frame.color.domain },
    marks: [
      Plot.gridX({ strokeOpacity: 0.15 }),
      Plot.ruleY(known, Plot.groupY({ x1: "p10", x2: "p90" }, { x: name, ...by, strokeWidth: 2 })),
      Plot.ruleY(
        known,
        Plot.groupY(
          { x1: "p25", x2: "p75" },
          { x: name, ...by, strokeWidth: 18, strokeOpacity: 0.45 },
        ),
      ),
      Plot.tickX(known, Plot.groupY({ x: "median" }, { x: name, ...by, strokeWidth: 4, inset: 6 })),
    ],
  });
}

/** @param {Point[]} rows @param {ReturnType<typeof frameOf>} frame */
function ratings(rows, frame) {
  const rated = rows.filter(({ rating }) => rating !== null);
  if (rated.length === 0) return html`<p class="hint">No session is rated yet.</p>`;
  const { means, name } = meansOf(rated);
  const at = { x: "at", y: "rating" };
  return drawing({
    ...frame,
    height: 220,
    marginLeft: 40,
    marginRight: 28,
    ariaLabel: "Mean rating over time, by variant",
    x: { label: null, type: "time" },
    y: { label: `mean rating each ${name}`, domain: [1, 5], ticks: 5 },
    marks: [
      Plot.gridY({ strokeOpacity: 0.15 }),
      Plot.lineY(means, { ...at, stroke: "variant", strokeWidth: 2, curve: "monotone-x" }),
      Plot.dot(means, { ...at, fill: "variant", r: 3 }),
      Plot.text(
        means,
        Plot.selectLast({
          ...at,
          z: "variant",
          text: "variant",
          fill: "variant",
          dx: 14,
          fontSize: 13,
          fontWeight: 700,
        }),
      ),
    ],
  });
}

/**
 * One picture to a screen reader, not a heap of named lines.
 * @param {Plot.PlotOptions} options
 */
function drawing(options) {
  const drawn = Plot.plot(options);
  drawn.setAttribute("role", "img");
  for (const part of drawn.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
  return drawn;
}

/** @param {Point[]} rated */
function meansOf(rated) {
  const times = rated.map(({ at }) => at.getTime());
  const [first = 0, last = 0] = extent(times);
  const [name, length] =
    STEPS.find(([, ms]) => last - first >= ms * ENOUGH) ?? STEPS[STEPS.length - 1];
  const groups = flatRollup(
    rated,
    (of) => mean(of, ({ rating }) => rating),
    ({ variant }) => variant,
    ({ at }) => Math.floor(at.getTime() / length),
  );
  const means = groups
    .map(([variant, step, rating]) => ({ variant, at: new Date((step + 0.5) * length), rating }))
    .sort((a, b) => a.at.getTime() - b.at.getTime());
  return { means, name };
}

/** @param {Point[]} rows @param {string[]} variants */
function table(rows, variants) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Figures by variant">
    <table>
      <thead>
        <tr>
          <th scope="col">Variant</th>
          <th scope="col" class="number">Sessions</th>
          <th scope="col" class="number">Cost, median</th>
          <th scope="col" class="number">90% below</th>
          <th scope="col" class="number">Answer, median</th>
          <th scope="col" class="number">90% below</th>
          <th scope="col" class="number">Mean rating</th>
        </tr>
      </thead>
      <tbody>
        ${variants.map((variant) => {
          const of = rows.filter((row) => row.variant === variant);
          const costs = of.flatMap((row) => row.cost ?? []);
          const times = of.flatMap((row) => row.latency ?? []);
          const stars = mean(of.flatMap((row) => row.rating ?? []));
          return html`<tr>
            <th scope="row">${variant}</th>
            <td class="number">${of.length.toLocaleString("en")}</td>
            <td class="number">${cost(median(costs) ?? null)}</td>
            <td class="number">${cost(quantile(costs, 0.9) ?? null)}</td>
            <td class="number">${duration(median(times) ?? null)}</td>
            <td class="number">${duration(quantile(times, 0.9) ?? null)}</td>
            <td class="number">${stars === undefined ? nothing : stars.toFixed(2)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}
