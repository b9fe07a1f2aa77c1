// Fills a backend with made-up sessions, through the package itself and as an application would: each session has
// a tracer, which is told of a turn at a time. Run it against a demo that is running:
// node samples/fill.mjs --sessions 3000 --url http://127.0.0.1:8791

import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { initTracer } from "honeyhive-edge";
import { SESSION } from "../session.js";
import { sampleSessions } from "./sessions.js";

/** @typedef {import("./sessions.js").SampleSession} SampleSession */

const KEY = "hh_local_demo";
const AT_ONCE = 16;

/**
 * @param {string} serverUrl
 * @param {number} count
 * @returns {Promise<void>} Rejects with a sentence if anything was not stored.
 */
export async function fill(serverUrl, count) {
  const bar = new SingleBar({
    format: "Sessions |{bar}| {value} of {total}, {eta_formatted} left",
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 2000,
  });
  bar.start(count, 0);
  let dropped = 0;
  const waiting = sampleSessions(count, Date.now());
  const work = async () => {
    for (const session of waiting) {
      dropped += await send(session, serverUrl);
      bar.increment();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  bar.stop();
  if (dropped > 0) throw new Error(`${dropped} enrichments of the samples were not stored.`);
}

/**
 * @param {SampleSession} session
 * @param {string} serverUrl
 * @returns {Promise<number>} enrichments that were dropped
 */
async function send({ variant, config, visitor, turns, error, ...rest }, serverUrl) {
  const [first] = turns;
  const tracer = await initTracer({
    ...SESSION,
    apiKey: KEY,
    serverUrl,
    // What is merged is decided here, by flush(); nobody is to wait for a window two weeks ago.
    mergeWindowMs: 0,
    inputs: { question: first?.question },
    metadata: { status: "started", experiment: "answer-tone", variant },
    config,
    userProperties: visitor,
  });
  /** @param {import("honeyhive-edge").Enrichment} fields */
  const enrich = (fields) => {
    void tracer.enrichSession(fields);
    void tracer.addMetrics({ enrichments: 1 });
  };
  for (const [index, { answer, topic, used, took, rating }] of turns.entries()) {
    const turn = index + 1;
    enrich({ metadata: { status: "in_progress", workflow_step: "understand", turn } });
    enrich({ metadata: { workflow_step: "answer", topic } });
    void tracer.addMetrics({ ...used, enrichments: 1 });
    if (error && turn === turns.length) {
      enrich({ metadata: { status: "failed" }, error });
    } else {
      enrich({ outputs: { answer, turns: turn }, metrics: took });
    }
    await tracer.flush();
    if (rating) {
      const sums = thumbsOf(turns.slice(0, turn));
      enrich({ feedback: { ...sums, [`answer_${turn}`]: rating } });
    }
  }
  if (rest.isEnded || !error) {
    const status = error ? "failed" : "completed";
    const { endTime, duration } = rest;
    enrich({ metadata: { status, workflow_step: "done" }, endTime, duration });
  }
  if (rest.rating !== undefined) enrich({ feedback: { rating: rest.rating } });
  return (await tracer.close()).dropped;
}

/** @param {import("./sessions.js").SampleTurn[]} turns */
function thumbsOf(turns) {
  const thumbs = turns.map(({ rating }) => rating?.thumb);
  return {
    thumbs_up: thumbs.filter((thumb) => thumb === "up").length,
    thumbs_down: thumbs.filter((thumb) => thumb === "down").length,
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      sessions: { type: "string", default: "3000" },
      url: { type: "string", default: "http://127.0.0.1:8791" },
    },
  });
  await fill(values.url, Number(values.sessions));
}
