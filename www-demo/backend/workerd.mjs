// The local backend in workerd: a Worker with SQLite in a Durable Object, on the loopback interface. Started
// and stopped as server.mjs's is, which keeps everything in memory.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { startWorkerd } from "../workerd.mjs";

/**
 * @param {object} [options]
 * @param {number} [options.port] 0: any that is free
 * @param {string} [options.viewer] host:port of the viewer's files; without it there is no viewer
 * @param {(reason: string) => void} [options.onDeath] called if it ends by itself
 * @param {Pick<import("./app.js").BackendOptions, "maxBodyBytes" | "logRecords" | "logBytes">} [options.limits]
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function startBackendInWorkerd({ port = 0, viewer, onDeath, limits = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "honeyhive-edge-backend-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await build({
      entryPoints: [fileURLToPath(new URL("worker.js", import.meta.url))],
      outfile: join(folder, "backend.js"),
      bundle: true,
      format: "esm",
      target: "es2022",
      external: ["cloudflare:*"],
      logLevel: "warning",
    });
    const running = await startWorkerd({
      folder,
      modules: ["backend.js"],
      port,
      env: { BACKEND_OPTIONS: JSON.stringify(limits) },
      services: viewer === undefined ? {} : { ASSETS: viewer },
      objects: { BACKEND: "Backend" },
      // A client that leaves is noticed, in the Worker and in its object.
      flags: ["enable_request_signal", "request_signal_passthrough"],
      ...(onDeath ? { onDeath } : {}),
    });
    return {
      url: running.url,
      async close() {
        await running.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
