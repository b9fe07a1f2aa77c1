// What the chat's log shows: questions, and answers with their rating and comment. Says what the
// visitor did through callbacks; sends nothing itself.

import { formatCost, formatValue } from "./format.js";

/** @typedef {import("./feedback.js").Rating} Rating */
/** @typedef {import("./feedback.js").Delivery} Delivery */

/** @template {Element} E @param {ParentNode} root @param {string} selector @param {new () => E} kind @returns {E} */
export function find(root, selector, kind) {
  const element = root.querySelector(selector);
  if (!(element instanceof kind)) throw new Error(`The page has no ${selector}.`);
  return element;
}

/** @param {string} template */
function fromTemplate(template) {
  const content = find(document, template, HTMLTemplateElement).content.cloneNode(true);
  return find(/** @type {DocumentFragment} */ (content), "article", HTMLElement);
}

/** @param {HTMLElement} log @param {string} text */
export function addQuestion(log, text) {
  const question = fromTemplate("#question-template");
  find(question, ".text", HTMLElement).textContent = text;
  log.append(question);
  log.scrollTop = log.scrollHeight;
}

/** @param {Delivery} delivery */
export const outcomeOf = (delivery) =>
  delivery.status === "delivered" ? "Thank you, stored." : `Not stored: ${delivery.message}`;

/**
 * @param {HTMLElement} log
 * @param {(number: number, rating: Rating) => Promise<Delivery>} onRate
 */
export function addAnswer(log, onRate) {
  const answer = fromTemplate("#answer-template");
  const text = find(answer, ".text", HTMLElement);
  const rating = find(answer, ".rating", HTMLElement);
  const comment = find(answer, ".comment", HTMLFormElement);
  const commentField = find(comment, "input", HTMLInputElement);
  const toggle = find(answer, ".comment-toggle", HTMLButtonElement);
  const outcome = find(answer, ".outcome", HTMLElement);
  const thumbs = [...answer.querySelectorAll(".thumb")];
  answer.classList.add("growing");
  log.append(answer);
  log.scrollTop = log.scrollHeight;

  /** @param {number} number @param {Rating} said */
  async function rate(number, said) {
    outcome.textContent = "Saving…";
    outcome.textContent = outcomeOf(await onRate(number, said));
  }

  return {
    /** @param {string} piece */
    grow(piece) {
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      text.append(piece);
      if (atEnd) log.scrollTop = log.scrollHeight;
    },

    /**
     * @param {{ number: number, variant: string, tokens?: number, costUsd?: number }} done
     * @param {Rating} [rated] As it is rated already.
     */
    finish({ number, variant, tokens, costUsd }, rated = {}) {
      answer.classList.remove("growing");
      rating.ariaLabel = `Rate answer ${number}`;
      const label = find(comment, "label", HTMLLabelElement);
      label.htmlFor = commentField.id = `comment-${number}`;
      label.textContent = `Comment on answer ${number}`;
      find(rating, ".used", HTMLElement).textContent = [
        `Variant ${variant}`,
        ...(tokens === undefined ? [] : [`${formatValue("tokens", tokens)} tokens`]),
        ...(costUsd === undefined ? [] : [formatCost(costUsd)]),
      ].join(" · ");
      commentField.value = rated.comment ?? "";
      for (const thumb of thumbs) {
        thumb.ariaPressed = String(thumb.getAttribute("data-thumb") === rated.thumb);
        thumb.addEventListener("click", () => {
          for (const other of thumbs) other.ariaPressed = String(other === thumb);
          void rate(number, { thumb: thumb.getAttribute("data-thumb") === "up" ? "up" : "down" });
        });
      }
      toggle.addEventListener("click", () => {
        comment.hidden = !comment.hidden;
        toggle.ariaExpanded = String(!comment.hidden);
        if (comment.hidden) return;
        comment.scrollIntoView({ block: "nearest" });
        commentField.focus({ preventScroll: true });
      });
      comment.addEventListener("submit", (event) => {
        event.preventDefault();
        comment.hidden = true;
        toggle.ariaExpanded = "false";
        toggle.focus();
        void rate(number, { comment: commentField.value.trim() });
      });
      rating.hidden = false;
      log.scrollTop = log.scrollHeight;
    },

    /** @param {string} message */
    fail(message) {
      answer.classList.remove("growing");
      answer.classList.add("failed");
      text.append(text.textContent ? ` … ${message}` : message);
    },
  };
}
