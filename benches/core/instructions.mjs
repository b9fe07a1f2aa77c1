// How many instructions each step of the core takes on this machine's kind of processor, as Callgrind
// counts them: the same at every run, whatever else the machine does. Held to the counts in
// ../results/instructions.json; UPDATE=1 writes them anew. `make bench-core`.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const BASELINE = new URL("../results/instructions.json", import.meta.url);
/** Of the baseline. Where the allocator finds room may differ by a handful of instructions. */
const TOLERANCE = 0.02;

const root = fileURLToPath(new URL("../..", import.meta.url));
const compiler = execFileSync("rustc", ["--version"], { cwd: root, encoding: "utf8" }).trim();
const kind = `${compiler}, ${process.arch}`;

const built = execFileSync(
  "cargo",
  [
    "bench",
    "--locked",
    "--quiet",
    "--package",
    "honeyhive-edge-benches",
    "--bench",
    "instructions",
    "--no-run",
    "--message-format=json",
  ],
  { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 },
);
/** @type {string | undefined} */
const program = built
  .split("\n")
  .filter((line) => line.startsWith("{"))
  .map((line) => JSON.parse(line))
  .findLast(({ executable, target }) => executable && target.name === "instructions")?.executable;
assert.ok(program, "cargo built no benchmark");

/** @param {string} step @param {string} size @returns {number} */
function count(step, size) {
  const callgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
  const { stderr, error } = spawnSync(
    "valgrind",
    [...callgrind, "--collect-atstart=no", "--toggle-collect=measured", program ?? "", step, size],
    { encoding: "utf8", timeout: 120_000 },
  );
  const found = /Collected : (\d+)/.exec(stderr ?? "")?.[1];
  assert.ok(found, `valgrind counted nothing: ${error ?? stderr}`);
  return Number(found);
}

/** @type {Record<string, number>} */
const counts = {};
for (const line of execFileSync(program, { encoding: "utf8" }).trim().split("\n")) {
  const [step = "", size = ""] = line.split(" ");
  counts[line] = count(step, size);
}

if (process.env["UPDATE"]) {
  await writeFile(BASELINE, `${JSON.stringify({ kind, counts }, null, 2)}\n`);
}
const baseline = JSON.parse(await readFile(BASELINE, "utf8"));
const same = baseline.kind === kind;
console.log(same ? kind : `${kind}; the counts to compare with are of ${baseline.kind}`);
let grown = 0;
for (const [name, instructions] of Object.entries(counts)) {
  const change = instructions / baseline.counts[name] - 1;
  if (same && change > TOLERANCE) grown++;
  const columns = [
    instructions.toLocaleString("en").padStart(12),
    `${(change * 100).toFixed(1)} %`,
  ];
  console.log(`${name.padEnd(14)} ${columns[0]} ${columns[1]?.padStart(8)}`);
}
if (grown > 0) {
  console.error(`${grown} take more than they did: find out why, or say so with UPDATE=1`);
  process.exit(1);
}
