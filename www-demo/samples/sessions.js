// Made-up sessions of the honey shop's chat, as the demo's Worker would have them: the same fields, two weeks
// of visitors, an experiment that shows. The same number always makes the same sessions, but for their ids.

import { randomLcg, randomLogNormal } from "d3-random";

const DAY_MS = 86_400_000;
const DAYS = 14;

const LOCALES = ["en-GB", "en-US", "de-DE", "de-AT", "fr-FR", "es-ES", "nl-NL"];
const PLANS = ["guest", "guest", "guest", "member", "member", "wholesale"];
const MODEL = "gpt-4o-mini";

/** How each variant of the experiment does: B says more, takes longer, costs more, and is liked better. */
const VARIANTS = {
  A: {
    prompt: "Answer in at most two plain sentences.",
    temperature: 0.2,
    words: 42,
    ms: 780,
    liked: 0.62,
  },
  B: {
    prompt: "Answer warmly in at most three sentences and end with an offer to help further.",
    temperature: 0.8,
    words: 61,
    ms: 1040,
    liked: 0.78,
  },
};

const TALK = [
  {
    topic: "storage",
    questions: [
      "My honey has crystallised. Is it spoiled?",
      "How long does an open jar keep?",
      "May honey stand in the sun?",
      "Is white foam on honey a bad sign?",
    ],
    answer:
      "Crystallised honey is not spoiled. Stand the closed jar in warm water of at most 40 °C until it is clear.",
  },
  {
    topic: "shipping",
    questions: [
      "What does it cost to ship two jars to Austria?",
      "When will my order arrive?",
      "Do you deliver abroad?",
      "Can I have the parcel sent to a neighbour?",
    ],
    answer:
      "Two jars travel in one padded parcel. Within the EU it takes three to five days and costs €9.80.",
  },
  {
    topic: "taste",
    questions: [
      "Which honey is mild?",
      "What goes well with strong cheese?",
      "Which one tastes least sweet?",
      "Do you have something with a hint of mint?",
    ],
    answer:
      "Acacia is the mildest and stays liquid; forest honey is dark, malty and the least sweet.",
  },
  {
    topic: "beekeeping",
    questions: [
      "What do I need for a first hive?",
      "My bees are about to swarm. What now?",
      "When is the best time to start?",
      "How many frames does a box hold?",
    ],
    answer: "For a first hive you need ten frames, a smoker, a hive tool and a calm colony in May.",
  },
];

const PRAISE = ["Just what I needed.", "Quick and clear.", "Lovely, thank you!", "That helped."];
const BLAME = [
  "That was not my question.",
  "Too long for me.",
  "I had hoped for a price.",
  "I still do not know.",
];
const ERRORS = [
  { type: "RateLimitError", message: "429 Rate limit reached for gpt-4o-mini" },
  { type: "APIConnectionTimeoutError", message: "Request timed out." },
];

/**
 * @typedef {object} SampleTurn
 * @property {string} question
 * @property {string} answer
 * @property {string} topic
 * @property {Record<string, number>} used what addMetrics is given
 * @property {{first_word_ms: number, answer_ms: number}} took
 * @property {{thumb: "up" | "down", comment?: string}} [rating]
 */

/**
 * @typedef {object} SampleSession
 * @property {"A" | "B"} variant
 * @property {{model: string, temperature: number, prompt: string}} config
 * @property {Record<string, string>} visitor user properties
 * @property {SampleTurn[]} turns at least one
 * @property {{type: string, message: string}} [error] what the last turn failed with
 * @property {number} [rating] 1 to 5
 * @property {boolean} isEnded
 * @property {number} endTime Unix milliseconds
 * @property {number} duration milliseconds
 */

/**
 * @param {number} count
 * @param {number} now Unix milliseconds: the newest is about as old
 * @returns {Generator<SampleSession>} oldest first
 */
export function* sampleSessions(count, now) {
  const random = randomLcg(0.42);
  const spread = randomLogNormal.source(random)(0, 0.35);
  /** @template T @param {readonly T[]} from @returns {T} */
  const one = (from) => /** @type {T} */ (from[Math.floor(random() * from.length)]);
  const chance = (/** @type {number} */ share) => random() < share;

  for (let index = 0; index < count; index += 1) {
    const age = 1 - (index + random()) / count;
    // Fewer at night than by day.
    const day = age * DAYS;
    const startedAt = now - (day + 0.12 * Math.sin(day * 2 * Math.PI)) * DAY_MS - 600_000;
    const variant = chance(0.5) ? "A" : "B";
    const { prompt, temperature, words, ms, liked } = VARIANTS[variant];
    // A better prompt for B came after the first week.
    const likes = liked + (variant === "B" && age < 0.5 ? 0.12 : 0) + (random() - 0.5) * 0.2;
    const talk = one(TALK);
    const turns = Array.from({ length: 1 + Math.floor(random() * random() * 5) }, () => {
      const prompt_tokens = Math.round(90 * spread());
      const completion_tokens = Math.round(words * 1.3 * spread());
      const answer_ms = Math.round(ms * spread() + completion_tokens * 6);
      return {
        question: one(talk.questions),
        answer: talk.answer,
        topic: talk.topic,
        used: {
          model_calls: 2,
          prompt_tokens,
          completion_tokens,
          total_tokens: prompt_tokens + completion_tokens,
          cost_usd: (prompt_tokens * 0.15 + completion_tokens * 0.6) / 1_000_000,
        },
        took: { first_word_ms: Math.round(answer_ms * 0.3), answer_ms },
        ...(chance(0.45) ? { rating: thumb(chance(likes)) } : {}),
      };
    });
    const isRated = chance(0.55);
    const stars = Math.min(5, Math.max(1, Math.round(likes * 5 + (random() - 0.4) * 2)));
    yield {
      variant,
      config: { model: MODEL, temperature, prompt },
      visitor: {
        user_id: `visitor-${Math.floor(random() * count * 0.7).toString(36)}`,
        locale: one(LOCALES),
        device: chance(0.6) ? "phone" : "desktop",
        plan: one(PLANS),
      },
      turns,
      ...(chance(0.035) ? { error: one(ERRORS) } : {}),
      ...(isRated ? { rating: stars } : {}),
      isEnded: isRated || chance(0.5),
      endTime: Math.round(startedAt + turns.length * 30_000 * spread()),
      duration: Math.round(turns.length * 30_000 * spread()),
    };
  }

  /** @param {boolean} isUp @returns {{thumb: "up" | "down", comment?: string}} */
  function thumb(isUp) {
    const said = chance(0.3) ? { comment: one(isUp ? PRAISE : BLAME) } : {};
    return { thumb: isUp ? "up" : "down", ...said };
  }
}
