// What the backend knows since it was last reset, but for the sessions themselves: the log, what was
// noticed of clients, the faults and the mode that are set.

import { faults } from "./faults.js";
import { DEFAULT_MODE } from "./mode.js";
import { requestLog } from "./request-log.js";
import { traffic } from "./traffic.js";

/** @typedef {Map<string, number>} Tally how often each was met */

/**
 * @typedef {object} Run
 * @property {ReturnType<typeof requestLog>} log
 * @property {ReturnType<typeof traffic>} traffic
 * @property {ReturnType<typeof faults>} faults
 * @property {import("./mode.js").Mode} mode
 * @property {{byRoute: Tally, byStatus: Tally, byFate: Tally}} counts
 * @property {AbortController} over aborted when the next run begins
 */

/**
 * @param {{logRecords: number, logBytes: number}} options
 * @returns {Run}
 */
export function newRun({ logRecords, logBytes }) {
  const watched = traffic();
  return {
    log: requestLog({ records: logRecords, bytes: logBytes, forget: watched.forget }),
    traffic: watched,
    faults: faults({ seed: 1, rules: [] }),
    mode: DEFAULT_MODE,
    counts: { byRoute: new Map(), byStatus: new Map(), byFate: new Map() },
    over: new AbortController(),
  };
}
