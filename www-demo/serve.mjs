// Everything the demo runs, started and stopped as one: the local backend, the model's stand-in
// where there is no key, the page's files, and the Worker in workerd. Prints nothing.

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAssets } from "./assets.mjs";
import { startBackend } from "./backend/server.mjs";
import { bundle } from "./bundle.mjs";
import { startResponder } from "./responder.mjs";
import { startWorkerd } from "./workerd.mjs";

/** The local backend takes any key; this one tells the demo's sessions from others. */
export const LOCAL_KEY = "hh_local_demo";
const DEFAULT_MODEL = "gpt-4o-mini";
const OPENAI_URL = "https://api.openai.com/v1";

/**
 * @param {object} [options]
 * @param {number} [options.port] Of the chat; a free one is taken where it is in use.
 * @param {{ apiKey: string, baseUrl?: string, model?: string }} [options.openai] Else the built-in responder answers.
 * @param {(reason: string) => void} [options.onDeath] Called if the Worker's process ends by itself.
 * @returns {Promise<{ url: string, backendUrl: string, model: string, close(): Promise<void> }>}
 */
export async function startDemo({ port = 0, openai, onDeath = () => {} } = {}) {
  /** @type {(() => Promise<void>)[]} */
  const closers = [];
  const close = async () => {
    // The Worker first: it talks to all the others.
    for (const stop of closers.splice(0).toReversed()) await stop();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "honeyhive-edge-demo-"));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const { workerModules, pageDir } = await bundle(folder);

    const backend = await startBackend();
    closers.push(() => backend.close());
    const responder = openai ? undefined : await startResponder();
    if (responder) closers.push(() => responder.close());
    const assets = await startAssets(pageDir);
    closers.push(() => assets.close());

    const model = openai?.model ?? DEFAULT_MODEL;
    const workerd = await startWorkerd({
      folder,
      modules: workerModules,
      port: (await isFree(port)) ? port : 0,
      assets: assets.address,
      internet: openai !== undefined,
      env: {
        HH_API_KEY: LOCAL_KEY,
        HH_API_URL: backend.url,
        HH_RELAY_SECRET: randomBytes(32).toString("base64"),
        OPENAI_API_KEY: openai?.apiKey ?? "none",
        OPENAI_BASE_URL: responder?.baseUrl ?? openai?.baseUrl ?? OPENAI_URL,
        OPENAI_MODEL: model,
      },
      onDeath,
    });
    closers.push(() => workerd.close());
    return { url: workerd.url, backendUrl: backend.url, model, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
