// The relay below Express, as docs/relay.md mounts it: Express takes the path off the address.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { blocksRunBy } from "../docs/documents.mjs";
import { node } from "../support/binaries.mjs";
import { start, until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { ask } from "./ask.mjs";
import { ATTACKS, good } from "./attacks.mjs";
import { API_KEY, SECRETS } from "./forge.mjs";
import { serving } from "./holds.mjs";

/** A port that nobody listens to. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("the relay in Express", () => {
  const at = serving(async (backend) => {
    const [{ text }] = await blocksRunBy("tests/relay/express.test.mjs");
    const cwd = await consumer("relay-express", { "server.mjs": text });
    const port = await freePort();
    const env = {
      PORT: String(port),
      HH_API_KEY: API_KEY,
      HH_API_URL: backend,
      HH_RELAY_SECRET: SECRETS.current,
    };
    const { child, output, stop } = start(node("22"), ["server.mjs"], { cwd, env });
    const url = `http://127.0.0.1:${port}`;
    const answers = () => {
      if (child.exitCode !== null) throw new Error(output.stderr);
      return fetch(url).catch(() => undefined);
    };
    await until(answers, { what: "Express to listen" });
    return { url, output, stop };
  });

  it("passes what the ticket allows", async () => {
    const from = good(at.served.url);
    for (const asked of [from.start, from.update]) {
      const answer = await ask(at.served.url, asked);
      assert.equal(answer.status, 200, answer.text);
    }
    assert.deepEqual((await at.backend.session(from.session, API_KEY)).feedback, { rating: 5 });
  });

  for (const { name, attack, status, code } of ATTACKS) {
    // What Express answers below another path is its own.
    if (code === "ROUTE_NOT_FOUND") continue;
    it(`refuses: ${name}`, async () => {
      const answer = await ask(at.served.url, attack(good(at.served.url)));
      assert.equal(answer.status, status, answer.text);
    });
  }
});
