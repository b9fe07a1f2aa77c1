// The visitor's feedback, written from the page into the session that the Worker began. Here is
// where the demo uses honeyhive-edge in the browser. No DOM: script.mjs uses it in Node.

import { initTracer } from "honeyhive-edge";

/** @typedef {import("honeyhive-edge").Delivery} Delivery */
/** @typedef {{ thumb?: "up" | "down", comment?: string }} Rating */
/** @typedef {(fields: Record<string, unknown>, delivery: Promise<Delivery>) => void} OnEnriched */

/**
 * @param {string} ticket for the conversation's session
 * @param {{ serverUrl?: string, answers?: Record<string, Rating>, onEnriched?: OnEnriched }} [options]
 *   `answers`: as they are rated already, by `answer_<number>`.
 */
export async function openFeedback(
  ticket,
  { serverUrl = "/honeyhive", answers: before = {}, onEnriched } = {},
) {
  // No key reaches the page: the Worker's relay puts its own in the ticket's place.
  const tracer = await initTracer({ ticket, serverUrl });
  /** @type {Record<string, Rating>} */
  const answers = { ...before };

  /** @param {Record<string, unknown>} feedback */
  function write(feedback) {
    const delivery = tracer.enrichSession({ feedback });
    onEnriched?.({ feedback }, delivery);
    return delivery;
  }

  return {
    /**
     * @param {number} number Which answer of the conversation, from 1.
     * @param {Rating} rating What is new; what was said before about this answer is kept.
     */
    rateAnswer(number, rating) {
      const name = `answer_${number}`;
      answers[name] = { ...answers[name], ...rating };
      const thumbs = Object.values(answers).map(({ thumb }) => thumb);
      return write({
        thumbs_up: thumbs.filter((thumb) => thumb === "up").length,
        thumbs_down: thumbs.filter((thumb) => thumb === "down").length,
        [name]: answers[name],
      });
    },

    /** @param {number} rating The conversation as a whole, 1 to 5. */
    rateConversation(rating) {
      return write({ rating });
    },

    close: () => tracer.close(),
  };
}
