//! The constants behind the behaviour, each with its reason. Those that a user can set are defaults.

/// The shortest time between two requests for one session, in milliseconds (`mergeWindowMs`): long enough that one
/// enrichment per millisecond becomes five requests per second, short enough to look live.
pub const MERGE_WINDOW_MS: u64 = 200;

/// How long a session's start waits for enrichments, in milliseconds. Applications mostly enrich a session right after
/// starting it, and both then share one request.
pub const START_WAITS_MS: u64 = 10;

/// How long one attempt may take, in milliseconds (`timeoutMs`).
pub const TIMEOUT_MS: u64 = 5_000;

/// How long an enrichment is retried, in milliseconds (`deadlineMs`): the time that a Worker's `waitUntil` grants.
pub const DEADLINE_MS: u64 = 30_000;

/// How long before a deadline retries stop, in milliseconds, because a backend takes that long to answer.
pub const LAST_TRY_MS: u64 = 100;

/// The most bytes of unsent enrichments in a page, for all sessions together (`maxQueueBytes`). The memory is the
/// visitor's.
pub const PAGE_QUEUE_BYTES: u64 = 4 * 1024 * 1024;

/// The same limit in an edge runtime: an eighth of the 128 MB that a Worker has.
/// <https://developers.cloudflare.com/workers/platform/limits/#memory>
pub const EDGE_QUEUE_BYTES: u64 = 16 * 1024 * 1024;

/// The same limit in a server process: a hundred thousand short enrichments, as a nightly job makes them, which take a
/// minute and a half to send.
pub const SERVER_QUEUE_BYTES: u64 = 64 * 1024 * 1024;

/// The longest time that a runtime's timer accepts, in milliseconds (2^31 - 1).
pub const MAX_TIMER_MS: u64 = 2_147_483_647;

/// Milliseconds before its end in which a ticket is renewed; of one that lasts less than four times as long, its
/// last quarter.
pub const RENEW_BEFORE_MS: u64 = 30_000;

/// How long past `timeoutMs`, in milliseconds, the shell may take to report an answer. A request that misses this lease
/// twice counts as lost: the runtime may have torn it down together with the timer that watched it.
pub const LEASE_GRACE_MS: u64 = 500;

/// The most requests in flight to one server from a page. A browser opens six connections to a host over HTTP/1.1, and
/// they belong to the site.
/// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/Connection_management_in_HTTP_1.x>
pub const PAGE_LIMIT: usize = 2;

/// The most requests in flight to one server from one request that an edge runtime serves: the number of connections
/// that a Worker may have open at once.
/// <https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>
pub const EDGE_LIMIT: usize = 6;

/// The first limit on requests in flight from a server process to one server, while nothing is known of that server.
/// TCP begins with as many packets, for the same reason (RFC 6928).
pub const FIRST_LIMIT: f64 = 10.0;

/// The most requests in flight from a server process to one server. A thousand requests a second at 200 ms need 200;
/// beyond that a process spends more time sending than on its own work.
pub const MOST_AT_ONCE: f64 = 256.0;

/// How long the limit on requests in flight takes to return to where it led to trouble, in milliseconds. Each return
/// costs some refused requests and, where the server says `Retry-After`, a second of silence. With a shorter time, a
/// server that takes fifty requests a second was used to less than four fifths; with a longer one, a server that can
/// handle more again would be discovered late.
pub const LIMIT_RECOVERY_MS: f64 = 20_000.0;

/// The shortest time between two polls of a request for what another request does on its behalf, in milliseconds. It
/// has to poll because promises do not work across requests.
pub const LOOK_ACROSS_MS: u64 = 20;

/// The longest time between two such polls, in milliseconds, however many requests there are.
pub const LOOK_ACROSS_MAX_MS: u64 = 2_000;

/// The time in which a request that waits for something polls at least once, in milliseconds.
pub const SCOPE_SILENCE_MS: u64 = 2 * LOOK_ACROSS_MAX_MS;

/// Missed polls in a row before other requests may send what a request left unsent. One missed poll is not enough: the
/// whole isolate may have been busy.
pub const SCOPE_ABSENT_AFTER: u32 = 2;

/// Missed polls in a row before a request counts as torn down: longer than the 30 s that Workers grant a request after
/// its response.
pub const SCOPE_GONE_AFTER: u32 = 12;

/// Failures in a row before a server counts as failing and is only probed. A single failure may be chance; even where a
/// third of all requests fail, two in a row are chance in only one case of ten.
pub const FAILING_AFTER: u32 = 2;

/// Single enrichments refused in a row, with nothing stored in between, before refusal counts as general. Where one in
/// ten is sound, that many in a row are refused once in a thousand times.
pub const GENERAL_REFUSAL: u32 = 64;

/// The same limit for a further session, once the server has refused that many of other sessions.
pub const GENERAL_REFUSAL_AGAIN: u32 = 4;

/// The fraction of a batch that is not halved further once refusal is general: a sixteenth, which takes 32 requests.
pub const SMALLEST_PIECE: usize = 16;

/// The first ceiling of the random wait before a retry, in milliseconds. It doubles with each failure.
pub const BACKOFF_BASE_MS: u64 = 250;

/// The highest ceiling of the random wait before a retry, in milliseconds.
pub const BACKOFF_CAP_MS: u64 = 8_000;

/// The size of an enrichment, in bytes, above which the backend's documentation advises to send less.
pub const LARGE_ENRICHMENT_BYTES: usize = 100 * 1024;

/// The most bytes that the backend accepts in one request.
pub const MAX_REQUEST_BYTES: usize = 5_000_000;

/// The bytes of a request that are reserved for what surrounds the enrichments: ids and field names.
pub const REQUEST_OVERHEAD_BYTES: usize = 1_024;

/// The bytes that an enrichment counts for besides its text. Measured with a hundred thousand of them: 340 in the
/// module, 700 if each has a session of its own, and half as many for its promise.
pub const PART_OVERHEAD_BYTES: usize = 512;

/// The most bytes in flight that may outlive their page. Browsers allow 64 KiB for all requests of a page, or of a
/// process, headers included.
/// <https://fetch.spec.whatwg.org/#http-network-or-cache-fetch>
pub const KEEPALIVE_BYTES: u64 = 60_000;

/// The most requests in flight that may outlive their page. Only one: where the server never answers, Chromium holds
/// the connection for half a minute, in which the visitor opens the next pages of the site.
pub const KEEPALIVE_REQUESTS: usize = 1;

/// How long a request may be without an answer, in milliseconds, before a page sends nothing alongside it. The server
/// may never answer.
pub const PAGE_SLOW_MS: u64 = 1_000;

/// How long an unsent enrichment is kept across page loads, in milliseconds. The data of a visitor who comes back within
/// a week is still sent; later nobody reads that session any more.
pub const KEPT_MS: u64 = 7 * 24 * 3_600_000;

/// How many different log lines are remembered, so that a warning is logged once and not once per request.
pub const REMEMBERED_LINES: usize = 64;

/// The nanoseconds added to the timestamp of what an earlier page left. That page numbered its requests from the
/// beginning of the same millisecond.
pub const LEFT_STAMP_NS: u64 = 500_000;

/// How many characters of a session's name a log line repeats.
pub const LONGEST_NAME: usize = 100;

/// How many servers without a tracer are remembered as having only the legacy routes.
pub const REMEMBERED_SERVERS: usize = 32;

/// If a tracer's `fetch` does not reach the server, how many other tracers of the session are checked for one whose
/// `fetch` does. Few, because every call checks them while a server is down.
pub const SENDERS_LOOKED_AT: usize = 8;

/// How many different settings are remembered, while a tracer uses them, so that tracers with the same options share
/// them. An application mostly makes all of its tracers in one place.
pub const REMEMBERED_SETTINGS: usize = 16;

/// How many metrics of a session have their last value remembered, so that `addMetrics` can add to it.
pub const REMEMBERED_METRICS: usize = 256;

/// How many timers may fire in one poll: enough for nearly every poll, but so few that thousands of timers that are due
/// together do not hold up the program.
pub const TIMERS_AT_ONCE: usize = 256;
