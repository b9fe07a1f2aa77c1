// The results of latency.mjs as Markdown.

import { figure } from "../peers/tables.mjs";

/**
 * @typedef {{ p50: number, p99: number, max: number }} Percentiles milliseconds
 *
 * @typedef {object} Row
 * @property {string} job
 * @property {string} runtime
 * @property {string} peer
 * @property {number} delayMs after which the server answers
 * @property {number} [rate] sessions a second
 * @property {number} [ids] in one loop
 * @property {number} [said]
 * @property {number} [stored]
 * @property {number} [requests]
 * @property {number} [refused] of these, with 429
 * @property {Percentiles | undefined} [late] from the call until the server has said yes
 * @property {Percentiles | undefined} [told] from the call to `delivered`
 * @property {Record<string, number>} [dropped] by reason
 * @property {number} [ms] all of it
 * @property {number} [capUsed]
 * @property {{ ours: number[], bare: number[], ratio: import("../peers/measure.mjs").Spread }} [cpu]
 * @property {number} [load] of the machine, then
 * @property {string} [failed]
 *
 * @typedef {object} Results
 * @property {string} command
 * @property {string} date
 * @property {string} machine
 * @property {string} commit
 * @property {string[]} versions
 * @property {number} each enrichments of a session
 * @property {number} seconds
 * @property {number} cap
 * @property {Row[]} rows
 */

/** @param {Row} row */
const stored = ({ said = 0, stored: arrived = 0, failed }) =>
  failed
    ? "failed"
    : arrived === said
      ? "100 %"
      : `**${((100 * arrived) / Math.max(1, said)).toFixed(1)} %**`;

/** @param {Percentiles | undefined} found */
const seconds = (found) =>
  found ? `${(found.p50 / 1_000).toFixed(2)} / ${(found.p99 / 1_000).toFixed(2)} s` : "–";

/**
 * @param {string[]} head
 * @param {string[][]} rows
 */
const table = (head, rows) =>
  `${[head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`;

/** @param {Results} results */
export function markdown(results) {
  const { rows, versions, machine, date, command, commit, each, seconds: length, cap } = results;
  const of = (/** @type {string} */ job) => rows.filter((row) => row.job === job);
  const unique = (/** @type {any[]} */ values) => [...new Set(values)];
  const loads = rows.map(({ load = 0 }) => Math.round(load));
  const parts = [
    `# At the latency of a real backend\n\n\`${command}\`, ${date}, commit ${commit}, ${machine}. A server on loopback that answers\n` +
      "after as long as is said and never fails; it and what is measured share the machine. Each row was measured after the other,\n" +
      `at a load average of ${Math.min(...loads)} to ${Math.max(...loads)}, this and other work together: what is beside one another is to be compared,\n` +
      `with the bare \`fetch\` loops above all. ${versions.join(", ")}.\n`,
  ];
  const all = of("sessions");
  for (const runtime of unique(all.map((row) => row.runtime))) {
    for (const delayMs of unique(all.map((row) => row.delayMs))) {
      const here = all.filter((row) => row.runtime === runtime && row.delayMs === delayMs);
      if (here.length === 0) continue;
      const rates = unique(here.map((row) => row.rate)).toSorted((a, b) => a - b);
      parts.push(
        `\n## ${runtime}, ${delayMs} ms: sessions a second, ${each} enrichments each, for ${length} s\n\nWhat arrived, and how long after the call the server had said yes (median / 99 of 100):\n\n`,
        table(
          ["", ...rates.map(String)],
          unique(here.map((row) => row.peer)).map((peer) => [
            peer,
            ...rates.map((rate) => {
              const row = here.find((it) => it.peer === peer && it.rate === rate);
              return row ? `${stored(row)}, ${seconds(row.late)}` : "";
            }),
          ]),
        ),
      );
    }
  }
  const batches = of("batch");
  if (batches.length > 0) {
    parts.push(
      "\n## A batch: so many session ids, each enriched once, in one loop, at 100 ms\n\n",
      table(
        ["", "ids", "arrived", "s", "a second", "requests"],
        batches.map((row) => [
          `${row.peer}${row.runtime === "Node" ? "" : `, ${row.runtime}`}`,
          (row.ids ?? 0).toLocaleString("en"),
          stored(row),
          figure((row.ms ?? NaN) / 1_000),
          figure((row.stored ?? NaN) / ((row.ms ?? NaN) / 1_000)),
          (row.requests ?? 0).toLocaleString("en"),
        ]),
      ),
    );
  }
  for (const row of of("capped")) {
    parts.push(
      `\n## A server that takes ${cap} requests a second\n\nWhat is more it refuses with 429 and \`Retry-After: 1\`. Of ${(row.ids ?? 0).toLocaleString("en")} ids ${stored(row)} arrived, with ${((row.capUsed ?? 0) * 100).toFixed(0)} % of what it takes,\nin ${figure((row.ms ?? NaN) / 1_000)} s; ${row.refused} requests were refused.\n`,
    );
  }
  for (const { cpu, failed } of of("cpu")) {
    const { ratio } = cpu ?? {};
    parts.push(
      `\n## CPU of a request\n\n${ratio ? `${figure(ratio.median)} times that of a bare \`fetch\` of the same body (half of the turns: ${figure(ratio.low)} to ${figure(ratio.high)})` : failed}, 1 KB, Node, in turns.\n`,
    );
  }
  return parts.join("");
}
