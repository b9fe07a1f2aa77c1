// Where running code stands. Types only; one implementation for each way a runtime can tell.

import type { Session } from "../session.js";

export interface Context {
  /** Makes the session the active one from here on. Must be called before anything is awaited. */
  enter(session: Session): void;
  /** Runs `fn` with the session active in it and in all that it awaits. Throws what `fn` throws. */
  run<T>(session: Session, fn: () => T): T;
  /** The session that a call means which names none, if exactly one can be meant. */
  here(): Session | undefined;
  /** How that session was entered, to be held against those of other copies of the package. */
  entered(): import("./entered.js").Entered;
  /** The session is open: until it is closed, a call that names none may mean it, if it is `ambient`. */
  opened(session: Session): void;
  closed(session: Session): void;
  /** The request scope in which a call made now for this session queues; 0 where there are none. */
  scope(session: Session | undefined): number;
  /** Keeps the scope's request alive until the promise settles. False where nothing can or needs to. */
  waitUntil(scope: number, promise: Promise<unknown>): boolean;
}
