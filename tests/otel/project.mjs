// Consumer projects whose application has OpenTelemetry's SDK beside the package; that is found in
// tests/node_modules, above them.

import { readFile } from "node:fs/promises";
import { transform } from "esbuild";
import { consumer } from "../support/package.mjs";

const source = await readFile(new URL("portable/spans.mjs", import.meta.url), "utf8");

/** Scenarios in which no context manager is needed, and those in which one is. */
export const EXPLICIT = ["explicit", "propagated"];
export const EVERY = [...EXPLICIT, "implicit"];

/** Entry files that run the scenarios with OpenTelemetry's own context manager for servers. */
const entries = {
  "import.mjs": `
    import { context } from "@opentelemetry/api";
    import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
    import * as api from "honeyhive-edge";
    import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
    import { runScenarios } from "./scenarios/runner.mjs";
    import { spanScenarios } from "./spans.mjs";

    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const own = spanScenarios(NodeTracerProvider);
    const report = await runScenarios({ api, own, ...JSON.parse(process.argv[2]) });
    process.stdout.write(JSON.stringify(report));
  `,
  "require.cjs": `
    const { context } = require("@opentelemetry/api");
    const { AsyncLocalStorageContextManager } = require("@opentelemetry/context-async-hooks");
    const { NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
    const api = require("honeyhive-edge");
    const { spanScenarios } = require("./spans.cjs");

    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    import("./scenarios/runner.mjs").then(async ({ runScenarios }) => {
      const own = spanScenarios(NodeTracerProvider);
      const report = await runScenarios({ api, own, ...JSON.parse(process.argv[2]) });
      process.stdout.write(JSON.stringify(report));
    });
  `,
};

/**
 * @param {string} name
 * @param {Record<string, string>} [files] content by path
 */
export async function spanProject(name, files = {}) {
  const { code } = await transform(source, { format: "cjs" });
  return consumer(`otel-${name}`, { ...entries, "spans.mjs": source, "spans.cjs": code, ...files });
}
