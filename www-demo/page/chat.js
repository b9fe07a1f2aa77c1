// The page's side of the chat: one message in, the Worker's events out. No DOM, so that the scripted
// conversation (script.mjs) talks to the Worker in just this way.

/** @typedef {import("../worker/events.js").ChatEvent} ChatEvent */
/** @typedef {{ id: string, locale: string, device: string }} Visitor */

/**
 * @param {string} origin
 * @param {{ message: string, conversation?: string, visitor: Visitor }} turn
 * @returns {AsyncGenerator<ChatEvent>}
 */
export async function* sendMessage(origin, turn) {
  const answer = await post(`${origin}/api/chat`, turn);
  if (!answer.body) throw new Error("The chat's answer is empty.");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (unread + value).split("\n\n");
    unread = events.pop() ?? "";
    for (const event of events) yield JSON.parse(event.slice("data: ".length));
  }
}

/**
 * @param {string} origin
 * @param {string} conversation
 * @returns {Promise<{ fields: Record<string, unknown>, delivery: import("honeyhive-edge").Delivery }>}
 */
export async function endConversation(origin, conversation) {
  return (await post(`${origin}/api/end`, { conversation })).json();
}

/**
 * @typedef {object} Resumed
 * @property {string} sessionId
 * @property {string} ticket
 * @property {string} variant
 * @property {string} model
 * @property {(import("../worker/model.js").Message & { event?: import("../worker/events.js").AnswerEvent })[]} messages
 * @property {Record<string, number>} totals
 * @property {boolean} ended
 */

/**
 * @param {string} origin
 * @param {string} conversation
 * @returns {Promise<Resumed>} Rejects if there is no such conversation.
 */
export async function resumeConversation(origin, conversation) {
  return (await post(`${origin}/api/conversation`, { conversation })).json();
}

/** @param {string} url @param {object} body */
async function post(url, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.ok) return answer;
  const { message } = await answer.json().catch(() => ({}));
  throw new Error(message ?? `The chat answered with status ${answer.status}.`);
}
