// The first example of docs/opentelemetry.md, as it stands there.

import assert from "node:assert/strict";
import { it } from "node:test";
import { blocksRunBy } from "../docs/documents.mjs";
import { node } from "../support/binaries.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { runToEnd } from "../support/child.mjs";
import { spanProject } from "./project.mjs";
import { sessionWithSpans } from "./spans.check.mjs";

it("the first example works when it is pasted", async (t) => {
  const backends = await startBackends();
  t.after(() => backends.close());
  const [example] = await blocksRunBy("tests/otel/docs.test.mjs");
  const { code, stdout, stderr } = await runToEnd(node("26"), ["example.mts"], {
    cwd: await spanProject("docs", { "example.mts": example.text }),
    env: { HH_API_KEY: KEYS.main, HH_API_URL: backends.v1.url },
  });
  assert.equal(`${stdout}${stderr}`, "");
  assert.equal(code, 0);
  const [{ event }, ...more] = await backends.v1.sessions();
  assert.equal(more.length, 0);
  assert.equal(event.session_name, "checkout");
  assert.deepEqual(event.user_properties, { user_id: "u1" });
  const { spans } = await sessionWithSpans(backends, event.session_id);
  assert.deepEqual(
    spans.map(({ name, attributes }) => [name, attributes["honeyhive_metrics.tokens"]]),
    [["answer", 512]],
  );
});
