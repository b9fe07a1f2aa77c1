// A server whose answers have no end, or unpack to a hundred times what was sent: everything in the package that
// reads one takes its beginning and cancels the rest, in each runtime. What was read is counted: by the server,
// which sends as the client takes it, and by the memory that the client's process needed at most.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createGzip } from "node:zlib";
import { DENO_RUN, bun, deno } from "../support/binaries.mjs";
import { runToEnd, until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";
import { STORED } from "./bounded.mjs";

const MB = 1_000_000;

/** What the bomb unpacks to. */
const BOMB_BYTES = 300 * MB;

/** Far more than the sockets of both sides hold beside the MiB that is read, on any machine. */
const MOST_SENT = 40 * MB;

/** What one answer's MiB may come to in a process that reads eleven, one after the other. */
const MOST_MORE = 100 * MB;

/** Bun may unpack all that arrived before anybody can read of it, or stop it: once, and not eleven times. */
const MOST_MORE_IN_BUN = 2 * BOMB_BYTES;

const entry = `
  import { readFileSync } from "node:fs";
  import * as api from "honeyhive-edge";
  import * as otel from "honeyhive-edge/otel";
  import * as relay from "honeyhive-edge/relay";
  import { readAnswers } from "./bounded.mjs";
  const facts = await readAnswers({ api, otel, relay }, process.argv[2]);
  console.log(JSON.stringify({ facts, status: readFileSync("/proc/self/status", "utf8") }));
`;

const worker = `
  import * as api from "honeyhive-edge";
  import * as otel from "honeyhive-edge/otel";
  import * as relay from "honeyhive-edge/relay";
  import { readAnswers } from "./bounded.mjs";
  export default {
    async fetch(request) {
      return Response.json(await readAnswers({ api, otel, relay }, await request.text()));
    },
  };
`;

/** @typedef {(url: string) => Promise<{ facts: object, status: string }>} Read and what Linux says of the process */

/** @type {Record<string, Read>} */
const runtimes = {};

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;

before(async () => {
  const portable = await readFile(new URL("bounded.mjs", import.meta.url), "utf8");
  const cwd = await consumer("bounded", { "bounded.mjs": portable, "entry.mjs": entry });
  /** @type {Record<string, [command: string, ...args: string[]]>} */
  const programs = {
    // A process of this size would end long before all is unpacked.
    Node: [process.execPath, "--max-old-space-size=200", "entry.mjs"],
    Deno: [deno(), ...DENO_RUN, "--allow-all", "entry.mjs"],
    Bun: [bun(), "entry.mjs"],
  };
  for (const [name, [command, ...args]] of Object.entries(programs)) {
    runtimes[name] = async (url) => {
      const ended = await runToEnd(command, [...args, url], { cwd, timeoutMs: 300_000 });
      assert.equal(ended.code, 0, `${ended.stdout}\n${ended.stderr}`);
      return JSON.parse(ended.stdout);
    };
  }
  const project = await consumer("bounded-workerd", {
    "bounded.mjs": portable,
    "worker.mjs": worker,
  });
  const bundle = await bundleWorker(project);
  runtimes["workerd"] = async (url) => {
    const { pid, ...running } = await startWorker(bundle, { compatibilityDate: "2026-10-01" });
    try {
      const signal = AbortSignal.timeout(300_000);
      const response = await fetch(running.url, { method: "POST", body: url, signal });
      const text = await response.text();
      assert.equal(response.status, 200, `${text}\n${running.output.stderr}`);
      return { facts: JSON.parse(text), status: await readFile(`/proc/${pid}/status`, "utf8") };
    } finally {
      await running.stop();
    }
  };
  server = await startServer();
});
after(() => server.close());

describe("an answer is read to a MiB at most", { concurrency: 1 }, () => {
  for (const name of ["Node", "Deno", "Bun", "workerd"]) {
    const read = (/** @type {string} */ kind) =>
      /** @type {Read} */ (runtimes[name])(`${server.url}/${kind}`);

    it(`${name}, one that has no end`, async () => {
      const { facts } = await read("endless");
      assert.deepEqual(facts, STORED);
      for (const reader of Object.keys(STORED)) {
        const sent = server.endless(reader);
        await until(() => sent.every(({ isOpen }) => !isOpen), {
          what: `the ${reader} to let go of its answers`,
          timeoutMs: 120_000,
        });
        assert.ok(sent.length > 0, `the ${reader} asked`);
        for (const { bytes } of sent) assert.ok(bytes < MOST_SENT, `${reader}: ${bytes} bytes`);
      }
      server.forget();
    });

    it(`${name}, one that unpacks to 300 MB`, async () => {
      const small = await read("small");
      const bomb = await read("bomb");
      assert.deepEqual([small.facts, bomb.facts], [STORED, STORED]);
      const more = peak(bomb.status) - peak(small.status);
      const most = name === "Bun" ? MOST_MORE_IN_BUN : MOST_MORE;
      assert.ok(more < most, `${more} bytes more than for small answers`);
    });
  }
});

/** @param {string} status @returns bytes that the process had in memory at most */
function peak(status) {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(status);
  assert.ok(found, status);
  return Number(found[1]) * 1024;
}

async function startServer() {
  const bomb = await packed(BOMB_BYTES);
  /** @type {{ reader: string, bytes: number, isOpen: boolean }[]} */
  let sent = [];
  const chunk = Buffer.alloc(65_536, "x");
  const http = createServer((request, response) => {
    request.resume();
    const [, kind, reader = ""] = (request.url ?? "").split("/");
    if (kind === "small") return response.end("{}");
    if (kind === "bomb") {
      response.setHeader("content-encoding", "gzip");
      return response.end(bomb);
    }
    const own = { reader, bytes: 0, isOpen: true };
    sent.push(own);
    // As HoneyHive's: what is no object is nobody's receipt.
    response.write('{"success":true,"more":"');
    const more = () => {
      while (own.isOpen) {
        own.bytes += chunk.length;
        if (!response.write(chunk)) break;
      }
    };
    response.on("drain", more).on("close", () => (own.isOpen = false));
    more();
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (http.address());
  return {
    url: `http://127.0.0.1:${port}`,
    endless: (/** @type {string} */ reader) => sent.filter((each) => each.reader === reader),
    forget: () => (sent = []),
    close: () => {
      http.closeAllConnections();
      return new Promise((resolve) => http.close(() => resolve(undefined)));
    },
  };
}

/** @param {number} bytes of spaces, which no reader takes for a page or an error */
async function packed(bytes) {
  const gzip = createGzip();
  /** @type {Buffer[]} */
  const chunks = [];
  gzip.on("data", (chunk) => chunks.push(chunk));
  const ended = new Promise((resolve) => gzip.on("end", resolve));
  const some = Buffer.alloc(MB, " ");
  for (let left = bytes; left > 0; left -= some.length) {
    if (!gzip.write(some)) await setImmediate();
  }
  gzip.end();
  await ended;
  return Buffer.concat(chunks);
}
