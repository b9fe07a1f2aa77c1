// Who is compared, where each runs, and why not elsewhere.

import { readFile } from "node:fs/promises";

/**
 * @typedef {"Node" | "Bun" | "Deno" | "workerd" | "Chromium"} Runtime
 *
 * @typedef {object} PeerInfo
 * @property {string} name
 * @property {string[]} packages whose versions are told
 * @property {(runtime: Runtime) => string} adapter in adapters/
 * @property {Partial<Record<Runtime, string>>} [not] why it is not run there
 */

/** @type {Runtime[]} */
export const RUNTIMES = ["Node", "Bun", "Deno", "workerd", "Chromium"];

/** @type {PeerInfo[]} */
export const peers = [
  {
    name: "honeyhive-edge",
    packages: ["honeyhive-edge"],
    adapter: () => "honeyhive-edge",
  },
  {
    name: "JSON.stringify",
    packages: [],
    adapter: () => "json-stringify",
  },
  {
    name: "langfuse",
    packages: ["langfuse"],
    adapter: () => "langfuse",
  },
  {
    name: "@langfuse/otel",
    packages: ["@langfuse/otel", "@langfuse/tracing"],
    adapter: () => "langfuse-otel",
    not: { Chromium: "its README: Node.js 20 or newer" },
  },
  {
    name: "langsmith",
    packages: ["langsmith"],
    adapter: () => "langsmith",
  },
  {
    name: "braintrust",
    packages: ["braintrust"],
    adapter: () => "braintrust",
    not: { Chromium: "its README: pages use @braintrust/browser, which traces nothing by itself" },
  },
  {
    name: "posthog-node",
    packages: ["posthog-node"],
    adapter: () => "posthog-node",
    not: { Chromium: "for servers; PostHog's package for pages is posthog-js, which records them" },
  },
  {
    name: "Sentry",
    packages: [
      "@sentry/node",
      "@sentry/bun",
      "@sentry/deno",
      "@sentry/cloudflare",
      "@sentry/browser",
    ],
    adapter: (runtime) =>
      `sentry-${{ Node: "node", Bun: "bun", Deno: "deno", workerd: "cloudflare", Chromium: "browser" }[runtime]}`,
  },
  {
    name: "OpenTelemetry",
    packages: ["@opentelemetry/sdk-trace-base", "@opentelemetry/exporter-trace-otlp-http"],
    adapter: () => "opentelemetry",
  },
];

/** The versions that are installed, as "name version". */
export async function versions(/** @type {PeerInfo} */ { packages }) {
  const found = packages.map(async (name) => {
    const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
    const { version } = JSON.parse(await readFile(file, "utf8"));
    return `${name} ${version}`;
  });
  return Promise.all(found);
}
