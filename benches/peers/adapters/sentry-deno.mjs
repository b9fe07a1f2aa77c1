import * as Sentry from "@sentry/deno";
import { adapterOf, dsn } from "./sentry.mjs";

export function setup({ url }) {
  Sentry.init({ dsn: dsn(url) });
  return adapterOf(Sentry);
}
