// The one shape in which the backend says no: {statusCode, message, success, errorCode}.
// Not for faults: those answer whatever their rule says.

/**
 * @typedef {object} ErrorBody
 * @property {number} statusCode the HTTP status again
 * @property {string} message for a person; names fields, never their values
 * @property {false} success
 * @property {string} errorCode stable, upper case
 */

/** A refusal, thrown anywhere below a route and turned into an answer in one place. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status, 400 to 599
   * @param {string} errorCode
   * @param {string} message
   */
  constructor(status, errorCode, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.errorCode = errorCode;
  }
}

/**
 * @param {number} statusCode
 * @param {string} errorCode
 * @param {string} message
 * @returns {ErrorBody}
 */
export function errorBody(statusCode, errorCode, message) {
  return { statusCode, message, success: false, errorCode };
}

/** @param {string} id */
export const noEvent = (id) => new ApiError(404, "EVENT_NOT_FOUND", `No event ${id}`);
