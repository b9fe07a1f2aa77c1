// Reads a request's body within its limit, and says why a route cannot take it.

import { ApiError } from "./errors.js";

/**
 * @typedef {object} Body
 * @property {string} text empty where it was too large to keep
 * @property {number} bytes as announced or, without that, as read
 * @property {unknown} json undefined where it is none
 * @property {ApiError} [problem] why no route takes it
 */

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json *(?:; *charset *= *"?utf-8"? *)?$/i;

/**
 * @param {Request} request
 * @param {number} most bytes
 * @returns {Promise<Body>} rejects if the client leaves while sending
 */
export async function readBody(request, most) {
  if (request.method === "GET" || request.method === "HEAD") {
    return { text: "", bytes: 0, json: undefined };
  }
  const announced = request.headers.get("content-length");
  const isToFit = announced !== null && Number(announced) <= most;
  const buffer = await (isToFit ? request.arrayBuffer() : readUpTo(request, most));
  if (buffer === null) return tooLarge(Number(announced ?? most), most);
  const bytes = buffer.byteLength;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(buffer);
    return { text, bytes, json: parsed(text) };
  } catch {
    const problem = new ApiError(400, "BAD_REQUEST", "body is not valid UTF-8");
    return { text: new TextDecoder().decode(buffer), bytes, json: undefined, problem };
  }
}

/**
 * @param {Body} body
 * @param {{contentType: string, contentEncoding: string}} headers "" where there is none
 * @returns {unknown} what the body says in JSON
 */
export function jsonOf({ problem, bytes, json }, { contentType, contentEncoding }) {
  if (problem) throw problem;
  if (bytes === 0) throw new ApiError(400, "BAD_REQUEST", "body is missing");
  if (!JSON_TYPE.test(contentType)) {
    throw new ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "content-type must be application/json");
  }
  if (!/^(?:identity)?$/i.test(contentEncoding)) {
    throw new ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "content-encoding is not supported");
  }
  if (json === undefined) throw new ApiError(400, "BAD_REQUEST", "body is not valid JSON");
  return json;
}

/**
 * @param {string} text
 * @returns {unknown} undefined where it is no JSON
 */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {number} bytes
 * @param {number} most
 * @returns {Body}
 */
function tooLarge(bytes, most) {
  const problem = new ApiError(413, "PAYLOAD_TOO_LARGE", `body is over ${most} bytes`);
  return { text: "", bytes, json: undefined, problem };
}

/**
 * For a body that is too large, or whose length was not announced. What is over the limit is read as well, up to as much
 * again: a client that is still sending may lose its connection before it reads the answer.
 * @param {Request} request
 * @param {number} most bytes
 * @returns {Promise<ArrayBuffer | null>} null if there is more
 */
async function readUpTo(request, most) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const chunks = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) return length > most ? null : new Blob(chunks).arrayBuffer();
    length += value.byteLength;
    if (length <= most) chunks.push(value);
    if (length > 2 * most) {
      await reader?.cancel();
      return null;
    }
  }
}
