// Turns wasm-bindgen's glue (`--target web`) into a module that exports `createCore`, which makes as many
// instances as are asked for; see CreateCore in pkg-template/src/core.d.ts.
//
// The glue as it comes holds one instance for the life of the module, fetches its wasm itself, and lets a
// trap out as an exception wherever it happens: in a call, a microtask, a timer. The face does its own
// loading, needs a fresh instance when one has died, and may let no exception out. wasm-bindgen's version
// is pinned, and every pattern that is rewritten here must be there: glue of another shape is an error.

/**
 * Encodes a string right where the core reads it: into a byte for each character, which is all of it where it is
 * ASCII, and then the rest. wasm-bindgen's own copies ASCII character by character, or encodes elsewhere and copies
 * that: from some hundred characters on either takes two to ten times as long.
 */
const PASS_STRING = `
function passStringToWasm0(arg, malloc = wasm.__wbindgen_malloc, realloc = wasm.__wbindgen_realloc) {
  let room = arg.length;
  let ptr = malloc(room, 1) >>> 0;
  let length = 0;
  for (;;) {
    const free = getUint8ArrayMemory0().subarray(ptr + length, ptr + room);
    const { read, written } = cachedTextEncoder.encodeInto(arg, free);
    if (written === undefined) throw new Error("TextEncoder is broken");
    length += written;
    if (read === arg.length) break;
    arg = arg.slice(read);
    const more = length + 3 * arg.length;
    ptr = realloc(ptr, room, more, 1) >>> 0;
    room = more;
  }
  if (length < room) ptr = realloc(ptr, room, length, 1) >>> 0;
  WASM_VECTOR_LEN = length;
  return ptr;
}
`;

/**
 * A browser ends the script of a page that goes away at any instruction, and no `catch` or `finally` runs. A host
 * that says whether the instance is at work (`isInside`) gets to know that by the next call.
 */
const WATCHING = `
    const isInside = host?.isInside;`;
const WATCHED = `
      if (isInside) throw "cut off";
      if (isInside === false) host.isInside = true;`;
const LEFT = ` finally {
      if (isInside === false) host.isInside = false;
    }`;

/**
 * @param {string} glue
 * @param {string[]} exports what the instance is to have of the module's exports
 * @param {Names} [names] the short names of the module's imports and exports, if wasm-opt has given it any
 * @returns {string} the source of an ES module
 */
export function coreFactory(glue, exports, names) {
  const loading = glue.search(/^async function __wbg_load\(/m);
  must(loading > 0, "no __wbg_load to cut at");
  must(
    /^export \{ initSync, __wbg_init as default \};\s*$/m.test(glue.slice(loading)),
    "another ending",
  );
  let body = glue.slice(0, loading).replace(/^\/\* @ts-self-types=.*\n/, "");
  must(body.includes("function __wbg_get_imports()"), "no __wbg_get_imports");
  must(body.includes("function __wbg_finalize_init(instance, module) {"), "no finalize_init");
  must(!/import\.meta|(?<![.\w])fetch\(/.test(body), "it loads something itself");
  must(!/^import\b/m.test(body), "it imports something");

  // The host of an instance is what its glue calls by that name.
  const hasHost = /(?<![.\w])host\./.test(body);
  if (hasHost) must(!/\b(?:let|const|var) host\b/.test(body), "it has a host of its own");
  const exported = [...body.matchAll(/^export function (\w+)/gm)].map((match) => match[1]);
  for (const name of exports) must(exported.includes(name), `the core exports no ${name}`);
  body = body.replace(/^export /gm, "");

  // A closure of the core's, called by the runtime.
  const closures = count(body, /^function make(?:Mut)?Closure\(/gm);
  const calls = "return f(a, state.b, ...args);";
  must(count(body, calls) === closures, "closures of another shape");
  body = body.replaceAll(calls, "return guard(f)(a, state.b, ...args);");

  const passing = /^function passStringToWasm0\(arg, malloc, realloc\) \{\n[\s\S]*?\n\}\n/m;
  must(passing.test(body), "strings are passed in another way");
  body = body.replace(passing, PASS_STRING);
  body = body.replaceAll(", wasm.__wbindgen_malloc, wasm.__wbindgen_realloc)", ")");
  // What an exception would leave in the instance's memory is not freed: the exception is its end.
  const freeing =
    /^( +)try \{\n([^}]*)^\1\} catch \(e\) \{\n(?: +if \(ptr\d+\) \{ .* \}\n)+ +throw e;\n\1\}\n/gm;
  body = body.replace(freeing, "$2");
  must(!/if \(ptr\d+\) \{/.test(body), "strings are freed in another way");
  for (const [, name = ""] of body.matchAll(/^function (\w+)/gm)) {
    if (!exported.includes(name) || exports.includes(name)) continue;
    body = body.replace(new RegExp(`^function ${name}\\([\\s\\S]*?^\\}\\n`, "m"), "");
  }
  // Every engine that runs ES2022 has encodeInto.
  body = body.replace(/^if \(!\('encodeInto' in [\s\S]*?^\}\n/m, "");

  if (names) body = withNames(body, names);

  const members = exports
    .filter((name) => !hasHost || name !== "connect")
    .map((name) => `${name}: guard(${name})`);
  if (hasHost) members.push(connecting(exports.includes("connect")));

  return `
const { apply } = Reflect;
export function createCore(onTrap, { TextDecoder, TextEncoder } = globalThis) {
  let dead = false;${hasHost ? "\n  let host;" : ""}
  // Any exception out of the instance is its end: its memory is in no state to go on with.
  // Not f(...args): that goes through the iterator of all lists, which a page's script may have replaced.
  const guard = (f) => (...args) => {
    if (dead) return undefined;${hasHost ? WATCHING : ""}
    try {${hasHost ? WATCHED : ""}
      return apply(f, undefined, args);
    } catch (error) {
      if (!dead) {
        dead = true;
        onTrap(error${hasHost ? ", isInside" : ""});
      }
      return undefined;
    }${hasHost ? LEFT : ""}
  };

${body}
  return {
    imports: __wbg_get_imports(),
    start(instance) {
      guard(__wbg_finalize_init)(instance);
      if (dead) throw new Error("the core did not start");
      return { ${members.join(", ")} };
    },
  };
}
`;
}

/**
 * The map that wasm-opt prints when it shortens names: of each import the module's name, its own and the short one, and of
 * each export its name and the short one. All imports are then of the module "a".
 * @typedef {{ imports: [string, string, string][], exports: [string, string][] }} Names
 */

/**
 * @param {string} body
 * @param {Names} names
 */
function withNames(body, { imports, exports }) {
  const shortOf = new Map(exports);
  let renamed = body.replace(/(?<![.\w])wasm\.(\w+)/g, (_, name) => {
    must(shortOf.has(name), `the module does not export ${name}`);
    return `wasm.${shortOf.get(name)}`;
  });
  for (const [module, name, short] of imports) {
    must(count(renamed, `        ${name}: function(`) === 1, `the glue has no ${name}`);
    renamed = renamed.replace(`        ${name}: function(`, `        ${short}: function(`);
    renamed = renamed.replace(`${JSON.stringify(module)}: import0`, "a: import0");
  }
  must(!renamed.includes("./core_bg.js"), "it imports from another module");
  return renamed;
}

/**
 * @param {boolean} isExported
 * @returns {string} the instance's method that takes the host, and the rest for the module's own
 */
function connecting(isExported) {
  const own = isExported ? " apply(guard(connect), undefined, rest);" : "";
  return `connect(it, ...rest) { host = it;${own} }`;
}

/**
 * @param {string} text
 * @param {string | RegExp} pattern
 */
function count(text, pattern) {
  return typeof pattern === "string"
    ? text.split(pattern).length - 1
    : (text.match(pattern)?.length ?? 0);
}

/**
 * @param {boolean} condition
 * @param {string} message
 */
function must(condition, message) {
  if (!condition) throw new Error(`wasm-bindgen's glue is not as expected: ${message}`);
}
