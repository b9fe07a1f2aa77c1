// SHA-1, of which the UUIDs of names are made (RFC 9562, section 5.5): WebCrypto's takes a promise.

/** A function of three words, and a constant, for every 20 steps. @type {[(b: number, c: number, d: number) => number, number][]} */
const ROUNDS = [
  [(b, c, d) => (b & c) | (~b & d), 0x5a827999],
  [(b, c, d) => b ^ c ^ d, 0x6ed9eba1],
  [(b, c, d) => (b & c) | (b & d) | (c & d), 0x8f1bbcdc],
  [(b, c, d) => b ^ c ^ d, 0xca62c1d6],
];

/**
 * @param {Uint8Array} message
 * @returns {string} in hexadecimal
 */
export function sha1(message) {
  // The message, one bit, and in the last eight bytes how many bits it has.
  const { length } = message;
  const padded = new DataView(new ArrayBuffer((((length + 8) >> 6) + 1) * 64));
  new Uint8Array(padded.buffer).set(message);
  padded.setUint8(length, 0x80);
  padded.setBigUint64(padded.byteLength - 8, BigInt(length) << 3n);

  let sum = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  for (let block = 0; block < padded.byteLength; block += 64) {
    /** @type {number[]} */
    const words = [];
    /** @type {any[]} */
    let [a, b, c, d, e] = sum;
    for (let step = 0; step < 80; step++) {
      const before = (/** @type {number} */ steps) => words[step - steps] ?? 0;
      words[step] =
        step < 16
          ? padded.getUint32(block + 4 * step)
          : rotated(before(3) ^ before(8) ^ before(14) ^ before(16), 1);
      const [mixed, constant] = /** @type {(typeof ROUNDS)[0]} */ (ROUNDS[Math.floor(step / 20)]);
      const next = (rotated(a, 5) + mixed(b, c, d) + e + constant + before(0)) | 0;
      [a, b, c, d, e] = [next, a, rotated(b, 30), c, d];
    }
    sum = [a, b, c, d, e].map((word, place) => (word + sum[place]) >>> 0);
  }
  return sum.map((word) => word.toString(16).padStart(8, "0")).join("");
}

/**
 * @param {number} word
 * @param {number} bits to the left
 */
function rotated(word, bits) {
  return (word << bits) | (word >>> (32 - bits));
}
