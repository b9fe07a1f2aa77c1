// The numbers that stand for something in calls between the face and the core. The core has the same under the same names,
// in src/js/boundary.rs.

/** In place of a status: no answer came, for a reason that may pass. */
export const NO_ANSWER = -1;
/** In place of a status: no answer came in time. */
export const LATE = -2;
/** In place of a status: no request can be sent, or no answer understood. */
export const UNUSABLE = -3;

/** What `turn` reports: a worker resumes. */
export const WORKER_GOES_ON = 0;
/** A document resumes. */
export const DOCUMENT_GOES_ON = 1;
/** The page is frozen or left. */
export const LEAVES = 2;
/** There is no network. */
export const OFFLINE = 3;
/** The page is in the browser's back-forward cache. */
export const RESTS = 4;
/** The page is hidden. */
export const HIDES = 5;
/** The page begins while other pages have had entries unsent for longer than they should. */
export const DOUBTS = 6;
/** The page is about to be hidden or left, and its store cannot be written. */
export const STORE_FAILS = 7;
