// Angular with zone.js, whose compiler makes generators of async functions: an application that is built for production,
// in Chromium. Its own code and the scenarios run inside of Angular's zone.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { checkReport } from "../../scenarios/check.mjs";
import { startBackends } from "../../support/backends.mjs";
import { pageScript, reportOfChromium } from "../../support/site.mjs";
import { application, command, runBuild } from "../framework.mjs";

const names = ["guide", "fields"];

const files = {
  "package.json": JSON.stringify({ name: "app", private: true }),
  "angular.json": JSON.stringify({
    version: 1,
    projects: {
      app: {
        projectType: "application",
        root: "",
        sourceRoot: "src",
        architect: {
          build: {
            builder: "@angular/build:application",
            options: {
              outputPath: "dist",
              index: "src/index.html",
              browser: "src/main.ts",
              polyfills: ["zone.js"],
              tsConfig: "tsconfig.json",
              progress: false,
              // The package is larger than what Angular's template warns of.
              budgets: [],
            },
          },
        },
      },
    },
  }),
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      target: "ES2022",
      module: "preserve",
      lib: ["ES2022", "dom", "dom.iterable"],
      types: [],
      strict: false,
      allowJs: true,
      skipLibCheck: true,
      experimentalDecorators: true,
    },
    files: ["src/main.ts"],
  }),
  "src/index.html": `<!doctype html>
    <html lang="en">
      <head><link rel="icon" href="data:," /></head>
      <body><app-root></app-root></body>
    </html>
  `,
  "page.mjs": pageScript("honeyhive-edge").replace("void main();", ""),
  "src/main.ts": `
    import { Component, NgZone, provideZoneChangeDetection } from "@angular/core";
    import { bootstrapApplication } from "@angular/platform-browser";
    import { main } from "../page.mjs";

    declare const Zone: { current: { name: string } };

    @Component({ selector: "app-root", template: "<p>{{ zone }}</p>" })
    class App {
      zone = "";
      async ngOnInit() {
        await Promise.resolve();
        this.zone = Zone.current.name;
        if (this.zone !== "angular") throw new Error("not in Angular's zone: " + this.zone);
        await main();
      }
    }

    bootstrapApplication(App, { providers: [provideZoneChangeDetection()] }).catch(console.error);
  `,
};

it("Angular with zone.js, in Chromium", async (t) => {
  const cwd = await application("angular", "app", files);
  const said = await runBuild(cwd, [command("angular", "@angular/cli/bin/ng.js"), "build"]);
  assert.doesNotMatch(said, /honeyhive-edge/, "the build is quiet about it");
  const backends = await startBackends();
  t.after(() => backends.close());
  const wanted = { names, params: backends.params };
  const report = await reportOfChromium(t, join(cwd, "dist/browser"), wanted);
  await checkReport(t, report, { names, backends });
});
