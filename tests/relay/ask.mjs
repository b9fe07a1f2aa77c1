// Requests as nobody's browser would send them: any path to the letter, any header, a body in any
// pieces. `fetch` corrects too much.

import { request } from "node:http";

/**
 * @typedef {object} Asked
 * @property {string} method
 * @property {string} path as it is put on the wire
 * @property {Record<string, string | string[]>} [headers]
 * @property {string | Uint8Array} [body] with its length announced
 * @property {(string | Uint8Array)[]} [chunks] a body whose length is not
 * @property {boolean} [stall] whether the body's end never comes
 *
 * @typedef {object} Answer
 * @property {number} status
 * @property {Record<string, any>} headers
 * @property {string} text
 * @property {any} json undefined where it is none
 */

/**
 * @param {string} url of the server
 * @param {Asked} asked
 * @returns {Promise<Answer>}
 */
export function ask(url, { method, path, headers = {}, body, chunks, stall = false }) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const sent = request(
      { hostname, port, method, path, headers: { ...length, ...headers }, timeout: 30_000 },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part) => (text += part));
        response.on("end", () => {
          sent.destroy();
          const { statusCode: status = 0 } = response;
          resolve({ status, headers: response.headers, text, json: parsed(text) });
        });
        response.on("error", reject);
      },
    );
    // Who refuses a body halfway may close the connection once it has answered.
    sent.on("error", reject);
    sent.on("timeout", () => sent.destroy(new Error(`no answer to ${method} ${path}`)));
    for (const chunk of chunks ?? (body === undefined ? [] : [body])) sent.write(chunk);
    if (!stall) sent.end();
  });
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
