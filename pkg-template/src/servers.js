// What the package does on servers, and a bundled page leaves out.

import { attempt } from "./guard.js";
import { IdleSessions } from "./idle.js";
import { readBack } from "./reading.js";
import { filtered } from "./lists.js";
import { serverFetch } from "./server-fetch.js";

/** Set where the platform freezes a function once it has answered: on AWS Lambda, and on Google's Cloud Run and Cloud Functions. */
const FREEZING = ["AWS_LAMBDA_FUNCTION_NAME", "K_SERVICE"];

/**
 * Whether the platform freezes the process after a response until the next request.
 * @param {(name: string) => unknown} variable reads an environment variable
 * @returns {boolean}
 */
function freezesAfterAnswer(variable) {
  return filtered(FREEZING, (name) => attempt(() => variable(name))).length > 0;
}

export const ofServers = {
  readBack,
  serverFetch,
  freezesAfterAnswer,
  newIdleSessions: () => new IdleSessions(),
};
