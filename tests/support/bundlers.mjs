// The bundlers, none of them told anything about the package.

import assert from "node:assert/strict";
import { join } from "node:path";

/** Each builds page.mjs of a project into dist/, where index.html wants page.js. */
export const bundlers = {
  async esbuild(/** @type {string} */ project) {
    const { build } = await import("esbuild");
    const { warnings } = await build({
      entryPoints: [join(project, "page.mjs")],
      bundle: true,
      format: "esm",
      outfile: join(project, "dist", "page.js"),
      logLevel: "silent",
    });
    assert.deepEqual(warnings, []);
  },

  async Rollup(/** @type {string} */ project) {
    const { rollup } = await import("rollup");
    const { nodeResolve } = await import("@rollup/plugin-node-resolve");
    /** @type {string[]} */
    const warnings = [];
    const bundle = await rollup({
      input: join(project, "page.mjs"),
      plugins: [nodeResolve({ browser: true })],
      onwarn: (warning) => void warnings.push(warning.message),
    });
    await bundle.write({ file: join(project, "dist", "page.js"), format: "es" });
    await bundle.close();
    assert.deepEqual(warnings, []);
  },

  async "webpack 5"(/** @type {string} */ project) {
    const { default: webpack } = await import("webpack");
    const compiler = webpack({
      mode: "production",
      context: project,
      entry: "./page.mjs",
      output: { path: join(project, "dist"), filename: "page.js" },
      performance: false, // the scenarios' own weight is not the package's
    });
    const stats = await new Promise((resolve, reject) => {
      compiler.run((error, result) => (error ? reject(error) : resolve(result)));
    });
    await new Promise((resolve) => compiler.close(resolve));
    const { errors, warnings } = stats.toJson({ errors: true, warnings: true });
    assert.deepEqual([errors, warnings], [[], []]);
  },

  async "Vite build"(/** @type {string} */ project) {
    const { build, createLogger } = await import("vite");
    const logger = createLogger("warn");
    /** @type {string[]} */
    const warnings = [];
    logger.warn = (message) => void warnings.push(message);
    await build({
      root: project,
      configFile: false,
      logLevel: "warn",
      customLogger: logger,
      build: { outDir: "dist", emptyOutDir: false },
    });
    assert.deepEqual(warnings, []);
  },
};

/**
 * Vite's server for development.
 * @param {string} project
 */
export async function viteDev(project) {
  const { createServer } = await import("vite");
  const server = await createServer({
    root: project,
    configFile: false,
    logLevel: "error",
    server: {
      host: "127.0.0.1",
      port: 0,
      hmr: false,
    },
  });
  await server.listen();
  const url = server.resolvedUrls?.local[0];
  assert.ok(url);
  return { url, close: () => server.close() };
}
