// Everything the demo runs, started and stopped as one: the local backend with its viewer, the page's files,
// and the Worker; both Workers in workerd. With a HoneyHive of one's own there is no local backend. Prints
// nothing.

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAssets } from "./assets.mjs";
import { startBackendInWorkerd } from "./backend/workerd.mjs";
import { bundlePage, bundleWorker, linkPackage } from "./bundle.mjs";
import { startWorkerd } from "./workerd.mjs";

/** The local backend takes any key; this one tells the demo's sessions from others. */
export const LOCAL_KEY = "hh_local_demo";

/**
 * @typedef {object} DemoOptions
 * @property {number} [port] Of the chat; a free one is taken where it is in use.
 * @property {number} [viewerPort] Of the local backend and its viewer, likewise.
 * @property {{ apiKey: string, serverUrl?: string }} [honeyhive] Written to instead of the local backend.
 * @property {{ apiKey: string, baseUrl?: string, model?: string }} [openai] Else the built-in model answers.
 * @property {(reason: string) => void} [onDeath] Called if one of the Workers' processes ends by itself.
 */

/**
 * @param {DemoOptions} [options]
 * @returns {Promise<{ url: string, backendUrl: string | undefined, viewerUrl: string | undefined, close(): Promise<void> }>}
 *   `backendUrl` and `viewerUrl` only where the backend is the local one.
 */
export async function startDemo({ port = 0, viewerPort = 0, honeyhive, openai, onDeath } = {}) {
  /** @type {(() => Promise<void>)[]} */
  const closers = [];
  const close = async () => {
    // The Worker first: it talks to all the others.
    for (const stop of closers.splice(0).toReversed()) await stop();
  };
  const whenItDies = onDeath ? { onDeath } : {};
  try {
    await linkPackage();
    const folder = await mkdtemp(join(tmpdir(), "honeyhive-edge-demo-"));
    closers.push(() => rm(folder, { recursive: true, force: true }));

    const backend = honeyhive ? undefined : await startLocalBackend();
    const [modules] = await Promise.all([
      bundleWorker(folder),
      bundlePage("page", `${folder}/page`),
    ]);
    const assets = await startAssets(`${folder}/page`);
    closers.push(() => assets.close());

    const chat = await startWorkerd({
      folder,
      modules,
      port: await freeOr0(port),
      reach: honeyhive || openai ? "all" : "local",
      services: { ASSETS: assets.address },
      objects: { CONVERSATIONS: "Conversation" },
      env: given({
        HH_API_KEY: honeyhive?.apiKey ?? LOCAL_KEY,
        HH_API_URL: honeyhive ? honeyhive.serverUrl : backend?.url,
        HH_RELAY_SECRET: randomBytes(32).toString("base64"),
        OPENAI_API_KEY: openai?.apiKey,
        OPENAI_BASE_URL: openai?.baseUrl,
        OPENAI_MODEL: openai?.model,
      }),
      ...whenItDies,
    });
    closers.push(() => chat.close());
    const viewerUrl = backend && `${backend.url}/viewer/`;
    return { url: chat.url, backendUrl: backend?.url, viewerUrl, close };

    async function startLocalBackend() {
      await bundlePage("viewer", `${folder}/viewer`);
      const files = await startAssets(`${folder}/viewer`, "/viewer/");
      closers.push(() => files.close());
      const started = await startBackendInWorkerd({
        port: await freeOr0(viewerPort),
        viewer: files.address,
        ...whenItDies,
      });
      closers.push(() => started.close());
      return started;
    }
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is set of an environment. @param {Record<string, string | undefined>} env */
const given = (env) =>
  /** @type {Record<string, string>} */ (
    Object.fromEntries(Object.entries(env).filter(([, value]) => value))
  );

/** @param {number} port */
const freeOr0 = async (port) => ((await isFree(port)) ? port : 0);

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
