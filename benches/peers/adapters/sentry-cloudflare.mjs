import * as Sentry from "@sentry/cloudflare";
import { adapterOf, dsn } from "./sentry.mjs";

/** What Sentry wants to be around a Worker's handler. */
export function around(handler) {
  return Sentry.withSentry((env) => ({ dsn: dsn(env.URL) }), handler);
}

export const setup = () => adapterOf(Sentry);
