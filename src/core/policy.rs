//! The numbers behind the behaviour, each with its reason. Those a user can set are defaults here.

/// Milliseconds between two requests for one session (`mergeWindowMs`): long enough that an
/// enrichment a millisecond becomes five requests a second, short enough to look live.
pub const MERGE_WINDOW_MS: u64 = 200;

/// Milliseconds that a session's start waits for company: who starts a session mostly has
/// something to say about it at once, which then goes along in the same request.
pub const START_WAITS_MS: u64 = 10;

/// Milliseconds one attempt may take (`timeoutMs`).
pub const TIMEOUT_MS: u64 = 5_000;

/// Milliseconds an enrichment is retried (`deadlineMs`): what a Worker's `waitUntil` grants.
pub const DEADLINE_MS: u64 = 30_000;

/// Milliseconds before a deadline in which nothing is tried any more: a backend's answer takes as long.
pub const LAST_TRY_MS: u64 = 100;

/// Bytes of unsent enrichments held for all sessions together (`maxQueueBytes`) in a page, which is
/// the visitor's memory.
pub const PAGE_QUEUE_BYTES: u64 = 4 * 1024 * 1024;

/// The same at the edge: an eighth of the 128 MB that a Worker has.
/// <https://developers.cloudflare.com/workers/platform/limits/#memory>
pub const EDGE_QUEUE_BYTES: u64 = 16 * 1024 * 1024;

/// The same in a server process: a hundred thousand short enrichments, as of a nightly job, which take
/// a minute and a half to send.
pub const SERVER_QUEUE_BYTES: u64 = 64 * 1024 * 1024;

/// The longest span of milliseconds that a runtime's timer takes (2^31 - 1).
pub const MAX_TIMER_MS: u64 = 2_147_483_647;

/// Milliseconds past `timeoutMs`, and then once more, after which a request whose sender fell silent counts as
/// lost: its request may have been torn down by the runtime together with the timer that watched it.
pub const LEASE_GRACE_MS: u64 = 500;

/// Requests in flight to one server from a page: a browser opens six connections to a host over
/// HTTP/1.1, and they are the site's.
/// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/Connection_management_in_HTTP_1.x>
pub const PAGE_LIMIT: usize = 2;

/// Requests in flight to one server from one request that an edge runtime serves: what a Worker may
/// have open at once.
/// <https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>
pub const EDGE_LIMIT: usize = 6;

/// Requests in flight to one server from a server process of which nothing is known yet: what TCP
/// begins with in packets, for the same reason (RFC 6928).
pub const FIRST_LIMIT: f64 = 10.0;

/// Requests in flight to one server from a server process at most. A thousand requests a second at
/// 200 ms need 200; beyond that a process is busier with sending than with its own work.
pub const MOST_AT_ONCE: f64 = 256.0;

/// Milliseconds after which the limit on requests in flight is back where it led to trouble. Each
/// such look costs some refused requests and, where the server says `Retry-After`, a second of silence.
/// With less, a server that takes fifty requests a second was used to less than four fifths; with more, one that
/// bears more again would be found out late.
pub const LIMIT_RECOVERY_MS: f64 = 20_000.0;

/// Milliseconds at least between two looks of a request at what another one does on its behalf: no
/// promise can tell across requests.
pub const LOOK_ACROSS_MS: u64 = 20;

/// Milliseconds at most between two such looks, however many requests there are.
pub const LOOK_ACROSS_MAX_MS: u64 = 2_000;

/// Milliseconds in which a request that has something to wait for comes to look at least once.
pub const SCOPE_SILENCE_MS: u64 = 2 * LOOK_ACROSS_MAX_MS;

/// Such times in a row without a look after which others may send what a request left unsent. Not
/// the first: the whole isolate may have been busy.
pub const SCOPE_ABSENT_AFTER: u32 = 2;

/// Such times in a row without a look after which a request counts as torn down: more than what
/// Workers grant it after its answer (30 s).
pub const SCOPE_GONE_AFTER: u32 = 12;

/// Failures in a row after which a server counts as failing and is only probed. One alone is
/// chance; where a third of all requests fail, two in a row still are in nine cases of ten.
pub const FAILING_AFTER: u32 = 2;

/// Single enrichments refused in a row, and none stored in between, after which refusal is taken to be
/// general. Where one in ten is sound, so many in a row are refused once in a thousand times.
pub const GENERAL_REFUSAL: u32 = 64;

/// As many for a further session, where the server has refused so many of others.
pub const GENERAL_REFUSAL_AGAIN: u32 = 4;

/// Which part of a batch is looked into no further where refusal is general: a sixteenth, which is 32 requests.
pub const SMALLEST_PIECE: usize = 16;

/// First ceiling of the random wait before a retry, in milliseconds; doubled each time.
pub const BACKOFF_BASE_MS: u64 = 250;

/// Highest ceiling of the random wait before a retry, in milliseconds.
pub const BACKOFF_CAP_MS: u64 = 8_000;

/// Bytes of one enrichment beyond which the backend's documents ask to think again.
pub const LARGE_ENRICHMENT_BYTES: usize = 100 * 1024;

/// Bytes the backend takes in one request.
pub const MAX_REQUEST_BYTES: usize = 5_000_000;

/// Bytes kept free in a request for what surrounds the enrichments: ids and field names.
pub const REQUEST_OVERHEAD_BYTES: usize = 1_024;

/// Bytes counted for an enrichment beside its text. Measured with a hundred thousand of them: 340 in the module,
/// 700 where each is of a session of its own, and half as many for its promise.
pub const PART_OVERHEAD_BYTES: usize = 512;

/// Bytes of requests in flight that may outlive their page: browsers allow 64 KiB for all of a page's,
/// or a process', headers included.
/// <https://fetch.spec.whatwg.org/#http-network-or-cache-fetch>
pub const KEEPALIVE_BYTES: u64 = 60_000;

/// Requests in flight that may outlive their page. One alone: where the server never answers, Chromium holds
/// its connection for half a minute, in which the site's visitor opens the next pages.
pub const KEEPALIVE_REQUESTS: usize = 1;

/// Milliseconds after which a page sends nothing beside a request that has no answer yet: the server may
/// never answer.
pub const PAGE_SLOW_MS: u64 = 1_000;

/// Milliseconds that an unsent enrichment is kept across page loads: a visitor who comes back
/// within a week is heard; later nobody reads that session any more.
pub const KEPT_MS: u64 = 7 * 24 * 3_600_000;

/// Different log lines remembered so that a warning is said once and not once a request.
pub const REMEMBERED_LINES: usize = 64;

/// Nanoseconds into a millisecond of what an earlier page said in it and left: that page counted its requests up
/// from the millisecond's beginning.
pub const LEFT_STAMP_NS: u64 = 500_000;

/// Characters of a session's name that a log line repeats.
pub const LONGEST_NAME: usize = 100;

/// Servers without any tracer that are remembered as knowing only the legacy routes.
pub const REMEMBERED_SERVERS: usize = 32;

/// Other tracers of a session that are looked at for one whose `fetch` reaches the server, where one's does not:
/// few, as it is done with each call while a server is down.
pub const SENDERS_LOOKED_AT: usize = 8;

/// Different settings remembered, as long as a tracer has them, so that tracers which work alike
/// share them: an application mostly makes all of its tracers in one place.
pub const REMEMBERED_SETTINGS: usize = 16;

/// Metrics whose last value is remembered for a session, so that `addMetrics` can add to them.
pub const REMEMBERED_METRICS: usize = 256;

/// Timers that fire in one look: so many that in a look mostly all do, so few that thousands which are
/// due together do not hold up the program around.
pub const TIMERS_AT_ONCE: usize = 256;
