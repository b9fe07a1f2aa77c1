// A session's history, played again in the viewer, against what the backend has stored.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createBackend } from "../backend/app.js";
import { replay } from "./replay.js";

const ID = "3cd7a5a0-5a4e-4f6c-8f3e-0c5b0f5f9d11";

const fields = fc.dictionary(
  fc.constantFrom("a", "b", "enrichments", "__proto__"),
  fc.oneof(fc.integer(), fc.constant("text"), fc.constant({ deep: [1] })),
);
const start = fc.record(
  { metadata: fields, inputs: fields, config: fields, user_properties: fields },
  { requiredKeys: [] },
);
const update = fc.record(
  {
    metadata: fields,
    outputs: fields,
    metrics: fields,
    feedback: fields,
    user_properties: fields,
    inputs: fields, // ignored there
    duration: fc.nat(),
    end_time: fc.nat(),
  },
  { requiredKeys: [] },
);
const requests = fc.array(
  fc.oneof(
    start.map((body) => ["POST", "/v1/sessions", { ...body, session_id: ID }]),
    start.map((body) => ["POST", "/session/start", { session: { ...body, session_id: ID } }]),
    fc
      .tuple(start, fc.record({ feedback: fields, metrics: fields }, { requiredKeys: [] }))
      .map(([body, more]) => [
        "POST",
        "/v1/events",
        { inputs: {}, ...body, ...more, event_type: "session", session_id: ID },
      ]),
    start.map((body) => [
      "POST",
      "/v1/events",
      { inputs: {}, ...body, event_type: "tool", session_id: ID },
    ]),
    update.map((body) => ["PUT", `/v1/events/${ID}`, body]),
    update.map((body) => ["PUT", "/events", { ...body, event_id: ID }]),
  ),
  { minLength: 1, maxLength: 12 },
);

test("the last step is the session as it is stored, and the differences lead there", async () => {
  await fc.assert(
    fc.asyncProperty(requests, async (made) => {
      const backend = createBackend();
      for (const [method, path, body] of made) {
        await backend.fetch(
          new Request(`http://local${path}`, {
            method: String(method),
            headers: { authorization: "Bearer k", "content-type": "application/json" },
            body: JSON.stringify(body),
          }),
        );
      }
      const answer = await backend.fetch(new Request(`http://local/_local/sessions/${ID}`));
      if (answer.status === 404) return;
      const [{ event, timeline }] = await answer.json();
      const steps = replay(ID, timeline);
      assert.equal(steps.length, timeline.length);
      const { start_time: _, ...state } = steps.at(-1)?.state ?? {};
      const { start_time: __, ...stored } = event;
      assert.deepEqual(JSON.parse(JSON.stringify(state)), stored);

      /** @type {Map<string, unknown>} */
      const built = new Map();
      for (const { group, key, after } of steps.flatMap(({ differences }) => differences)) {
        if (after === undefined) built.delete(`${group}.${key}`);
        else built.set(`${group}.${key}`, after);
      }
      for (const group of ["inputs", "outputs", "metadata", "metrics", "feedback", "config"]) {
        for (const [key, value] of Object.entries(stored[group])) {
          assert.deepEqual(built.get(`${group}.${key}`), value);
          built.delete(`${group}.${key}`);
        }
      }
      const left = [...built.keys()].filter(
        (name) => !/^(user_properties|end_time|duration)/.test(name),
      );
      assert.deepEqual(left, []);
    }),
  );
});
