// The A/B experiment the chat runs: how a question is answered. Which variant a visitor gets
// depends on the visitor alone, so a returning one keeps it.

export const EXPERIMENT = "answer-tone";

const VARIANTS = /** @type {const} */ ([
  { variant: "A", prompt: "Answer in at most two plain sentences.", temperature: 0.2 },
  {
    variant: "B",
    prompt: "Answer warmly in at most three sentences and end with an offer to help further.",
    temperature: 0.8,
  },
]);

/** @param {string} visitorId @returns {{ variant: string, prompt: string, temperature: number }} */
export function variantFor(visitorId) {
  let sum = 0;
  for (const character of visitorId) sum += character.codePointAt(0) ?? 0;
  return VARIANTS[sum % VARIANTS.length];
}
