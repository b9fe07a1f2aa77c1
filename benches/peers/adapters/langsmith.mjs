// LangSmith: a session is a run, which is posted once and then patched.

import { Client } from "langsmith";
import { RunTree } from "langsmith/run_trees";

export function setup({ url }) {
  const client = new Client({ apiUrl: url, apiKey: "lsv2_bench" });
  /** @type {Map<string, RunTree>} */
  const runs = new Map();
  return {
    update(sessionId, key, payload) {
      let run = runs.get(sessionId);
      if (!run) {
        run = new RunTree({
          id: sessionId,
          name: "session",
          run_type: "chain",
          inputs: {},
          client,
        });
        runs.set(sessionId, run);
        void run.postRun();
      }
      const { trace_id, dotted_order } = run;
      const extra = { metadata: { [key]: payload } };
      void client.updateRun(run.id, { trace_id, dotted_order, extra });
    },
    flush: () => client.awaitPendingTraceBatches(),
  };
}
