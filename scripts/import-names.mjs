// wasm-bindgen ends the name of each import in a hash. A page would load each hash twice, in the module of WebAssembly and
// in its glue, and hashes cannot be compressed.

const HEADER_LENGTH = 8;
const IMPORTS = 2;
const FUNCTION = 0;

/**
 * Gives the imports short names: https://webassembly.github.io/spec/core/binary/modules.html
 * @param {Uint8Array} wasm
 * @param {string} glue of wasm-bindgen
 * @returns {{ wasm: Uint8Array, glue: string }}
 */
export function withShortNames(wasm, glue) {
  let at = HEADER_LENGTH;
  const byte = () => Number(wasm[at++]);
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const part = byte();
      value |= (part & 0x7f) << shift;
      if (part < 0x80) return value;
    }
  };
  const text = () => {
    const length = number();
    at += length;
    return Buffer.from(wasm.subarray(at - length, at)).toString();
  };
  for (;;) {
    const start = at;
    const id = byte();
    const size = number();
    const end = at + size;
    if (id !== IMPORTS) {
      at = end;
      continue;
    }
    const count = number();
    const content = [...encoded(count)];
    for (let i = 0; i < count; i++) {
      const module = text();
      const name = text();
      const short = /_[0-9a-f]{16}$/.test(name) ? `i${i}` : name;
      if (byte() !== FUNCTION) throw new Error(`${name} is no function`);
      content.push(...encodedText(module), ...encodedText(short), FUNCTION, ...encoded(number()));
      glue = glue.replaceAll(name, short);
    }
    const section = [IMPORTS, ...encoded(content.length), ...content];
    return {
      wasm: Buffer.concat([wasm.subarray(0, start), Uint8Array.from(section), wasm.subarray(end)]),
      glue,
    };
  }
}

/** @param {number} value @returns {number[]} as LEB128 */
function encoded(value) {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...encoded(value >>> 7)];
}

/** @param {string} text */
function encodedText(text) {
  const bytes = Buffer.from(text);
  return [...encoded(bytes.length), ...bytes];
}
