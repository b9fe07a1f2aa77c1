// The context in Node, Deno, Bun and Vercel's edge, where AsyncLocalStorage follows the code across awaits, timers and
// streams.

import { attempt } from "../guard.js";
import { enterLazily } from "../thenables.js";
import { Ambient } from "./ambient.js";
import { numberEntered } from "./entered.js";
import { Scopes } from "./scopes.js";

/** @import { Session } from "../session.js" */

/**
 * The innermost run, and the session last initialised in this async context. A run counts first.
 * @typedef {{ run?: Session | undefined, runNumber?: number, init?: Session | undefined, initNumber?: number }} Frame
 */

/**
 * Looks the class up without an import, because bundlers for browsers refuse to resolve `node:async_hooks`.
 * @returns {(new () => any) | undefined}
 */
export function asyncLocalStorage() {
  const { AsyncLocalStorage, process } = /** @type {any} */ (globalThis);
  if (AsyncLocalStorage) return AsyncLocalStorage;
  return attempt(() => process.getBuiltinModule("node:async_hooks").AsyncLocalStorage);
}

/**
 * @param {new () => any} AsyncLocalStorage
 * @returns {import("./context.d.ts").Context}
 */
export function alsContext(AsyncLocalStorage) {
  const storage = new AsyncLocalStorage();
  const ambient = new Ambient();
  const scopes = new Scopes();
  /** @type {WeakMap<object, import("./scopes.js").WaitUntilScope>} */
  const requests = new WeakMap();

  /** @returns {Frame} */
  const frame = () => storage.getStore() ?? {};

  return {
    enter(session) {
      // Some runtimes have `enterWith` and throw from it. A call there can still use the only open tracer.
      const initNumber = numberEntered();
      attempt(() => storage.enterWith({ ...frame(), init: session, initNumber }));
    },
    run(session, fn) {
      const runNumber = numberEntered();
      const enter = (/** @type {() => any} */ part) =>
        storage.run({ ...frame(), run: session, runNumber }, part);
      return enterLazily(enter(fn), enter);
    },
    here() {
      const { run, init } = frame();
      return run ?? init ?? ambient.only();
    },
    entered() {
      const { run, runNumber = 0, init, initNumber = 0 } = frame();
      if (run) return { by: 2, number: runNumber };
      return init ? { by: 1, number: initNumber } : { by: 0, number: 0 };
    },
    scope(session) {
      const own = session && scopes.of(session);
      const request = own ? undefined : vercelRequest();
      if (!request) return own?.id ?? 0;
      let scope = requests.get(request);
      if (!scope) {
        scope = scopes.add((promise) => request.waitUntil(promise));
        requests.set(request, scope);
      }
      return scope.id;
    },
    waitUntil: (scope, promise) => scopes.waitUntil(scope, promise),
    opened: (session) => ambient.opened(session),
    closed: (session) => ambient.closed(session),
  };
}

/**
 * The request that is being served, on Vercel and in Next.js, which put it on the global object.
 * https://github.com/vercel/vercel/tree/main/packages/functions
 * @returns {{ waitUntil(promise: Promise<unknown>): void } | undefined}
 */
function vercelRequest() {
  const context = /** @type {any} */ (globalThis)[Symbol.for("@vercel/request-context")];
  if (!context) return undefined;
  const request = attempt(() => context.get());
  return typeof request?.waitUntil === "function" ? request : undefined;
}
