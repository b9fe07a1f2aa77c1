// Cloudflare Workers whose build does not say that it is for them: Nitro names all edge runtimes at once, and some
// tools name none. The entries for other runtimes find out while the Worker starts, when it may still compile.

import { anyContext } from "./context/any.js";
import { workerdContext } from "./context/workerd.js";
import { processVariable } from "./env.js";
import { attempt, read } from "./guard.js";
import { inlineHint } from "./load.js";

/**
 * What differs between the runtimes that a build for all of them runs in, but for how the module is opened.
 * @returns {Pick<import("./engine.js").Platform, "variable" | "place"> & { newContext: typeof anyContext }}
 */
export function edgePlatform() {
  if (isWorkers()) return workersPlatform(importWorkers());
  const platform = { variable: processVariable, newContext: anyContext };
  return "EdgeRuntime" in globalThis ? { ...platform, place: "edge" } : platform;
}

/**
 * @param {Record<string, any>} workers the module "cloudflare:workers"
 * @returns {ReturnType<typeof edgePlatform>}
 */
function workersPlatform(workers) {
  return {
    variable: (name) => read(workers["env"], name) ?? processVariable(name),
    newContext: () => workerdContext(workers),
    place: "edge",
  };
}

/**
 * What to do where a module that no build handed over will not start; pages are not told of these.
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
 * The module "cloudflare:workers", imported under a name that no bundler sees: those for other runtimes refuse it. It is
 * there before the first request is served; until then it is empty.
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
 * What differs on Workers for an entry whose module is text: that compiles at once, and remembers what kept it from that,
 * since a Worker may not try again when it serves.
 * @param {() => BufferSource} bytes
 */
export function workersAtStart(bytes) {
  /** @type {WebAssembly.Module | undefined} */
  let module;
  /** @type {unknown} */
  let error;
  // Not imported: Metro refuses to bundle an `import()` of what it does not know.
  const workers = attempt(
    () => /** @type {any} */ (globalThis).process.getBuiltinModule("cloudflare:workers"),
    undefined,
  );
  try {
    // Without it nothing tells requests apart, or keeps them alive.
    if (!workers) throw new Error("the module cloudflare:workers needs nodejs_compat here");
    module = new WebAssembly.Module(bytes());
  } catch (thrown) {
    error = thrown;
  }
  return {
    ...workersPlatform(workers ?? {}),
    hint: edgeHint(),
    /** @returns {WebAssembly.Module} throws what kept it from being compiled */
    compiled() {
      if (module) return module;
      throw error;
    },
    // Where nothing can be sent, it is enough that callers are told why.
    ...(!module && { newContext: anyContext }),
  };
}

/**
 * A module that a bundler hands over by `import()`.
 * @param {() => Promise<{ default: WebAssembly.Module | Promise<WebAssembly.Module> }>} importing
 * @returns {() => WebAssembly.Module} throws until it is there, and what kept it from that; on Workers it is there
 *   before the first request is served
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
