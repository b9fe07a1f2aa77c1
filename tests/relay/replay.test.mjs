// The program of docs/relay.md that replays dead letters, as it stands there: against an API that pulls and
// acknowledges as Cloudflare's does, and the local backend.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { it } from "node:test";
import { blocksRunBy } from "../docs/documents.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { node } from "../support/binaries.mjs";
import { runToEnd } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";

const SELF = "tests/relay/replay.test.mjs";
const TOKEN = "a-token-of-the-test";

it("dead letters are replayed by the documented command, and what is refused stays among them", async (t) => {
  const backends = await startBackends();
  t.after(() => backends.close());
  const { v1 } = backends;
  const session = crypto.randomUUID();
  const now = BigInt(Date.now()) * 1_000_000n;
  const letter = (/** @type {string} */ id, /** @type {object} */ fields, at = 0n) =>
    `hhq1 ${id} ${now + at}\n${JSON.stringify(fields)}`;
  const refused = crypto.randomUUID();
  await v1.faults([{ match: { session: refused }, status: 422 }]);
  const letters = [
    letter(session, { feedback: { rating: 5 } }, 2n),
    letter(session, { feedback: { rating: 1, note: "first" } }),
    letter(refused, { feedback: { rating: 2 } }),
    "no message of the relay's",
    ...Array.from({ length: 150 }, (_, place) =>
      letter(session, { metadata: { [`k${place}`]: 1 } }),
    ),
  ];
  const queue = await deadLetters(t, letters);

  const [program] = await blocksRunBy(SELF);
  assert.ok(program);
  const cwd = await consumer("relay-replay", { "replay.ts": program.text });
  const { code, stdout, stderr } = await runToEnd(node("26"), ["replay.ts"], {
    cwd,
    env: {
      ...process.env,
      HH_API_KEY: KEYS.main,
      HH_API_URL: v1.url,
      CLOUDFLARE_ACCOUNT_ID: "account",
      CLOUDFLARE_API_TOKEN: TOKEN,
      DEAD_LETTERS_QUEUE_ID: "dead",
      CLOUDFLARE_API_BASE_URL: queue.url,
    },
  });
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), "delivered 152, left 2");
  assert.deepEqual(queue.left(), [letters[2], letters[3]]);
  const stored = await v1.session(session);
  assert.deepEqual(stored.feedback, { rating: 5, note: "first" });
  assert.equal(Object.keys(stored.metadata).length, 150);
  assert.match(stderr, /rejected the request with 422/);
  assert.match(stderr, /a message that the relay did not write/);
});

/**
 * A queue with these messages, pulled by HTTP.
 * @param {import("node:test").TestContext} t
 * @param {string[]} bodies
 */
async function deadLetters(t, bodies) {
  let leases = 0;
  const messages = bodies.map((body) => ({ body, lease: "", isDelayed: false }));
  const server = createServer(async (request, response) => {
    assert.equal(request.headers.authorization, `Bearer ${TOKEN}`);
    let text = "";
    for await (const chunk of request) text += chunk;
    const asked = JSON.parse(text);
    const action = request.url?.replace("/accounts/account/queues/dead/messages/", "");
    if (action === "pull") {
      assert.ok(asked.batch_size <= 100 && asked.visibility_timeout_ms <= 43_200_000);
      const free = messages.filter(({ lease, isDelayed }) => !lease && !isDelayed);
      const pulled = free.slice(0, asked.batch_size);
      for (const message of pulled) message.lease = `lease-${++leases}`;
      const told = pulled.map(({ body, lease }) => ({
        id: lease,
        body,
        lease_id: lease,
        attempts: 1,
      }));
      response.end(JSON.stringify({ success: true, result: { messages: told } }));
      return;
    }
    assert.equal(action, "ack");
    const leased = (/** @type {{ lease_id: string }} */ { lease_id }) => {
      const place = messages.findIndex(({ lease }) => lease === lease_id);
      assert.ok(place >= 0, "told twice");
      return place;
    };
    for (const each of asked.acks) messages.splice(leased(each), 1);
    for (const each of asked.retries) {
      assert.ok(each.delay_seconds <= 43_200);
      Object.assign(messages[leased(each)] ?? {}, { lease: "", isDelayed: true });
    }
    response.end(JSON.stringify({ success: true, result: {} }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  t.after(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}`, left: () => messages.map(({ body }) => body) };
}
