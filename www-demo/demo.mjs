// `make demo`: starts everything, plays one conversation through it, prints what was stored, and
// serves the chat until Ctrl-C. Environment: PORT, VIEWER_PORT, ONCE=1, SAMPLES, HH_API_KEY, HH_API_URL,
// OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL; see README.md.

import { missingFrom, unratedAmong } from "./check-session.mjs";
import { printSession, wrap } from "./print-session.mjs";
import { LOCAL_KEY, startDemo } from "./serve.mjs";

const CHAT_PORT = 8790;
const VIEWER_PORT = 8791;
const { env } = process;

const stop = new AbortController();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  // Once only: a second Ctrl-C ends the process at once, should stopping ever hang.
  process.once(signal, () => stop.abort());
}

/** @param {string} name @param {number} otherwise */
function wantedPort(name, otherwise) {
  const port = Number(env[name] || otherwise);
  if (Number.isInteger(port) && port >= 0 && port < 65536) return port;
  throw new Error(`${name} is no port number: ${env[name]}`);
}

function wantedSamples() {
  const samples = Number(env.SAMPLES || 0);
  if (Number.isInteger(samples) && samples >= 0) return samples;
  throw new Error(`SAMPLES is no number of sessions: ${env.SAMPLES}`);
}

async function main() {
  const port = wantedPort("PORT", CHAT_PORT);
  const viewerPort = wantedPort("VIEWER_PORT", VIEWER_PORT);
  const samples = wantedSamples();
  const openai = env.OPENAI_API_KEY
    ? {
        apiKey: env.OPENAI_API_KEY,
        ...(env.OPENAI_BASE_URL ? { baseUrl: env.OPENAI_BASE_URL } : {}),
        ...(env.OPENAI_MODEL ? { model: env.OPENAI_MODEL } : {}),
      }
    : undefined;
  const honeyhive = env.HH_API_KEY
    ? { apiKey: env.HH_API_KEY, ...(env.HH_API_URL ? { serverUrl: env.HH_API_URL } : {}) }
    : undefined;
  /** @type {string | undefined} */
  let death;
  const demo = await startDemo({
    port,
    viewerPort,
    ...(openai ? { openai } : {}),
    ...(honeyhive ? { honeyhive } : {}),
    onDeath(reason) {
      death = reason;
      stop.abort();
    },
  });
  try {
    sayIfTaken(port, demo.url);
    if (demo.viewerUrl) sayIfTaken(viewerPort, demo.viewerUrl);
    if (honeyhive) {
      const { reach } = await import("./reach.mjs");
      await reach(honeyhive);
    }
    console.log(
      `Playing one conversation through the Worker at ${demo.url}\n` +
        `(answers by ${openai ? "your model" : "the built-in model; set OPENAI_API_KEY for a real one"})\n`,
    );
    const played = await Promise.race([playAndPrint(demo), aborted()]);
    if (played && samples > 0 && demo.backendUrl) {
      // Only now, as below: it imports honeyhive-edge, which startDemo() made resolvable.
      const { fill } = await import("./samples/fill.mjs");
      await Promise.race([fill(demo.backendUrl, samples), aborted()]);
    }
    if (played && env.ONCE !== "1" && !stop.signal.aborted) {
      console.log(`Chat:     ${demo.url}`);
      if (demo.viewerUrl) console.log(`Sessions: ${demo.viewerUrl}`);
      console.log("Open them and chat. Ctrl-C ends the demo.");
      await aborted();
    }
  } finally {
    await demo.close();
  }
  if (death) throw new Error(death);
}

/** @param {number} wanted @param {string} url */
function sayIfTaken(wanted, url) {
  const { port } = new URL(url);
  if (wanted !== 0 && port !== String(wanted)) {
    console.log(`Port ${wanted} is taken; using ${port}.`);
  }
}

/**
 * @param {{ url: string, backendUrl: string | undefined }} demo
 * @returns {Promise<true>} Throws a sentence if anything said in the conversation is not stored.
 */
async function playAndPrint({ url, backendUrl }) {
  const { playConversation } = await import("./script.mjs");
  const played = await playConversation(url, say);
  if (backendUrl === undefined) {
    if (played.problems.length > 0) {
      throw new Error(`Not everything was stored.\n${played.problems.join("\n")}`);
    }
    console.log(`\nAll of it is stored in HoneyHive, as session ${played.sessionId}.\n`);
    return true;
  }
  const answer = await fetch(`${backendUrl}/v1/sessions/${played.sessionId}`, {
    headers: { authorization: `Bearer ${LOCAL_KEY}` },
  });
  if (!answer.ok) {
    throw new Error(`The backend has no session ${played.sessionId} (status ${answer.status}).`);
  }
  /** @type {import("./backend/session.js").SessionEvent} */
  const session = await answer.json();
  console.log(`\nWhat the backend stored:\n\n${printSession(session)}\n`);
  const [whole] = await (await fetch(`${backendUrl}/_local/sessions/${played.sessionId}`)).json();
  const events = whole.events.map(
    (/** @type {import("./backend/store.js").StoredEvent} */ one) => one.event,
  );
  const missing = [...missingFrom(session, played), ...unratedAmong(events, played)];
  if (missing.length > 0) throw new Error(`Not everything was stored.\n${missing.join("\n")}`);
  return true;
}

/** @returns {Promise<undefined>} Resolves when the demo is told to stop. */
function aborted() {
  return new Promise((resolve) => {
    if (stop.signal.aborted) resolve(undefined);
    stop.signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

/** @param {"visitor" | "answer"} who @param {string} text */
function say(who, text) {
  const [first, ...rest] = wrap(text, 84);
  console.log(
    [`  ${who.padEnd(9)}${first}`, ...rest.map((line) => " ".repeat(11) + line)].join("\n"),
  );
}

try {
  await main();
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
// Whatever the script's package still retries after an interruption is of no use to anyone.
process.exit();
