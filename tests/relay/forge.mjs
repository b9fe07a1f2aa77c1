// Tickets made by hand, with Node's own HMAC: right ones, so that the format is held to its
// description by somebody else, and wrong ones that issueTicket() would never give.

import { createHmac, randomUUID } from "node:crypto";

export const SECRETS = {
  current: "current-secret-8c1f5e0b7a94d263f0",
  old: "old-secret-51d7c9e2b84f06a3-7e1b90",
  foreign: "foreign-secret-0d3a6f92c5b81e47-a4",
};

/** In the shape of a real one, so that a leak is found by searching for it. */
export const API_KEY = "hh_relay_7f4b0c92e1d65a38";

export const nowSeconds = () => Math.floor(Date.now() / 1000);

/**
 * @param {object} [what]
 * @param {string} [what.prefix]
 * @param {string} [what.session]
 * @param {string} [what.fields] with ~ between them
 * @param {number | string} [what.expires] Unix seconds
 * @param {string} [what.secret]
 */
export function forge({
  prefix = "hht1",
  session = randomUUID(),
  fields = "feedback",
  expires = nowSeconds() + 3600,
  secret = SECRETS.current,
} = {}) {
  const claims = `${prefix}.${session}.${fields}.${expires}`;
  return `${claims}.${createHmac("sha256", secret).update(claims).digest("base64url")}`;
}
