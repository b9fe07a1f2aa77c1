// The running instance of a module: which of several is kept, what a trap ends, and what becomes of one that does not
// start.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Instance } from "../../pkg-template/src/instance.js";
import { LoggedLines } from "../../pkg-template/src/log.js";
import { logged } from "./face.mjs";

/** @typedef {{ name: string, trap: (error: unknown, isCutOff?: boolean) => void }} Module */

/** An instance whose openings end when the test says so. */
function opening() {
  /** @type {{ end: (module: Module) => void, fail: (error: unknown) => void, onTrap: Module["trap"] }[]} */
  const begun = [];
  /** @type {string[]} */
  const connected = [];
  /** @type {unknown[]} */
  const traps = [];
  /** @type {Instance<Module>} */
  const instance = new Instance(
    {
      open: (onTrap) =>
        new Promise((resolve, reject) => {
          begun.push({ end: resolve, fail: reject, onTrap });
        }),
      hint: "Hint.",
    },
    {
      effect: "so nothing works",
      connect: ({ name }) => void connected.push(name),
      trapped: (error, isCutOff) => void traps.push([error, isCutOff]),
    },
    new LoggedLines(),
  );
  /** @param {number} place @param {string} name */
  const end = (place, name) => {
    const one = begun[place];
    assert.ok(one);
    one.end({ name, trap: one.onTrap });
  };
  return { instance, begun, connected, traps, end };
}

test("of several that open, the first that has opened is kept, and its trap alone counts", async () => {
  const { instance, begun, connected, traps, end } = opening();
  const both = [instance.open(), instance.open()];
  assert.ok(instance.isOpening && !instance.isSettled);
  end(1, "second");
  end(0, "first");
  for (const one of await Promise.all(both)) assert.equal(one?.name, "second");
  assert.deepEqual(connected, ["second"]);
  assert.ok(!instance.isOpening && instance.isSettled);
  begun[0]?.onTrap("of nobody");
  assert.deepEqual(traps, []);
  begun[1]?.onTrap("boom", true);
  begun[1]?.onTrap("once more");
  assert.deepEqual(traps, [["boom", true]]);
  assert.equal(instance.core, undefined);
  assert.ok(!instance.isSettled);
});

test("one that is opened at once takes the place of one that is opening", async () => {
  const { instance, connected, end } = opening();
  const late = instance.open();
  instance.openNow((trap) => ({ name: "at once", trap }));
  assert.deepEqual(connected, ["at once"]);
  end(0, "late");
  assert.equal((await late)?.name, "at once");
  assert.equal(connected.length, 1);
});

test("where none can be opened at once, the other is waited for, and nothing is said", async () => {
  const { instance, connected, end } = opening();
  const lines = await logged(async () => {
    const late = instance.open();
    instance.openNow(() => {
      throw new Error("not at once");
    });
    assert.ok(instance.isOpening && !instance.isSettled);
    end(0, "late");
    await late;
  });
  assert.deepEqual(connected, ["late"]);
  assert.deepEqual(lines, []);
});

test("one that does not start says why, once, and may start when it is tried again", async () => {
  const { instance, begun, connected, end } = opening();
  const lines = await logged(async () => {
    for (let i = 0; i < 2; i++) {
      const failing = instance.open();
      begun[i]?.fail(new Error("refused"));
      assert.equal(await failing, undefined);
    }
  });
  const message = "WebAssembly could not be started (refused), so nothing works. Hint.";
  assert.deepEqual(lines, [{ level: "error", line: `[honeyhive-edge] ${message}` }]);
  assert.equal(instance.failure, message);
  assert.ok(instance.isSettled);
  instance.forgetFailure();
  assert.ok(!instance.isSettled);
  const working = instance.open();
  end(2, "third");
  await working;
  assert.deepEqual(connected, ["third"]);
});

test("a failure after another instance has started changes nothing", async () => {
  const { instance, begun } = opening();
  const lines = await logged(async () => {
    const late = instance.open();
    instance.openNow((trap) => ({ name: "at once", trap }));
    begun[0]?.fail(new Error("too late"));
    assert.equal((await late)?.name, "at once");
  });
  assert.deepEqual(lines, []);
  assert.equal(instance.failure, undefined);
});
