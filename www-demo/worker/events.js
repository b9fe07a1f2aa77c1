// What the Worker tells the page while it answers: server-sent events, one JSON object each.
// The page's reader is page/chat.js.

/** The event that an answer is in HoneyHive, and the ticket to rate it with. @typedef {{ eventId: string, ticket: string }} AnswerEvent */

/**
 * `why` is what was said of the first enrichment that was dropped.
 * @typedef {{ type: "session", sessionId: string, ticket: string, variant: string, model: string }
 *   | { type: "enriched", fields: Record<string, unknown> }
 *   | { type: "counted", metrics: Record<string, number> }
 *   | { type: "text", text: string }
 *   | { type: "answer", number: number, tokens: number, costUsd: number, variant: string, event: AnswerEvent }
 *   | { type: "failed", message: string }
 *   | { type: "stored", delivered: number, dropped: number, pending: number, why?: string }} ChatEvent
 */

/** A visitor who leaves in the middle of an answer closes the stream; the turn goes on without. */
const ignore = () => {};

/** @returns {{ body: ReadableStream<Uint8Array>, send: (event: ChatEvent) => void, end: () => void }} */
export function eventStream() {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  return {
    body: readable,
    send(event) {
      writer.write(encoder.encode(`data: ${JSON.stringify(event)}\n\n`)).catch(ignore);
    },
    end() {
      writer.close().catch(ignore);
    },
  };
}
