// The measured process in Node, Deno and Bun: child.mjs ADAPTER URL KIND LOAD. Says what it found as one line of
// JSON.

import process from "node:process";

import { batch, sessions, turns } from "./load.mjs";

const GRACE_MS = 2_000;

const [adapter = "", url = "", kind, given = "{}"] = process.argv.slice(2);
const load = JSON.parse(given);
/** @param {string} name in adapters/ */
async function peerOf(name) {
  const { setup } = await import(new URL(`../peers/adapters/${name}.mjs`, import.meta.url).href);
  return setup({ url, lanes: load.lanes });
}
const peer = await peerOf(adapter);

function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const report =
  kind === "sessions"
    ? await sessions(peer, load)
    : kind === "batch"
      ? await batch(peer, load)
      : await turns(peer, await peerOf("fetch"), cpu);
// What a peer's flush has not waited for may arrive yet.
await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
// Peers may write to the console as well; and who ends at once has not written all of it.
const line = `\nREPORT ${JSON.stringify(report)}\n`;
await new Promise((resolve) => process.stdout.write(line, resolve));
process.exit(0);
