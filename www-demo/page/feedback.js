// The visitor's feedback, written from the page into the session that the Worker began, and what is said of one
// answer on that answer's own event as well. Here is where the demo uses honeyhive-edge in the browser. No DOM:
// script.mjs uses it in Node.

/** @typedef {import("honeyhive-edge").Delivery | import("honeyhive-edge").EventDelivery} Delivery */
/** @typedef {import("../worker/events.js").AnswerEvent} AnswerEvent */
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
  // The page is drawn before the package is loaded.
  const { initTracer } = await import("honeyhive-edge");
  // No key reaches the page: the Worker's relay puts its own in the ticket's place.
  const tracer = await initTracer({ ticket, serverUrl });
  /** @type {Record<string, Rating>} */
  const answers = { ...before };

  /** A tracer for each answer that was rated, with that answer's ticket. @type {Map<string, Promise<import("honeyhive-edge").Tracer>>} */
  const ofAnswers = new Map();

  /** @param {AnswerEvent} event @param {Rating} rating */
  async function writeOnAnswer({ eventId, ticket: ofAnswer }, rating) {
    const opened = ofAnswers.get(eventId) ?? initTracer({ ticket: ofAnswer, serverUrl });
    ofAnswers.set(eventId, opened);
    return (await opened).enrichEvent(eventId, { feedback: { ...rating } });
  }

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
     * @param {AnswerEvent} [event]
     * @returns {Promise<Delivery>} Of the event's, if that was dropped.
     */
    async rateAnswer(number, rating, event) {
      const name = `answer_${number}`;
      answers[name] = { ...answers[name], ...rating };
      const thumbs = Object.values(answers).map(({ thumb }) => thumb);
      const onAnswer = event && writeOnAnswer(event, rating);
      const inSession = await write({
        thumbs_up: thumbs.filter((thumb) => thumb === "up").length,
        thumbs_down: thumbs.filter((thumb) => thumb === "down").length,
        [name]: answers[name],
      });
      const delivery = await onAnswer;
      return delivery?.status === "dropped" ? delivery : inSession;
    },

    /** @param {number} rating The conversation as a whole, 1 to 5. */
    rateConversation(rating) {
      return write({ rating });
    },

    async close() {
      const opened = await Promise.all(ofAnswers.values());
      await Promise.all([tracer, ...opened].map((each) => each.close()));
    },
  };
}
