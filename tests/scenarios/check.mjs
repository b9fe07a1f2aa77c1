// Judges a report that runner.mjs made in some runtime, scenario by scenario. Every scenario also
// has to have ended without an exception or rejection that no one caught.

import assert from "node:assert/strict";
import { checkGuide } from "../guide/check.mjs";
import { KEYS } from "../support/backends.mjs";
import { check as blocked } from "./blocked.check.mjs";
import { check as events } from "./events.check.mjs";
import { check as fields } from "./fields.check.mjs";
import { check as hostileFetch } from "./hostile-fetch.check.mjs";
import { check as misconfigured } from "./misconfigured.check.mjs";
import { check as spellings } from "./names.check.mjs";
import { check as touch } from "./touch.check.mjs";
import { check as tracers } from "./tracers.check.mjs";
import { check as trap } from "./trap.check.mjs";
import { check as values } from "./values.check.mjs";

/**
 * @typedef {import("./runner.mjs").Result} Result
 * @typedef {import("../support/backends.mjs").Backends} Backends
 */

/** @type {Record<string, (result: Result, backends: Backends) => Promise<void>>} */
const checks = {
  guide: ({ value }, { v1, second }) =>
    checkGuide(value, { backend: v1, key: KEYS.main, other: second, otherKey: KEYS.other }),
  guideOnLegacy: ({ value }, { legacy, second }) =>
    checkGuide(value, { backend: legacy, key: KEYS.main, other: second, otherKey: KEYS.other }),
  fields,
  touch,
  names: spellings,
  tracers,
  events,
  values,
  misconfigured,
  hostileFetch,
  trap,
};

/**
 * Scenarios that want a runtime prepared for them.
 * @type {typeof checks}
 */
const particular = { blocked };

/**
 * Every scenario that needs no environment of its own. The trap has to see the first instance made;
 * the witness is loud and comes last.
 */
export const EVERYTHING = [...new Set(["trap", ...Object.keys(checks), "witness"])];

/**
 * @param {import("node:test").TestContext} t
 * @param {import("./runner.mjs").Report} report
 * @param {{names: string[], backends: Backends, own?: typeof checks}} expected `own`: of scenarios that only some runs have
 */
export async function checkReport(t, report, { names, backends, own }) {
  assert.deepEqual(Object.keys(report).sort(), [...names].sort());
  for (const name of names) {
    await t.test(name, async () => {
      const result = report[name];
      assert.equal(result.error, undefined, result.error);
      if (name === "witness") return checkWitness(result);
      assert.deepEqual(result.uncaught, []);
      await { ...checks, ...particular, ...own }[name](result, backends);
    });
  }
}

/** @param {Result} result */
function checkWitness({ uncaught, lines }) {
  assert.deepEqual(lines, [{ level: "error", text: "witness line" }]);
  for (const what of ["witness rejection", "witness exception"]) {
    assert.ok(
      uncaught.some((text) => text.includes(what)),
      `${what} was not seen: ${JSON.stringify(uncaught)}`,
    );
  }
}
