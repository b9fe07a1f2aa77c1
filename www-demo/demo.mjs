// `make demo`: starts everything, plays one conversation through it, prints what was stored, and
// serves the chat until Ctrl-C. Environment: PORT, ONCE=1, OPENAI_API_KEY, OPENAI_BASE_URL,
// OPENAI_MODEL; see README.md.

import { linkPackage } from "./bundle.mjs";
import { missingFrom } from "./check-session.mjs";
import { printSession, wrap } from "./print-session.mjs";
import { LOCAL_KEY, startDemo } from "./serve.mjs";

const DEFAULT_PORT = 8790;
const { env } = process;

const stop = new AbortController();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  // Once only: a second Ctrl-C ends the process at once, should stopping ever hang.
  process.once(signal, () => stop.abort());
}

function wantedPort() {
  const port = Number(env.PORT || DEFAULT_PORT);
  if (Number.isInteger(port) && port >= 0 && port < 65536) return port;
  throw new Error(`PORT is no port number: ${env.PORT}`);
}

async function main() {
  const port = wantedPort();
  const openai = env.OPENAI_API_KEY
    ? {
        apiKey: env.OPENAI_API_KEY,
        baseUrl: env.OPENAI_BASE_URL || undefined,
        model: env.OPENAI_MODEL || undefined,
      }
    : undefined;
  await linkPackage();
  /** @type {string | undefined} */
  let death;
  const demo = await startDemo({
    port,
    openai,
    onDeath(reason) {
      death = reason;
      stop.abort();
    },
  });
  try {
    const usedPort = Number(new URL(demo.url).port);
    if (port !== 0 && usedPort !== port) console.log(`Port ${port} is taken; using ${usedPort}.`);
    console.log(
      `Playing one conversation through the Worker at ${demo.url}\n` +
        `(answers by ${openai ? demo.model : "the built-in responder; set OPENAI_API_KEY for a real model"})\n`,
    );
    const played = await Promise.race([playAndPrint(demo), aborted()]);
    if (played && env.ONCE !== "1") {
      console.log(`Open ${demo.url} and chat. Ctrl-C ends the demo.`);
      await aborted();
    }
  } finally {
    await demo.close();
  }
  if (death) throw new Error(death);
}

/**
 * @param {{ url: string, backendUrl: string }} demo
 * @returns {Promise<true>} Throws a sentence if anything said in the conversation is not stored.
 */
async function playAndPrint({ url, backendUrl }) {
  // Only now: the script imports honeyhive-edge, which linkPackage() made resolvable.
  const { playConversation } = await import("./script.mjs");
  const played = await playConversation(url, say);
  const answer = await fetch(`${backendUrl}/v1/sessions/${played.sessionId}`, {
    headers: { authorization: `Bearer ${LOCAL_KEY}` },
  });
  if (!answer.ok) {
    throw new Error(`The backend has no session ${played.sessionId} (status ${answer.status}).`);
  }
  /** @type {import("./backend/session.js").SessionEvent} */
  const session = await answer.json();
  console.log(`\nWhat the backend stored:\n\n${printSession(session)}\n`);
  const missing = missingFrom(session, played);
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
