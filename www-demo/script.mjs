// The scripted conversation: a visitor asks twice, rates both answers, ends the conversation and
// rates it as a whole. It runs the page's own modules in Node, over real HTTP. What came of it in
// the backend is check-session.mjs's question.

import { endConversation, sendMessage } from "./page/chat.js";
import { openFeedback } from "./page/feedback.js";

/** @typedef {import("./page/feedback.js").Delivery} Delivery */
/** @typedef {import("./page/feedback.js").Rating} Rating */
/** @typedef {import("./page/chat.js").Visitor} Visitor */
/** @typedef {{ question: string, answer: string, used: Record<string, number>[], rating: Rating, event?: import("./worker/events.js").AnswerEvent }} Turn */
/** @typedef {{ sessionId: string, variant: string, visitor: Visitor, turns: Turn[], overall: number, problems: string[] }} Played */

/** @type {Visitor} */
const VISITOR = { id: "visitor-1", locale: "en-GB", device: "phone" };

/** @type {{ question: string, rating: Rating }[]} */
const SCRIPT = [
  {
    question: "My honey has crystallised. Is it spoiled?",
    rating: { thumb: "up", comment: "Saved my breakfast." },
  },
  {
    question: "What does it cost to ship two jars to Austria?",
    rating: { thumb: "down", comment: "I hoped for a faster way." },
  },
];
const OVERALL = 4;

/**
 * @param {string} origin
 * @param {(who: "visitor" | "answer", text: string) => void} say
 * @returns {Promise<Played>}
 */
export async function playConversation(origin, say) {
  /** @type {Played} */
  const played = {
    sessionId: "",
    variant: "",
    visitor: VISITOR,
    turns: [],
    overall: OVERALL,
    problems: [],
  };
  /** @param {string} what @param {Delivery} delivery */
  const expectDelivered = (what, delivery) => {
    if (delivery.status !== "delivered")
      played.problems.push(`${what} was dropped: ${delivery.message}`);
  };

  /** @type {Awaited<ReturnType<typeof openFeedback>> | undefined} */
  let feedback;
  let ticket = "";
  for (const { question, rating } of SCRIPT) {
    say("visitor", question);
    /** @type {Turn} */
    const turn = { question, answer: "", used: [], rating };
    const conversation = played.sessionId || undefined;
    for await (const event of sendMessage(origin, {
      message: question,
      conversation,
      visitor: VISITOR,
    })) {
      if (event.type === "session") {
        played.sessionId = event.sessionId;
        ticket = event.ticket;
        played.variant = event.variant;
      } else if (event.type === "text") turn.answer += event.text;
      else if (event.type === "answer") turn.event = event.event;
      else if (event.type === "counted") turn.used.push(event.metrics);
      else if (event.type === "failed")
        throw new Error(`The chat did not answer "${question}": ${event.message}`);
      else if (event.type === "stored" && event.delivered === 0 && event.why) {
        // The visitor's own would be tried again, each for half a minute.
        throw new Error(`Nothing of a turn was stored: ${event.why}.`);
      } else if (event.type === "stored" && event.dropped + event.pending > 0) {
        played.problems.push(
          `The Worker lost ${event.dropped} enrichments and left ${event.pending} unsent at "${question}".`,
        );
      }
    }
    say("answer", turn.answer);
    played.turns.push(turn);

    feedback ??= await openFeedback(ticket, { serverUrl: `${origin}/honeyhive` });
    say("visitor", `thumbs ${rating.thumb}: “${rating.comment}”`);
    const number = played.turns.length;
    // The way a visitor does it: the thumb first, the comment a moment later.
    expectDelivered(
      `The thumb on answer ${number}`,
      await feedback.rateAnswer(number, { thumb: rating.thumb }, turn.event),
    );
    expectDelivered(
      `The comment on answer ${number}`,
      await feedback.rateAnswer(number, rating, turn.event),
    );
  }

  expectDelivered(
    "The end of the conversation",
    (await endConversation(origin, played.sessionId)).delivery,
  );
  say("visitor", `ends the conversation and gives it ${OVERALL} of 5`);
  if (feedback) {
    expectDelivered("The rating of the conversation", await feedback.rateConversation(OVERALL));
    await feedback.close();
  }
  return played;
}
