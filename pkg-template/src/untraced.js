// Keeps the package's own requests out of the traces of an application that uses OpenTelemetry. `@opentelemetry/api` 1.x
// registers the context manager on the global object, for all of its copies, and the SDK starts no span in a context with
// the key below: https://github.com/open-telemetry/opentelemetry-js, suppressTracing().

import { attempt, read } from "./guard.js";

const REGISTERED = Symbol.for("opentelemetry.js.api.1");
const SUPPRESS_TRACING = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/**
 * Calls `fetch` in a context in which OpenTelemetry traces nothing, if the application uses it.
 * @template T
 * @param {() => T} fetch
 * @returns {T} throws what `fetch` throws
 */
export function untraced(fetch) {
  const manager = read(read(globalThis, REGISTERED), "context");
  // Throwing and catching an error would take a tenth of the time of a request.
  if (!manager) return fetch();
  const inside = attempt(() => manager.active().setValue(SUPPRESS_TRACING, true));
  if (!inside) return fetch();
  /** @type {(() => T) | undefined} */
  let result;
  const make = () => {
    try {
      const value = fetch();
      result = () => value;
    } catch (error) {
      result = () => {
        throw error;
      };
    }
  };
  attempt(() => manager.with(inside, make));
  // A broken context manager may not have called the function.
  return result ? /** @type {() => T} */ (result)() : fetch();
}
