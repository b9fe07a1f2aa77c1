// The programs whose ends are watched: this file's own, and those that docs/lifetime.md shows. Each is a
// file of a project in which the package is installed; key and server are in the environment.

import { readFile } from "node:fs/promises";

/** Programs that end by themselves, and what is in a session's metadata then. */
export const ENDING = {
  "falls off its end": `
    import { enrichSession, initTracer } from "honeyhive-edge";
    initTracer();
    for (let n = 0; n < 10; n++) enrichSession({ metadata: { ["falls " + n]: true } });
  `,
  "awaits at its top level": `
    import { enrichSession, initTracer } from "honeyhive-edge";
    await initTracer();
    const { status } = await enrichSession({ metadata: { awaited: true } });
    const again = enrichSession({ metadata: { [status]: true } });
    console.log((await again).status);
  `,
  "has many sessions": `
    import { initTracer } from "honeyhive-edge";
    const tracer = await initTracer();
    for (let n = 0; n < 50; n++) tracer.startSession().enrichSession({ metadata: { ["many " + n]: true } });
  `,
  "does not wait for withSession": `
    import { enrichSession, withSession } from "honeyhive-edge";
    withSession({}, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      enrichSession({ metadata: { within: true } });
    });
  `,
  "enriches when it has nothing else to do": `
    import { enrichSession, initTracer } from "honeyhive-edge";
    await initTracer();
    process.once("beforeExit", () => enrichSession({ metadata: { "before exit": true } }));
  `,
  "closes its tracer": `
    import { initTracer } from "honeyhive-edge";
    const tracer = await initTracer();
    tracer.enrichSession({ metadata: { closed: true } });
    tracer.close();
  `,
  // As where a test puts what jsdom has onto the runtime's global object.
  "has a page around that keeps nothing": `
    const document = Object.assign(new EventTarget(), { hidden: false, baseURI: "http://localhost/" });
    const page = { location: new URL(document.baseURI), navigator: { onLine: true }, document };
    for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
      page[name] = document[name].bind(document);
    }
    for (const [name, value] of Object.entries(page)) {
      Object.defineProperty(globalThis, name, { value, configurable: true });
    }
    const { enrichSession, initTracer } = await import("honeyhive-edge");
    initTracer();
    enrichSession({ metadata: { around: true } });
  `,
};

/** What each of those leaves in its sessions. @type {Record<keyof typeof ENDING, string[]>} */
export const LEAVES = {
  "falls off its end": numbered("falls", 10),
  "awaits at its top level": ["awaited", "delivered"],
  "has many sessions": numbered("many", 50),
  "does not wait for withSession": ["within"],
  "enriches when it has nothing else to do": ["before exit"],
  "closes its tracer": ["closed"],
  "has a page around that keeps nothing": ["around"],
};

/** Its server does not answer, or is not there. */
export const givesUp = `
  import { enrichSession, initTracer } from "honeyhive-edge";
  initTracer({
    deadlineMs: 1500,
    timeoutMs: 400,
    logLevel: "silent",
    onDrop: ({ reason, enrichment }) => console.log(reason, JSON.stringify(enrichment)),
  });
  enrichSession({ metadata: { lost: true } });
`;

/** A thread of its own, of which the main one knows nothing; and one that is ended in the middle. */
export const threads = `
  import { once } from "node:events";
  import { Worker, isMainThread, threadId } from "node:worker_threads";
  import { activeTracer, enrichSession, initTracer } from "honeyhive-edge";

  const before = activeTracer();
  if (isMainThread) {
    await initTracer({ sessionName: "main" });
    const file = new URL(import.meta.url);
    const cut = new Worker(file, { argv: ["cut"] });
    await once(cut, "message");
    await cut.terminate();
    const workers = [1, 2].map(() => new Worker(file));
    await Promise.all(workers.map((worker) => once(worker, "exit")));
    enrichSession({ metadata: { main: activeTracer().sessionId } });
  } else {
    const tracer = await initTracer({ sessionName: "thread" });
    enrichSession({ metadata: { ["thread " + (before === undefined)]: tracer.sessionId } });
    if (process.argv.includes("cut")) {
      const { parentPort } = await import("node:worker_threads");
      parentPort.postMessage("begun");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    }
  }
`;

/** What stands around a handler of AWS Lambda: an event a line, and an answer a line. */
export const lambdaRuntime = `
  import { createInterface } from "node:readline";
  const { handler } = await import(process.argv[2]);
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await handler(JSON.parse(line))));
  }
`;

/** A handler that leaves to the next thaw what it queued. */
export const forgetful = `
  import { enrichSession, initTracer } from "honeyhive-edge";
  export async function handler(event) {
    await initTracer({ timeoutMs: 500 });
    enrichSession({ metadata: { order: event.order } });
    return { statusCode: 200 };
  }
`;

/** @returns {Promise<Record<string, string>>} the examples of docs/lifetime.md by their names */
export async function documented() {
  const text = await readFile(new URL("../../docs/lifetime.md", import.meta.url), "utf8");
  const blocks = text.matchAll(/^```js (\w+)\n([^]*?)^```$/gm);
  return Object.fromEntries([...blocks].map(([, name, code]) => [name, code]));
}

/**
 * @param {string} what
 * @param {number} count
 */
function numbered(what, count) {
  return Array.from({ length: count }, (_, n) => `${what} ${n}`);
}
