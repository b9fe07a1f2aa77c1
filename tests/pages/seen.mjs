// A page whose store is looked into and tampered with, and whose deliveries and log lines are written down.

import { until } from "../support/child.mjs";

/** @import { Tab } from "../support/driven.mjs" */

/** What `initTracer` finds is arranged before: so the package is loaded by `seen.start`. */
export const SEEN_JS = `
  const seen = { visit: location.search, deliveries: {}, lines: [] };
  globalThis.seen = seen;
  for (const level of ["debug", "warn", "error"]) {
    const before = console[level];
    console[level] = (...line) => (seen.lines.push(line.join(" ")), before.apply(console, line));
  }
  seen.start = async (options) => {
    const { initTracer } = await import("./node_modules/honeyhive-edge/browser.js");
    seen.tracer = await initTracer({ logLevel: "debug", ...options });
  };
  seen.say = (feedback) => {
    const [name] = Object.keys(feedback);
    seen.tracer.enrichSession({ feedback }).then((delivery) => (seen.deliveries[name] = delivery));
  };
  // A database of the package's name as others may have left it.
  seen.make = (version, stores) =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open("honeyhive-edge", version);
      request.onupgradeneeded = () => stores.forEach((store) => request.result.createObjectStore(store));
      request.onerror = () => reject(request.error);
      request.onsuccess = () => (request.result.close(), resolve());
    });
  seen.clear = (name = "honeyhive-edge") =>
    new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = () => resolve();
      request.onerror = () => reject(request.error);
    });
  seen.work = (mode, work) =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open("honeyhive-edge");
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const db = request.result;
        try {
          const transaction = db.transaction("unsent", mode);
          const result = work(transaction.objectStore("unsent"));
          transaction.oncomplete = () => (db.close(), resolve(result?.result));
          transaction.onabort = () => (db.close(), reject(transaction.error));
        } catch (error) {
          db.close();
          reject(error);
        }
      };
    });
  seen.empty = async () => {
    const databases = await indexedDB.databases();
    if (!databases.some(({ name }) => name === "honeyhive-edge")) return;
    await seen.work("readwrite", (store) => store.clear()).catch(() => {});
  };
  seen.owners = async () => {
    const keys = await seen.work("readonly", (store) => store.getAllKeys()).catch(() => []);
    return [...new Set(keys.map(([owner]) => owner))];
  };
  seen.kept = async () => {
    const records = await seen.work("readonly", (store) => store.getAll()).catch(() => []);
    return records.map(({ json }) => json);
  };
`;

/**
 * Waits until the page's store has so many records.
 * @param {Tab} tab
 * @param {number} count
 */
export const keeps = (tab, count) =>
  until(async () => (await tab.run("seen.kept()")).length === count, { what: `${count} records` });
