// Cloudflare Workers whose build does not select the entry for them: Nitro selects all edge runtimes at once, and some
// tools select none. The other entries detect Workers while the Worker starts, when it may still compile WebAssembly.

import { anyContext } from "./context/any.js";
import { workerdContext } from "./context/workerd.js";
import { processVariable } from "./env.js";
import { attempt, read } from "./guard.js";
import { inlineHint } from "./load.js";

/**
 * The platform of a build for all edge runtimes, without the function that opens the module.
 * @returns {Pick<import("./engine.js").EnginePlatform, "variable" | "place"> & { newContext: typeof anyContext }}
 */
export function edgePlatform() {
  if (isWorkers()) return workersPlatform(importWorkers());
  const platform = { variable: processVariable, newContext: anyContext };
  return "EdgeRuntime" in globalThis ? { ...platform, place: "edge" } : platform;
}

/**
 * The platform on Workers, without the function that opens the module.
 * @param {Record<string, any>} workers the module "cloudflare:workers"
 * @returns {ReturnType<typeof edgePlatform>}
 */
export function workersPlatform(workers) {
  return {
    // With Node's compatibility the bindings are in process.env too, but not in every version.
    variable: (name) => read(workers["env"], name) ?? processVariable(name),
    newContext: () => workerdContext(workers),
    place: "edge",
  };
}

/**
 * The advice for an edge runtime in which a module that no bundler provided does not start.
 * @returns {string}
 */
export function edgeHint() {
  if (isWorkers()) {
    return "On Cloudflare Workers WebAssembly has to come as a module of its own: with Next.js and OpenNext, name honeyhive-edge in serverExternalPackages (next.config); with Nitro or Nuxt, set experimental.wasm to true in Nitro's configuration.";
  }
  if ("EdgeRuntime" in globalThis) {
    return "Vercel's edge runtime compiles no WebAssembly: with Nitro or Nuxt, use the preset vercel, whose functions run Node.";
  }
  return inlineHint();
}

/** @returns {boolean} */
export function isWorkers() {
  return attempt(() => globalThis.navigator.userAgent, "") === "Cloudflare-Workers";
}

/**
 * Imports the module "cloudflare:workers" under a computed name, because bundlers for other runtimes refuse the plain
 * one. The module is available before the first request is served; until then its members are undefined.
 * @returns {Record<string, any>}
 */
function importWorkers() {
  /** @type {any} */
  let workers;
  const name = ["cloudflare", "workers"].join(":");
  const importing = import(/* webpackIgnore: true */ /* @vite-ignore */ name);
  importing.then(
    (module) => (workers = module),
    () => {},
  );
  return {
    get env() {
      return workers?.env;
    },
    get tracing() {
      return workers?.tracing;
    },
    get withEnv() {
      return workers?.withEnv;
    },
    get waitUntil() {
      return workers?.waitUntil;
    },
  };
}

/**
 * The platform on Workers for an entry whose module is inlined as text. It compiles the module immediately, and keeps the
 * error if that fails, because a Worker may not compile while it serves requests.
 * @param {() => BufferSource} bytes
 */
export function workersAtStart(bytes) {
  /** @type {WebAssembly.Module | undefined} */
  let module;
  /** @type {unknown} */
  let error;
  // Not imported: Metro refuses to bundle an `import()` of what it does not know.
  const workers = attempt(() =>
    /** @type {any} */ (globalThis).process.getBuiltinModule("cloudflare:workers"),
  );
  try {
    // Without that module, nothing tells requests apart or keeps them alive.
    if (!workers) throw new Error("the module cloudflare:workers needs nodejs_compat here");
    module = new WebAssembly.Module(bytes());
  } catch (thrown) {
    error = thrown;
  }
  return {
    ...workersPlatform(workers ?? {}),
    hint: edgeHint(),
    /** @returns {WebAssembly.Module} throws the error if it did not compile */
    compiled() {
      if (module) return module;
      throw error;
    },
    // If nothing can be sent, callers only need to be told why.
    ...(!module && { newContext: anyContext }),
  };
}

/**
 * A module that a bundler provides through `import()`.
 * @param {() => Promise<{ default: WebAssembly.Module | Promise<WebAssembly.Module> }>} importing
 * @returns {() => WebAssembly.Module} throws while the import is pending, and its error if it failed; on Workers the import
 *   ends before the first request is served
 */
export function importedModule(importing) {
  /** @type {WebAssembly.Module | undefined} */
  let module;
  /** @type {unknown} */
  let error = new Error("the module is still being imported");
  importing()
    .then(({ default: given }) => given)
    .then(
      (given) => (module = given),
      (reason) => (error = reason),
    );
  return () => {
    if (module) return module;
    throw error;
  };
}

/** @returns {Promise<never>} */
export function forbidden() {
  return Promise.reject(new Error("Vercel's edge compiles no WebAssembly"));
}
