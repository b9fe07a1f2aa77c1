// One small chat page for every bundler: what a site's own would be, with nothing but the package in it.

import { initTracer } from "honeyhive-edge";

/** @param {Document} document that has the page's body */
export async function chat(document) {
  const { sessionId, ticket } = await (await fetch("/ticket")).json();
  const tracer = await initTracer({ serverUrl: "/honeyhive", ticket });
  const log = document.createElement("ol");
  const question = document.createElement("input");
  const ask = document.createElement("button");
  question.ariaLabel = "Question";
  ask.textContent = "Ask";
  document.body.append(log, question, ask);
  document.body.dataset["session"] = sessionId;
  let answers = 0;

  ask.addEventListener("click", () => {
    const number = ++answers;
    const answer = document.createElement("li");
    answer.textContent = `You said: ${question.value}. `;
    question.value = "";
    const outcome = document.createElement("output");
    for (const thumb of ["up", "down"]) {
      const button = document.createElement("button");
      button.textContent = `Thumb ${thumb} for ${number}`;
      button.addEventListener("click", async () => {
        const delivery = await tracer.enrichSession({ feedback: { [`answer_${number}`]: thumb } });
        outcome.textContent = delivery.status;
      });
      answer.append(button);
    }
    answer.append(outcome);
    log.append(answer);
  });
}
