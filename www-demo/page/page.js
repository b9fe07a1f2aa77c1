// The chat page: ties the composer, the log, the session panel and the visitor's feedback together.

import { endConversation, resumeConversation, sendMessage } from "./chat.js";
import { openFeedback } from "./feedback.js";
import { forgetConversation, keepConversation, keepRating, keptConversation } from "./kept.js";
import { addAnswer, addQuestion, find, outcomeOf } from "./messages.js";
import { sessionPanel } from "./session-panel.js";

/** @typedef {import("./session-panel.js").Mark} Mark */
/** @typedef {Awaited<ReturnType<typeof openFeedback>>} Feedback */

const log = find(document, "#log", HTMLElement);
const welcome = find(document, "#welcome", HTMLElement);
const composer = find(document, "#composer", HTMLFormElement);
const field = find(composer, "#message", HTMLTextAreaElement);
const send = find(composer, "#send", HTMLButtonElement);
const end = find(document, "#end", HTMLButtonElement);
const farewell = find(document, "#farewell", HTMLFormElement);
const farewellOutcome = find(farewell, ".outcome", HTMLElement);
const panel = sessionPanel();

/** @typedef {{ id: string, ticket: string, feedback?: Promise<Feedback> }} Conversation */

/** @type {Conversation | undefined} */
let conversation;

/** The answers' events, by the answers' numbers. @type {Map<number, import("./feedback.js").AnswerEvent>} */
const events = new Map();

const visitor = {
  id: visitorId(),
  locale: navigator.language,
  device: matchMedia("(max-width: 40rem)").matches ? "phone" : "desktop",
};

function visitorId() {
  const kept = localStorage.getItem("visitor");
  if (kept) return kept;
  const made = `visitor-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
  localStorage.setItem("visitor", made);
  return made;
}

/** @param {boolean} busy */
function setBusy(busy) {
  send.disabled = busy;
  end.disabled = busy || !conversation;
  // A screen reader then reads the answer once it is whole, not word by word.
  log.ariaBusy = String(busy);
}

/** Opened with the first rating. @param {Conversation} rated */
function feedbackOf(rated) {
  rated.feedback ??= openFeedback(rated.ticket, {
    answers: keptConversation()?.answers ?? {},
    onEnriched(fields, delivery) {
      const mark = panel.add("This page", fields);
      void delivery.then((result) =>
        result.status === "delivered" ? mark.stored() : mark.lost(result.message),
      );
    },
  });
  return rated.feedback;
}

/** @param {string} message */
async function ask(message) {
  setBusy(true);
  welcome.hidden = true;
  addQuestion(log, message);
  const answer = addAnswer(log, async (number, rating) => {
    // Not before the Worker is done: a session that the page started would have no inputs.
    await turn;
    return rate(number, rating);
  });
  const turn = follow(answer, message).catch((error) => {
    answer.fail(sentence(error));
    setBusy(false);
  });
  await turn;
}

/** @param {number} number @param {import("./feedback.js").Rating} rating */
async function rate(number, rating) {
  if (!conversation) throw new Error("An answer is rated before its conversation began.");
  const feedback = await feedbackOf(conversation);
  const delivery = feedback.rateAnswer(number, rating, events.get(number));
  keepRating(number, rating);
  return delivery;
}

/** Shows what the Worker says until it has said all. @param {ReturnType<typeof addAnswer>} answer @param {string} message */
async function follow(answer, message) {
  /** @type {Mark[]} */
  const marks = [];
  let isOver = false;
  for await (const event of sendMessage("", { message, conversation: conversation?.id, visitor })) {
    switch (event.type) {
      case "session":
        panel.begin(event);
        conversation ??= { id: event.sessionId, ticket: event.ticket };
        keepConversation(event.sessionId);
        break;
      case "enriched":
        marks.push(panel.add("Worker", event.fields));
        break;
      case "counted":
        panel.count(event.metrics);
        marks.push(panel.add("Worker", { metrics: event.metrics }, "+"));
        break;
      case "text":
        answer.grow(event.text);
        break;
      case "answer":
        events.set(event.number, event.event);
        answer.finish(event);
        isOver = true;
        setBusy(false);
        break;
      case "failed":
        answer.fail(event.message);
        isOver = true;
        setBusy(false);
        break;
      case "stored":
        for (const mark of marks) {
          if (event.dropped === 0 && event.pending === 0) mark.stored();
          else mark.lost(`${event.dropped} given up, ${event.pending} unsent in this turn`);
        }
    }
  }
  if (!isOver) throw new Error("The answer broke off. Please try again.");
}

/** @param {unknown} error */
const sentence = (error) => (error instanceof Error ? error.message : String(error));

function submit() {
  const message = field.value.trim();
  if (!message || send.disabled) return;
  field.value = "";
  void ask(message);
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});

field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});

for (const suggestion of welcome.querySelectorAll("button")) {
  suggestion.addEventListener("click", () => {
    field.focus();
    void ask(suggestion.textContent ?? "");
  });
}

end.addEventListener("click", async () => {
  if (!conversation) return;
  setBusy(true);
  end.disabled = true;
  try {
    const { fields, delivery } = await endConversation("", conversation.id);
    const mark = panel.add("Worker", fields);
    if (delivery.status === "delivered") mark.stored();
    else mark.lost(delivery.message);
    sayFarewell();
    find(farewell, "input", HTMLInputElement).focus();
  } catch (error) {
    addAnswer(log, () => Promise.reject(error)).fail(sentence(error));
    setBusy(false);
  }
});

function sayFarewell() {
  composer.hidden = true;
  farewell.hidden = false;
  end.disabled = true;
  log.scrollTop = log.scrollHeight;
}

farewell.addEventListener("change", async () => {
  const rating = Number(new FormData(farewell).get("rating"));
  if (!conversation || !rating) return;
  farewellOutcome.textContent = "Saving…";
  farewellOutcome.textContent = outcomeOf(
    await (await feedbackOf(conversation)).rateConversation(rating),
  );
});

find(farewell, "#again", HTMLButtonElement).addEventListener("click", () => {
  void conversation?.feedback?.then((feedback) => feedback.close());
  conversation = undefined;
  events.clear();
  forgetConversation();
  farewell.reset();
  farewellOutcome.textContent = "";
  farewell.hidden = true;
  composer.hidden = false;
  for (const message of log.querySelectorAll("article")) message.remove();
  welcome.hidden = false;
  panel.clear();
  setBusy(false);
  field.focus();
});

/** Takes the conversation up again that this tab was in before it was loaded anew. */
async function resume() {
  const kept = keptConversation();
  if (!kept) return;
  setBusy(true);
  try {
    const resumed = await resumeConversation("", kept.id);
    const { sessionId: id, ticket, variant, totals, messages } = resumed;
    conversation = { id, ticket };
    welcome.hidden = true;
    panel.begin(resumed);
    panel.count(totals);
    let number = 0;
    for (const { role, content, event } of messages) {
      if (role === "user") addQuestion(log, content);
      else {
        number += 1;
        if (event) events.set(number, event);
        const answer = addAnswer(log, rate);
        answer.grow(content);
        answer.finish({ number, variant }, kept.answers[`answer_${number}`]);
      }
    }
    if (resumed.ended) sayFarewell();
  } catch {
    // The Worker knows of no such conversation any more: a new one begins.
    forgetConversation();
  }
  setBusy(false);
  if (!farewell.hidden) end.disabled = true;
}

void resume();
