// Rule 10 of the design: requests that each make a tracer and close none leave nothing, neither in the
// isolate's memory nor in the wasm's. `make unclosed` makes a hundred thousand of them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertQuiet } from "../support/workerd.mjs";
import { run, SERVERS } from "./load.mjs";

/** @typedef {import("./load.mjs").Reading} Reading */

/** The memory is read after each so many, which collects what is garbage: how much there is between is the engine's affair. */
const STEP = 500;
/** The first ones pay for what is made once: code, tables that have grown to what they need. */
const WARM_UP = 6;
const MEASURED = 5;
const REQUESTS = MEASURED * STEP;

/** Bytes a request. A session that is kept takes well over 1,000 of each; in wasm its timers stay for `deadlineMs`. */
const MAY_LEAVE = { heap: 250, wasm: 500 };

/** Idle tracers where nothing tells who is gone, and the last request of each kept-alive connection. */
const MAY_HOLD = 400;

describe(`${REQUESTS} requests that close nothing leave nothing`, () => {
  for (const [name, serve] of Object.entries(SERVERS)) {
    it(name, async () => {
      const { readings, stats, output } = await run(serve, Array(WARM_UP + MEASURED).fill(STEP));
      const shown = JSON.stringify(readings);
      const warm = /** @type {Reading} */ (readings[WARM_UP - 1]);
      const after = /** @type {Reading} */ (readings.at(-1));
      assert.equal(stats.sessions, after.requests, "each request's session is stored");
      assert.doesNotMatch(output.stdout, /dropped/);
      assert.ok(warm.wasm > 0 && warm.heap > 0, shown);
      assert.ok(after.tracers <= MAY_HOLD, shown);
      for (const what of /** @type {const} */ (["heap", "wasm"])) {
        const each = (after[what] - warm[what]) / REQUESTS;
        assert.ok(each < MAY_LEAVE[what], `${each} bytes of ${what} a request: ${shown}`);
      }
      assertQuiet(output);
    });
  }
});
