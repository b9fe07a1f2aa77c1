// The rules by which a session changes, as properties over any JSON.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergeKeys, restartSession, startSession, updateEvent } from "./session.js";

const ID = "11111111-2222-4333-8444-555555555555";

// Few keys, so that they meet; among them those that trip up naive merging.
const key = fc.constantFrom("a", "b", "c", "__proto__", "constructor", "toString", "");
const json = fc.jsonValue({ maxDepth: 2 });
const object = fc
  .array(fc.tuple(key, json), { maxLength: 5 })
  .map((entries) => /** @type {Record<string, unknown>} */ (Object.fromEntries(entries)));
const mergedFields = {
  metadata: object,
  feedback: object,
  metrics: object,
  config: object,
  user_properties: object,
};

const update = fc.record(
  {
    ...mergedFields,
    outputs: object,
    duration: fc.nat(),
    end_time: fc.nat(),
    children_ids: fc.array(fc.uuid(), { maxLength: 2 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const start = fc.record(
  { metadata: object, user_properties: object, config: object, inputs: object, outputs: object },
  { requiredKeys: [], noNullPrototype: true },
);

const MERGED = /** @type {(keyof typeof mergedFields)[]} */ (Object.keys(mergedFields));

test("mergeKeys is associative, has {} as its neutral, and repeats without effect", () => {
  fc.assert(
    fc.property(object, object, object, (a, b, c) => {
      assert.deepEqual(mergeKeys(mergeKeys(a, b), c), mergeKeys(a, mergeKeys(b, c)));
      assert.deepEqual(mergeKeys({}, a), a);
      assert.deepEqual(mergeKeys(a, {}), a);
      assert.deepEqual(mergeKeys(mergeKeys(a, b), b), mergeKeys(a, b));
    }),
  );
});

test("mergeKeys takes each key's later value whole", () => {
  fc.assert(
    fc.property(object, object, (a, b) => {
      const merged = mergeKeys(a, b);
      assert.deepEqual(
        new Set(Object.keys(merged)),
        new Set([...Object.keys(a), ...Object.keys(b)]),
      );
      for (const name of Object.keys(merged)) {
        const from = Object.hasOwn(b, name) ? b : a;
        assert.deepEqual(own(merged, name), own(from, name));
      }
      assert.equal(Object.getPrototypeOf(merged), Object.prototype);
    }),
  );
});

test("two updates, one after the other, are one update that merges them", () => {
  fc.assert(
    fc.property(start, update, update, (from, one, two) => {
      const event = startSession(ID, from, 1);
      /** @type {Record<string, unknown>} */
      const both = { ...one, ...two };
      for (const name of MERGED) {
        if (one[name] && two[name]) both[name] = mergeKeys(one[name], two[name]);
      }
      if (two.children_ids?.length === 0) both["children_ids"] = one.children_ids ?? [];
      assert.deepEqual(updateEvent(updateEvent(event, one), two), updateEvent(event, both));
    }),
  );
});

test("the same start or update again changes nothing", () => {
  fc.assert(
    fc.property(start, update, (from, change) => {
      const event = startSession(ID, from, 1);
      assert.deepEqual(restartSession(event, from), event);
      const once = updateEvent(event, change);
      assert.deepEqual(updateEvent(once, change), once);
    }),
  );
});

test("outputs are replaced, and stay where an update has none", () => {
  fc.assert(
    fc.property(start, object, update, (from, outputs, change) => {
      const event = updateEvent(startSession(ID, from, 1), { outputs });
      assert.deepEqual(event.outputs, outputs);
      assert.deepEqual(updateEvent(event, change).outputs, change.outputs ?? outputs);
    }),
  );
});

test("a second start merges metadata and user_properties and nothing else", () => {
  fc.assert(
    fc.property(start, start, (from, again) => {
      const event = startSession(ID, from, 1);
      assert.deepEqual(restartSession(event, { ...again, session_name: "other", duration: 5 }), {
        ...event,
        metadata: mergeKeys(event.metadata, again.metadata),
        user_properties: mergeKeys(event.user_properties, again.user_properties),
      });
    }),
  );
});

test("nothing that is passed in is changed", () => {
  fc.assert(
    fc.property(start, update, (from, change) => {
      const event = startSession(ID, from, 1);
      const before = JSON.stringify([from, change, event]);
      updateEvent(event, change);
      restartSession(event, change);
      assert.equal(JSON.stringify([from, change, event]), before);
    }),
  );
});

test("a start without data has the documented defaults", () => {
  assert.deepEqual(startSession(ID, {}, 1234), {
    event_id: ID,
    session_id: ID,
    parent_id: null,
    children_ids: [],
    event_type: "session",
    event_name: "unknown",
    source: "unknown",
    start_time: 1234,
    end_time: null,
    duration: null,
    config: {},
    inputs: {},
    outputs: {},
    error: null,
    metadata: {},
    user_properties: {},
    metrics: {},
    feedback: {},
    org_id: "local",
    workspace_id: "local",
    project_id: "local",
  });
});

/**
 * A property's value, also that of one named "__proto__".
 * @param {object} from
 * @param {string} name
 */
const own = (from, name) => Object.getOwnPropertyDescriptor(from, name)?.value;
