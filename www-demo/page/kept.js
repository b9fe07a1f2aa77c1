// What of a conversation outlives a reload of the page, in this tab: which one it was, and how its answers were
// rated. The messages are the Worker's to know.

/** @typedef {import("./feedback.js").Rating} Rating */
/** @typedef {{ id: string, answers: Record<string, Rating> }} Kept answers by `answer_<number>` */

const NAME = "conversation";

/** @returns {Kept | undefined} */
export function keptConversation() {
  const text = sessionStorage.getItem(NAME);
  return text === null ? undefined : JSON.parse(text);
}

/** @param {string} id */
export function keepConversation(id) {
  if (keptConversation()?.id !== id) save({ id, answers: {} });
}

/** @param {number} number @param {Rating} rating */
export function keepRating(number, rating) {
  const kept = keptConversation();
  if (!kept) return;
  const name = `answer_${number}`;
  save({ ...kept, answers: { ...kept.answers, [name]: { ...kept.answers[name], ...rating } } });
}

export const forgetConversation = () => sessionStorage.removeItem(NAME);

/** @param {Kept} kept */
const save = (kept) => sessionStorage.setItem(NAME, JSON.stringify(kept));
