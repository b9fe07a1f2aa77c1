// What the Worker is given by its configuration and by the runtime. What is optional may be left unset:
// HoneyHive's own server, the built-in model, and no queue then.

import type { Conversation } from "./conversation.js";

export interface Env {
  readonly HH_API_KEY?: string;
  readonly HH_API_URL?: string;
  /** Signs the tickets of pages. */
  readonly HH_RELAY_SECRET?: string;
  readonly OPENAI_API_KEY?: string;
  readonly OPENAI_BASE_URL?: string;
  readonly OPENAI_MODEL?: string;
  /** What pages say goes through it. */
  readonly ENRICHMENTS?: { send(message: string): Promise<unknown> };
  readonly CONVERSATIONS: {
    idFromName(name: string): unknown;
    get(id: unknown): Pick<Conversation, "load" | "begin" | "addMessages" | "addUsed" | "end">;
  };
  /** The page's files. */
  readonly ASSETS: { fetch(request: Request): Promise<Response> };
}

export interface ExecutionContext {
  waitUntil(promise: Promise<unknown>): void;
}
