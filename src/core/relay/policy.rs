//! The numbers behind the relay's behaviour, each with its reason. Numbers that a user can set are defaults.

use crate::core::session::UUID_LENGTH;

/// Seconds that a ticket is valid by default (`expiresIn`): the length of a visit.
pub const TICKET_S: u64 = 3_600;

/// The most seconds that a ticket may be valid. After more than a month, nobody knows where it has been.
pub const LONGEST_TICKET_S: u64 = 30 * 24 * 3_600;

/// The most events that a ticket may name: the answers of a long conversation, in a header of two kilobytes.
pub const MOST_EVENTS: usize = 50;

/// The most characters of a ticket: all fields, the most events, and a margin.
pub const LONGEST_TICKET: usize = 256 + MOST_EVENTS * (UUID_LENGTH + 1);

/// The least characters of a secret.
pub const SHORTEST_SECRET: usize = 32;

/// Requests that a ticket allows in a window by default (`rate`). A tracer sends at most five a second.
pub const RATE_REQUESTS: u64 = 300;

/// Seconds in that window.
pub const RATE_SECONDS: u64 = 60;

/// How many tickets are remembered for their rate, with 24 bytes each.
pub const REMEMBERED_TICKETS: usize = 8_192;

/// Of how many sessions a relay remembers the last message that it put into the queue: some hundred kilobytes.
pub const REMEMBERED_SEQUENCES: usize = 8_192;

/// The most bytes of a request's body by default (`maxBodyBytes`). The backend asks for enrichments below 100 KB, and
/// a message of Cloudflare's queues has at most 128 KB.
pub const MAX_BODY_BYTES: u64 = 100 * 1024;

/// The most bytes of a queue's message. Cloudflare's queues take 128 KB of a thousand bytes each, and use up to a
/// hundred bytes of them.
/// <https://developers.cloudflare.com/queues/platform/limits/>
pub const MAX_MESSAGE_BYTES: usize = 128_000 - 100;

/// The most levels of objects and lists in a body. A tracer writes at most 102.
pub const MAX_DEPTH: usize = 128;

/// The most verified requests that may be under way. Each takes some kilobytes for its target and the inputs of a
/// start, of the 128 MB of an isolate.
pub const MAX_UNDER_WAY: usize = 4_096;

/// Milliseconds that a step of a request may take beyond `timeoutMs` if the runtime is busy.
pub const LATE_MS: u64 = 10_000;

/// Seconds after which a client that found the relay busy is to try again. By then most requests under way have
/// ended.
pub const BUSY_S: u64 = 1;

/// Milliseconds that a queue's batch may take: Cloudflare ends a consumer after 15 minutes.
pub const LONGEST_BATCH_MS: u64 = 15 * 60_000;

/// Milliseconds after which nothing more of a batch is sent, which leaves requests in flight three minutes.
pub const BATCH_SENDS_MS: u64 = 12 * 60_000;

/// Milliseconds that a batch waits for the backend since its last proper answer. A longer outage is left to the
/// queue, which can wait for hours.
pub const BATCH_PATIENCE_MS: u64 = 10_000;

/// Milliseconds by which a consumer's clock may be behind a relay's.
pub const CLOCKS_DIFFER_MS: u64 = 5 * 60_000;

/// The most requests of a batch in flight. Workers open six connections and let further requests wait without an
/// error. With four times as many, the last one still ends in time if the backend takes a second.
/// <https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>
pub const CONSUMER_LIMIT: usize = 24;

/// The most requests in which the messages of one session and batch are sent, apart from those that a refusal or a start
/// takes. They are sent one after the other, so a session with many more of them would hold up all others: a batch of a
/// hundred new sessions takes about eight times as long as a request. Beyond that, neighbours are merged although another
/// isolate may have a message between them.
pub const MAX_RUNS: usize = 32;

/// Seconds after which the queue brings an undelivered message again by default (`retryDelay`), as the documents set
/// it for the queue.
pub const RETRY_DELAY_S: u64 = 10;

/// The most seconds between two attempts of a message, unless the backend asks for more. Ten minutes after an outage,
/// everything is delivered.
pub const REDELIVERY_CAP_S: u64 = 600;

/// The path of the relay by default (`path`).
pub const PATH: &str = "/honeyhive";

/// Seconds that a browser may remember the answer to a preflight: two hours, which is Chromium's limit.
pub const PREFLIGHT_S: &str = "7200";

/// The most seconds that a message may be told to wait: Cloudflare's queues allow 12 hours.
pub const LONGEST_WAIT_S: u64 = 12 * 3_600;

/// Milliseconds that a consumer remembers what it delivered: an hour, and an hour beyond the wait of a message that
/// was told to wait.
pub const REMEMBERED_MESSAGES_MS: u64 = 3_600_000;

/// The most bytes that a consumer remembers: some ten thousand messages, of the 128 MB of an isolate.
pub const REMEMBERED_MESSAGES_BYTES: usize = 4 * 1024 * 1024;
