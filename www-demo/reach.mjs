// Whether HoneyHive can be reached at all, asked before the demo plays: where it cannot, each thing said would
// be tried again for half a minute. Whether it takes the key, the first turn of the conversation shows.

import { initTracer } from "honeyhive-edge";

const LIMIT_MS = 10_000;

/**
 * Sends nothing but a question without the key to the address that the package finds for these options.
 * @param {{ apiKey: string, serverUrl?: string }} honeyhive
 * @returns {Promise<void>} Rejects with a sentence where nobody answers there.
 */
export async function reach(honeyhive) {
  /** @type {string | undefined} */
  let problem;
  const tracer = await initTracer({
    ...honeyhive,
    async fetch(url) {
      const { origin } = new URL(String(url));
      try {
        await fetch(origin, {
          method: "HEAD",
          redirect: "manual",
          signal: AbortSignal.timeout(LIMIT_MS),
        });
      } catch (error) {
        problem =
          `${origin} cannot be reached (${causeOf(error)}): check HH_API_URL and the network. ` +
          "Without HH_API_KEY the demo brings a backend of its own.";
      }
      return Response.json({});
    },
    timeoutMs: 2 * LIMIT_MS,
  });
  await tracer.enrichSession({ metadata: { question: "Is anybody there?" } });
  await tracer.close();
  if (problem) throw new Error(problem);
}

/** @param {unknown} error */
function causeOf(error) {
  const { message, cause } = /** @type {Error} */ (error);
  return cause instanceof Error ? /** @type {any} */ (cause).code || cause.message : message;
}
