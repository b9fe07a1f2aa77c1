// What the Worker is given by its configuration and by the runtime.

import type { Conversation } from "./conversation.js";

export interface Env {
  readonly HH_API_KEY: string;
  readonly HH_API_URL: string;
  /** Signs the tickets of pages. */
  readonly HH_RELAY_SECRET: string;
  readonly OPENAI_API_KEY: string;
  readonly OPENAI_BASE_URL: string;
  readonly OPENAI_MODEL: string;
  readonly CONVERSATIONS: {
    idFromName(name: string): unknown;
    get(id: unknown): Pick<Conversation, "load" | "begin" | "addMessages" | "addUsed">;
  };
  /** The page's files. */
  readonly ASSETS: { fetch(request: Request): Promise<Response> };
}

export interface ExecutionContext {
  waitUntil(promise: Promise<unknown>): void;
}
