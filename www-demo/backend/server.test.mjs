// The backend as a process of its own: starts, says where, keeps quiet, stops when told.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startBackend } from "./server.mjs";
import { eventually } from "./test-client.mjs";

const { Request, Response } = globalThis;
const SERVER = fileURLToPath(new URL("server.mjs", import.meta.url));

/** @param {string[]} args */
function run(...args) {
  const child = spawn(process.execPath, [SERVER, ...args]);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => (output.stdout += data));
  child.stderr.on("data", (data) => (output.stderr += data));
  return { child, output, exited: once(child, "exit") };
}

test("the command serves, prints nothing but its address, and ends on SIGTERM with 0", async () => {
  const { child, output, exited } = run("--port", "0");
  await once(child.stdout, "data");
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output.stdout)?.[0];
  const init = {
    method: "POST",
    headers: { authorization: "Bearer k", "content-type": "application/json" },
    body: "{}",
  };
  assert.equal((await fetch(`${url}/v1/sessions`, init)).status, 200);
  for (const cut of ["before", "after", "mid-body"]) {
    const faults = JSON.stringify([{ cut }]);
    await fetch(`${url}/_local/faults`, { ...init, method: "PUT", body: faults });
    await assert.rejects(fetch(`${url}/v1/sessions`, init).then((answer) => answer.text()));
  }
  await fetch(`${url}/_local/faults`, { ...init, method: "PUT", body: '[{"hang":true}]' });
  const hanging = assert.rejects(fetch(`${url}/v1/sessions`, init));
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
  await hanging;
  assert.deepEqual(output, { stdout: `Local backend on ${url}\n`, stderr: "" });
});

test("a port that is taken rejects, and ends the command with a message", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (other.address());
  await assert.rejects(startBackend({ port }), { code: "EADDRINUSE" });
  const { output, exited } = run("--port", `${port}`);
  assert.deepEqual(await exited, [1, null]);
  assert.match(output.stderr, /EADDRINUSE/);
});

test("what it does not own stays as it was: Request and Response", async () => {
  const { close } = await startBackend();
  await close();
  assert.deepEqual([globalThis.Request, globalThis.Response], [Request, Response]);
});

test("close frees the port, with requests held or not", async () => {
  const { url, port, close } = await startBackend();
  await fetch(`${url}/_local/faults`, { method: "PUT", body: '[{"hang":true}]' });
  const hanging = assert.rejects(fetch(`${url}/v1/sessions`, { method: "POST", body: "{}" }));
  await eventually(
    async () => (await fetch(`${url}/_local/stats`)).json(),
    ({ inFlight }) => inFlight.now === 1,
  );
  await close();
  await hanging;
  const again = await startBackend({ port });
  assert.equal(again.port, port);
  await again.close();
});
