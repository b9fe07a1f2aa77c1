// The package's own requests are in nobody's traces, whatever stands where OpenTelemetry keeps what was registered.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { untraced } from "../../pkg-template/src/untraced.js";

const REGISTERED = Symbol.for("opentelemetry.js.api.1");
const SUPPRESS = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");
const holder = /** @type {any} */ (globalThis);

afterEach(() => {
  delete holder[REGISTERED];
});

/** A context manager of one context, which holds what was set last. */
function manager() {
  const values = new Map();
  const active = {
    setValue(/** @type {symbol} */ key, /** @type {unknown} */ value) {
      return new Map([[key, value]]);
    },
  };
  return {
    values,
    active: () => active,
    with(/** @type {Map<symbol, unknown>} */ context, /** @type {() => unknown} */ fn) {
      context.forEach((value, key) => values.set(key, value));
      try {
        return fn();
      } finally {
        values.clear();
      }
    },
  };
}

describe("untraced", () => {
  it("calls inside a context that suppresses tracing", () => {
    const context = manager();
    holder[REGISTERED] = { version: "1.9.0", context };
    assert.equal(
      untraced(() => context.values.get(SUPPRESS)),
      true,
    );
    assert.equal(context.values.size, 0);
  });

  it("gives and throws what it calls gives and throws, once, whatever is registered", () => {
    const hostile = [
      undefined,
      null,
      3,
      {},
      { context: null },
      { context: { active: () => undefined } },
      { context: { active: () => ({ setValue: () => ({}) }) } },
      { context: { active: () => ({ setValue: () => ({}) }), with() {} } },
      {
        context: {
          active: () => ({ setValue: () => ({}) }),
          with() {
            throw new Error("no");
          },
        },
      },
      {
        context: {
          active: () => ({ setValue: () => ({}) }),
          with(/** @type {unknown} */ _, /** @type {() => void} */ fn) {
            fn();
            throw new Error("later");
          },
        },
      },
      {
        get context() {
          throw new Error("hostile");
        },
      },
      { context: manager() },
    ];
    for (const registered of hostile) {
      holder[REGISTERED] = registered;
      let calls = 0;
      assert.equal(
        untraced(() => ++calls),
        1,
      );
      const error = new Error("its own");
      assert.throws(
        () =>
          untraced(() => {
            calls++;
            throw error;
          }),
        error,
      );
      assert.equal(calls, 2);
    }
  });
});
