// What is said in the measurements: the kinds of things that applications say of a session.

const WORDS =
  "the model answered with a plan for three days in Lisbon and asked whether the hotel near the river is still free".split(
    " ",
  );

/** Prose with sentences, quotes and line breaks, as models write it. */
function prose(/** @type {number} */ bytes) {
  let text = "";
  for (let n = 0; text.length < bytes; n++) {
    text += WORDS[(n * 7) % WORDS.length];
    text += n % 60 === 59 ? ".\n\n" : n % 23 === 22 ? ', as "it" said, ' : " ";
  }
  return text.slice(0, bytes);
}

/** A conversation of messages of about 1 KB. */
function conversation(/** @type {number} */ bytes) {
  const messages = Array.from({ length: Math.max(1, Math.round(bytes / 1_000)) }, (_, n) => ({
    role: n % 2 ? "assistant" : "user",
    content: prose(Math.min(bytes, 1_000) - 100),
    tokens: 180 + n,
    at: 1_700_000_000_000 + n,
  }));
  return { messages };
}

/** Strings that were put together are ropes until somebody reads them: these have been read. */
const flat = (/** @type {any} */ value) => JSON.parse(JSON.stringify(value));

export const small = flat({
  plan: "pro",
  user: { id: "user_123", tags: ["beta", "eu"] },
  variant: "b",
  seen: true,
  cost: 0.0042,
});

const nested = flat({
  user: { id: "user_123", plan: "pro", tags: ["beta", "eu"], seen: 1_700_000_000_000 },
  retrieval: {
    index: "docs-2026",
    hits: Array.from({ length: 8 }, (_, n) => ({
      id: `doc_${n}`,
      score: 0.91 - n / 50,
      title: "A page of the manual",
    })),
  },
  steps: Array.from({ length: 6 }, (_, n) => ({
    name: `step ${n}`,
    ms: n * 17.5,
    ok: n !== 4,
    retries: { count: n % 2, reason: null },
  })),
});

/** The payloads of the comparison, by the names they have in its tables. @type {Record<string, object>} */
export const payloads = {
  "100 B": small,
  "1 KB": nested,
  "16 KB": flat({ answer: prose(16_000) }),
  "100 KB": flat(conversation(100_000)),
};

/** One of any size. */
export const sized = (/** @type {number} */ bytes) => flat(conversation(bytes));
