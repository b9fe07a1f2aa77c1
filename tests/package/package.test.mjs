// The tarball itself: what is in it, what it says of itself, and that the tools which know how
// packages go wrong find nothing.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { build } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { inflate, inflateNow } from "../../pkg-template/src/page/inflate.js";
import { runToEnd } from "../support/child.mjs";
import { consumer, packedPackage, testsDir } from "../support/package.mjs";

/** @type {import("../support/package.mjs").Packed} */
let packed;
/** @type {any} */
let manifest;
before(async () => {
  packed = await packedPackage();
  const installed = join(packed.project, "node_modules", "honeyhive-edge", "package.json");
  manifest = JSON.parse(await readFile(installed, "utf8"));
});

describe("the tarball", () => {
  it("holds exactly the files it should", () => {
    assert.deepEqual(packed.files, [
      "LICENSE",
      "README.md",
      "THIRD-PARTY-LICENSES.md",
      "browser.js",
      "core.wasm",
      "edge-light.js",
      "index.cjs",
      "index.d.cts",
      "index.d.ts",
      "index.js",
      "otel.browser.js",
      "otel.cjs",
      "otel.d.cts",
      "otel.d.ts",
      "otel.edge-light.js",
      "otel.js",
      "otel.unwasm.js",
      "otel.wasm",
      "otel.workerd.js",
      "package.json",
      "relay.cjs",
      "relay.d.cts",
      "relay.d.ts",
      "relay.edge-light.js",
      "relay.js",
      "relay.unwasm.js",
      "relay.wasm",
      "relay.workerd.js",
      "unwasm.js",
      "workerd.js",
    ]);
  });

  it("names all that is compiled into it, with licences", async () => {
    const root = new URL("../../", import.meta.url);
    const installed = join(packed.project, "node_modules", "honeyhive-edge");
    const licences = await readFile(join(installed, "THIRD-PARTY-LICENSES.md"), "utf8");
    const cargo = await readFile(new URL("Cargo.toml", root), "utf8");
    const crates = cargo
      .split(/^(?=\[)/m)
      .filter((table) => /^\[(target\..*\.)?dependencies\]/.test(table));
    const names = crates.join("").matchAll(/^([\w-]+) = /gm);
    for (const crate of [...names].map(([, name]) => name).concat("sha1_smol")) {
      assert.ok(licences.includes(`## ${crate} (crate)`), crate);
    }
    assert.ok(licences.includes("Redistributions in binary form must reproduce"), "BSD's text");
  });

  it("brings no dependencies, scripts or side effects", () => {
    for (const field of ["dependencies", "optionalDependencies", "scripts"]) {
      assert.deepEqual(Object.keys(manifest[field] ?? {}), [], field);
    }
    assert.deepEqual(Object.keys(manifest.peerDependencies), ["@opentelemetry/api"]);
    assert.deepEqual(manifest.peerDependenciesMeta, { "@opentelemetry/api": { optional: true } });
    assert.equal(manifest.sideEffects, false);
    assert.equal(manifest.name, "honeyhive-edge");
  });

  it("offers the conditions in the order in which they have to be tried", () => {
    /** @type {[path: string, types: string, browser: string[]][]} */
    const entries = [
      [".", "./index.d.cts", ["browser"]],
      ["./otel", "./otel.d.cts", ["browser"]],
      ["./relay", "./relay.d.cts", []],
    ];
    for (const [path, types, browser] of entries) {
      const entry = manifest.exports[path];
      // Workers' bundlers ask for a browser's as well; and Jest's jsdom, which wants CommonJS.
      const conditions = ["workerd", "edge-light", "require", ...browser, "default"];
      assert.deepEqual(Object.keys(entry), conditions);
      const { workerd, "edge-light": edge, ...others } = entry;
      // Who asks for both builds for all edge runtimes at once, as Nitro does: the file finds out where it runs.
      assert.deepEqual(Object.keys(workerd), ["types", "edge-light", "default"]);
      assert.deepEqual(Object.keys(workerd["edge-light"]), ["unwasm", "default"]);
      assert.equal(workerd["edge-light"].default, entry.default.default);
      for (const condition of Object.values(others)) {
        assert.deepEqual(Object.keys(condition), ["types", "default"]);
      }
      // Jest's edge runtime requires CommonJS; bundlers, which may use `require` as well, know `module`.
      assert.deepEqual(Object.keys(edge), ["types", "module", "require", "default"]);
      assert.equal(edge.module, edge.default);
      assert.deepEqual(edge.require, entry.require);
      assert.equal(entry.require.types, types);
    }
    assert.ok(manifest.main && manifest.module, "Parcel wants both");
  });

  it("is whole: every file that is named is there", () => {
    const named = JSON.stringify([
      manifest.exports,
      manifest.main,
      manifest.module,
      manifest.types,
    ]);
    for (const [, path] of named.matchAll(/"\.\/([^"]+)"(?!:)/g)) {
      assert.ok(packed.files.includes(path), path);
    }
  });

  it("gives pages, deflated, the module of a tracer that reads nothing back", async () => {
    const folder = join(packed.project, "node_modules", "honeyhive-edge");
    const source = await readFile(join(folder, "browser.js"), "utf8");
    const base64 = /"([\w+/=]{20000,})"/.exec(source)?.[1] ?? "";
    const length = Number(/^var length = (\d+);$/m.exec(source)?.[1]);
    const plain = (/** @type {any} */ bytes) => Buffer.from(bytes);
    const module = plain(await inflate(base64, length));
    const names = async (/** @type {Buffer<ArrayBuffer>} */ wasm) =>
      WebAssembly.Module.exports(await WebAssembly.compile(wasm)).map(({ name }) => name);
    // The page's exports have short names, which the build notes.
    const noted = new URL("../../build/wasm/page/names.json", import.meta.url);
    /** @type {{ exports: [string, string][] }} */
    const { exports } = JSON.parse(await readFile(noted, "utf8"));
    assert.deepEqual((await names(module)).sort(), exports.map(([, short]) => short).sort());
    const inPages = exports.map(([name]) => name);
    const onServers = await names(await readFile(join(folder, "core.wasm")));
    assert.deepEqual(onServers.filter((name) => !inPages.includes(name)).sort(), [
      "readAnswered",
      "readRequest",
      "totalsOf",
      "tracers",
    ]);
    assert.deepEqual(
      inPages.filter((name) => !onServers.includes(name)),
      [],
    );
    assert.deepEqual(plain(inflateNow(base64, length)), module);
    const { DecompressionStream } = globalThis;
    try {
      for (const other of [undefined, {}, () => assert.fail("called")]) {
        globalThis.DecompressionStream = /** @type {any} */ (other);
        assert.deepEqual(plain(await inflate(base64, length)), module);
      }
    } finally {
      globalThis.DecompressionStream = DecompressionStream;
    }
  });

  it("makes no tables while a page loads it, and inflates the module where the browser cannot", async () => {
    const project = await consumer("tables", {
      "page.mjs": `
        let made = 0;
        for (const name of ["Uint8Array", "Uint16Array", "Int32Array"]) {
          globalThis[name] = new Proxy(globalThis[name], {
            construct(target, given, newTarget) {
              const array = Reflect.construct(target, given, newTarget);
              made += array.length;
              return array;
            },
          });
        }
        delete globalThis.DecompressionStream;
        const { initTracer } = await import("./node_modules/honeyhive-edge/browser.js");
        const atLoad = made;
        const { enabled } = await initTracer({ apiKey: "key", project: "project", serverUrl: "http://127.0.0.1:9" });
        console.log(JSON.stringify({ atLoad, enabled, after: made }));
      `,
    });
    const { stdout, stderr } = await runToEnd(process.execPath, ["page.mjs"], { cwd: project });
    const { atLoad, enabled, after } = JSON.parse(stdout);
    assert.equal(enabled, true, stderr);
    assert.ok(atLoad < 5000, `${atLoad} elements at load`);
    assert.ok(after > 100_000, "the library inflated it");
  });

  it("names no machine it was built on", async () => {
    const folder = join(packed.project, "node_modules", "honeyhive-edge");
    for (const path of packed.files) {
      const content = (await readFile(join(folder, path))).toString("latin1");
      const found = content.match(/\/(root|home|Users|work|tmp)\/[\w./-]*/g);
      assert.equal(found, null, `${path}: ${found}`);
    }
  });

  it("vanishes from a bundle that does not use it", async () => {
    const project = await consumer("unused", {
      "page.mjs": 'import "honeyhive-edge"; import "honeyhive-edge/relay";',
    });
    const { outputFiles } = await build({
      entryPoints: [join(project, "page.mjs")],
      bundle: true,
      write: false,
      format: "esm",
      minify: true,
      logLevel: "silent",
    });
    assert.equal(outputFiles[0].text.trim(), "");
  });
});

describe("package checks", () => {
  it("publint finds nothing", async () => {
    const pkgDir = join(packed.project, "node_modules", "honeyhive-edge");
    const { messages, pkg } = await publint({ pkgDir, pack: false, strict: true });
    const said = messages.map((message) => formatMessage(message, pkg, { color: false }));
    assert.deepEqual(said, []);
  });

  it("are the types wrong? finds nothing", async () => {
    const attw = join(testsDir, "node_modules", "@arethetypeswrong", "cli", "dist", "index.js");
    const { code, stdout, stderr } = await runToEnd(process.execPath, [
      attw,
      packed.tarball,
      "--format",
      "json",
    ]);
    assert.equal(stderr, "");
    const { analysis, problems } = JSON.parse(stdout);
    assert.deepEqual(problems ?? {}, {}, stdout);
    assert.deepEqual(analysis.problems, []);
    assert.equal(analysis.types.kind, "included");
    assert.equal(code, 0);
  });
});

describe("types", { concurrency: 2 }, () => {
  const statements = `
    async function use(): Promise<void> {
      const options: TracerOptions = { apiKey: "k", metadata: { a: 1 }, redact: { keys: ["pin"] } };
      const tracer: Tracer = await initTracer({ ...options, logLevel: "warn", onDrop: (lost) => lost.reason });
      const delivery: Delivery = await enrichSession({ metadata: { user: { id: 1 } }, userProperties: {} });
      const id: string | undefined =
        delivery.status === "delivered" ? delivery.sessionId : delivery.message;
      await enrichSession("id", { tracer, error: new Error("x") });
      await enrichSession(null, { feedback: { rating: 5 } });
      await enrichSession();
      await tracer.enrichSession({ sessionId: id, duration: 1, endTime: 2 });
      const event: EventDelivery = await enrichEvent(newEventId(), { feedback: { thumb: "up" }, tracer });
      if (event.status === "delivered") await tracer.enrichEvent(event.eventId, { outputs: { a: 1 } });
      const read: ReadResult = await tracer.readSession().then(() => tracer.readEvent(newEventId()));
      const plan = read.status === "found" ? read.event.metadata?.plan : read.reason satisfies ReadFailure;
      tracer.startSession({ experiment: { runId: "r", datapointId: \`\${plan}\` } });
      const report: FlushReport = await tracer.addMetrics({ tokens: 1 }).then(() => flush({ timeoutMs: 5 }));
      const value: number = tracer.run(() => report.pending);
      const answer: string = await withSession({}, async (inner) => \`\${inner.sessionName}\${value}\`);
      const headers: Record<string, string> = tracer.startSession({ sessionName: answer }).propagationHeaders();
      sessionIdFrom(sessionIdFromHeaders(headers) ?? "name");
      activeTracer()?.close();

      // @ts-expect-error a misspelt field
      await enrichSession({ metdata: {} });
      // @ts-expect-error no such level
      await initTracer({ logLevel: "loud" });
      // @ts-expect-error what a tracer says of itself is not to be set
      tracer.sessionId = "other";
      // @ts-expect-error metrics that are added are numbers
      await tracer.addMetrics({ tokens: "1" });
      // @ts-expect-error an event is named
      await tracer.enrichEvent({ feedback: {} });
    }
    void use;
  `;
  const names =
    "activeTracer, enrichEvent, enrichSession, flush, initTracer, newEventId, sessionIdFrom, sessionIdFromHeaders, withSession";
  const types =
    "Delivery, EventDelivery, FlushReport, ReadFailure, ReadResult, Tracer, TracerOptions";
  const esm = `
    import { ${names} } from "honeyhive-edge";
    import type { ${types} } from "honeyhive-edge";
    ${statements}
  `;
  const cjs = `
    import edge = require("honeyhive-edge");
    const { ${names} } = edge;
    type Delivery = edge.Delivery;
    type EventDelivery = edge.EventDelivery;
    type ReadFailure = edge.ReadFailure;
    type ReadResult = edge.ReadResult;
    type FlushReport = edge.FlushReport;
    type Tracer = edge.Tracer;
    type TracerOptions = edge.TracerOptions;
    ${statements}
  `;
  const relaying = `
    import { createConsumer, createRelay, issueTicket } from "honeyhive-edge/relay";
    import type { QueueBatch, RelayOptions } from "honeyhive-edge/relay";
    export async function use(queue: RelayOptions["queue"], batch: QueueBatch): Promise<string> {
      await createConsumer({ serverUrl: "https://hive.example" })(batch);
      const secret = ["new", "old"];
      const ticket: string = await issueTicket({ sessionId: "s", fields: ["feedback"], secret });
      const relay = createRelay({ secret, origins: ["https://shop.example"], rate: { requests: 5 } });
      createRelay({ queue: queue! });
      // @ts-expect-error no such field
      await issueTicket({ sessionId: "s", fields: ["feedbak"] });
      // @ts-expect-error a ticket is for one session
      await issueTicket({ fields: ["feedback"] });
      // @ts-expect-error no such option
      createRelay({ orgins: [] });
      return \`\${ticket}\${typeof relay}\`;
    }
  `;
  const asked = `${relaying}
    export async function ask(): Promise<number> {
      const response: Response = await createRelay()(new Request("http://localhost/honeyhive"));
      // @ts-expect-error no request
      await createRelay()("http://localhost/honeyhive");
      return response.status;
    }
  `;
  const disposing = `
    import { initTracer } from "honeyhive-edge";
    export async function use(): Promise<string> {
      await using tracer = await initTracer();
      return tracer.sessionId;
    }
  `;

  /** @type {[string, {file: string, source: string, options: object, compilers?: string[]}][]} */
  const cases = [
    ["Node, ESM", { file: "a.mts", source: esm, options: { module: "nodenext" } }],
    ["Node, CommonJS", { file: "a.cts", source: cjs, options: { module: "nodenext" } }],
    ["Node 20's own choice", { file: "a.mts", source: esm, options: { module: "node20" } }],
    [
      "bundler",
      { file: "a.ts", source: esm, options: { module: "esnext", moduleResolution: "bundler" } },
    ],
    [
      "bundler, for Workers",
      {
        file: "a.ts",
        source: esm,
        options: {
          module: "esnext",
          moduleResolution: "bundler",
          customConditions: ["workerd", "worker", "browser"],
        },
      },
    ],
    [
      "bundler, with the DOM and Node's types",
      {
        file: "a.ts",
        source: esm,
        options: {
          module: "esnext",
          moduleResolution: "bundler",
          lib: ["es2022", "dom", "dom.iterable"],
          types: ["node"],
          typeRoots: [join(testsDir, "node_modules", "@types")],
        },
      },
    ],
    [
      "relay, without the DOM",
      { file: "a.mts", source: relaying, options: { module: "nodenext" } },
    ],
    ["relay, CommonJS", { file: "a.cts", source: relaying, options: { module: "nodenext" } }],
    [
      "relay, with the DOM",
      {
        file: "a.ts",
        source: asked,
        options: {
          module: "esnext",
          moduleResolution: "bundler",
          lib: ["es2022", "dom", "dom.iterable"],
        },
      },
    ],
    [
      "await using",
      {
        file: "a.mts",
        source: disposing,
        options: { module: "nodenext", lib: ["es2022", "esnext.disposable"] },
      },
    ],
    [
      "resolution of old",
      {
        file: "a.ts",
        source: esm,
        options: { module: "esnext", moduleResolution: "node10" },
        compilers: ["typescript5"],
      },
    ],
  ];
  for (const [
    name,
    { file, source, options, compilers = ["typescript5", "typescript"] },
  ] of cases) {
    for (const compiler of compilers) {
      it(`${name}, ${compiler}`, async () => {
        // Neither the DOM nor Node's types nor esnext.disposable, unless the case asks for them.
        const compilerOptions = {
          target: "es2022",
          lib: ["es2022"],
          types: [],
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          skipLibCheck: false,
          ...options,
        };
        const project = await consumer(`types ${name} ${compiler}`.replace(/\W+/g, "-"), {
          [file]: source,
          "tsconfig.json": JSON.stringify({ compilerOptions, files: [file] }),
        });
        await writeFile(join(project, "package.json"), JSON.stringify({ private: true }));
        const tsc = join(testsDir, "node_modules", compiler, "bin", "tsc");
        const { code, stdout, stderr } = await runToEnd(process.execPath, [tsc, "-p", "."], {
          cwd: project,
        });
        assert.equal(`${stdout}${stderr}`, "");
        assert.equal(code, 0);
      });
    }
  }
});
