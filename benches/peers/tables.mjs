// The results as Markdown.

/**
 * @typedef {object} Results
 * @property {string} command
 * @property {string} date
 * @property {string} machine
 * @property {Record<string, string[]>} versions
 * @property {Record<string, Record<string, any>>} runtimes by runtime and peer
 *
 * @typedef {import("./measure.mjs").Spread} Spread
 */

/** Three digits that count, or all before the point. */
export function figure(/** @type {number | undefined} */ value) {
  if (value === undefined || Number.isNaN(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, digits ? "" : ",");
}

const range = (/** @type {Spread | undefined} */ spread) =>
  spread ? `${figure(spread.median)} (${figure(spread.low)}–${figure(spread.high)})` : "–";

/** What JSON.stringify delivers is no figure. */
const percent = (/** @type {number} */ part, /** @type {number} */ of) =>
  part === 0 ? "–" : part === of ? "100 %" : `**${((100 * part) / of).toFixed(1)} %**`;

/**
 * @param {string[]} head
 * @param {string[][]} rows
 */
const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

/**
 * One row for each peer that has this; nothing where none has.
 * @param {string} title
 * @param {string} about
 * @param {string[]} head
 * @param {Record<string, any>} peers
 * @param {string} job
 * @param {(found: any, peer: any) => string[]} row
 */
function section(title, about, head, peers, job, row) {
  const rows = Object.entries(peers)
    .filter(([, peer]) => peer[job] !== undefined)
    .map(([name, peer]) => [name, ...row(peer[job], peer)]);
  return rows.length > 0 ? `\n### ${title}\n\n${about}\n\n${table(["", ...head], rows)}\n` : "";
}

const LOAD =
  "A hundred at once, every 10 ms; then a flush. Settings are each peer's own, so its queue may be full:";

const PAYLOADS = ["100 B", "1 KB", "16 KB", "100 KB"];

/**
 * @param {string} runtime
 * @param {Record<string, any>} peers
 */
function ofRuntime(runtime, peers) {
  const loads = (/** @type {any[]} */ found) =>
    found.flatMap((load) => [
      figure(load.cpu),
      load.requests ? load.requests.toLocaleString("en") : "–",
      percent(load.delivered, load.updates),
    ]);
  const loadHead = ["one session", "a thousand"].flatMap((name) => [
    `${name}: µs of CPU each`,
    "requests",
    "delivered",
  ]);
  const parts = [
    section(
      "In the caller",
      "Microseconds a call keeps its caller (median, half of the calls between), and how many times `JSON.stringify` of the same, measured in turns:",
      [...PAYLOADS.flatMap((name) => [name, "×"]), "snapshot"],
      peers,
      "caller",
      (found, { snapshot }) => [
        ...found.flatMap((/** @type {any} */ { microseconds, ratio }) => [
          range(microseconds),
          figure(ratio.median),
        ]),
        snapshot?.snapshot.replace("nothing arrived", "–") ?? "–",
      ],
    ),
    section(
      "Altogether",
      "Microseconds of CPU for one update, all threads, its delivery included; and how many arrived:",
      [...PAYLOADS, "delivered"],
      peers,
      "cost",
      (found) => [
        ...found.map((/** @type {any} */ { cpu }) => figure(cpu)),
        percent(
          found.reduce(
            (/** @type {number} */ sum, /** @type {any} */ one) => sum + one.delivered,
            0,
          ),
          found.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.updates, 0),
        ),
      ],
    ),
    section("10,000 updates of 100 B in a second", LOAD, loadHead, peers, "many", loads),
    section(
      "10,000 updates of 1 KB in a second, of a thousand sessions",
      LOAD,
      ["µs of CPU each", "requests", "delivered"],
      peers,
      "flood",
      (found) => loads([found]),
    ),
    section(
      "Memory",
      "What 1,000 unsent updates of 1 KB hold, what is left of them, and WebAssembly's memory:",
      ["held, KB", "left, KB", "wasm, KB"],
      peers,
      "memory",
      ({ held, after, wasm }) => [figure(held / 1e3), figure(after / 1e3), figure(wasm / 1e3)],
    ),
    section(
      "The more sessions are open",
      "Microseconds of CPU for one update of 100 B, with so many sessions that have them in turns:",
      ["1", "10", "100", "1,000", "10,000"],
      peers,
      "growth",
      ({ bySessions }) =>
        bySessions.map((/** @type {any} */ { cpu, delivered, updates }) =>
          delivered === updates || delivered === 0
            ? figure(cpu)
            : `${figure(cpu)} (${percent(delivered, updates)})`,
        ),
    ),
    section(
      "The larger an update is",
      "Microseconds of CPU for one update:",
      ["1 KB", "4 KB", "16 KB", "64 KB", "256 KB", "1 MB"],
      peers,
      "growth",
      ({ bySize }) =>
        bySize.map((/** @type {any} */ { cpu, delivered, updates }) =>
          delivered === updates || delivered === 0
            ? figure(cpu)
            : `${figure(cpu)} (${percent(delivered, updates)})`,
        ),
    ),
    section(
      "From nothing to the first request",
      runtime === "workerd"
        ? "Milliseconds from the start of workerd, with the Worker, until the first request is at the server:"
        : "Milliseconds from the import until the first request is at the server:",
      ["ms"],
      peers,
      "cold",
      (cold) => [range(cold)],
    ),
    section(
      "Long tasks",
      "Tasks over 50 ms on a processor 6 times slower, while the page loads the package and says each payload three times; milliseconds, three pages:",
      ["page 1", "page 2", "page 3"],
      peers,
      "longtasks",
      (pages) =>
        pages.map((/** @type {number[]} */ ms) =>
          ms.length > 0 ? ms.map(figure).join(", ") : "none",
        ),
    ),
  ];
  const missing = Object.entries(peers).flatMap(([name, { not, failed }]) =>
    not || failed ? [`- ${name}: ${not ?? `failed (${failed.replaceAll("\n", " ")})`}`] : [],
  );
  const not = missing.length > 0 ? `\nNot here:\n\n${missing.join("\n")}\n` : "";
  return `\n## ${runtime}\n${parts.join("")}${not}`;
}

/** @param {Results} results */
export function markdown({ command, date, machine, versions, runtimes }) {
  const packages = Object.values(versions).flat().join(", ");
  const sections = Object.entries(runtimes).map(([name, peers]) => ofRuntime(name, peers));
  return `# Beside its peers

Made by \`${command}\` on ${date}; ${machine}. How each figure comes about: [benches/README.md](../README.md).
In brackets the range in which half of the measurements lie.

${packages}.
${sections.join("")}`;
}
