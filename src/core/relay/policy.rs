//! The numbers behind the relay's behaviour, each with its reason. Those a user can set are
//! defaults here.

use crate::core::session::UUID_LENGTH;

/// Seconds a ticket is good for (`expiresIn`): a visit.
pub const TICKET_S: u64 = 3_600;

/// Seconds a ticket may be good for: beyond a month nobody knows any more where it has been.
pub const LONGEST_TICKET_S: u64 = 30 * 24 * 3_600;

/// Events that a ticket may name: the answers of a long conversation, in a header of two kilobytes.
pub const MOST_EVENTS: usize = 50;

/// Characters of a ticket at most: all fields, as many events, and a bit.
pub const LONGEST_TICKET: usize = 256 + MOST_EVENTS * (UUID_LENGTH + 1);

/// Characters of a secret that counts as one.
pub const SHORTEST_SECRET: usize = 32;

/// Requests that a ticket is good for in a window (`rate`): a tracer sends at most five a second.
pub const RATE_REQUESTS: u64 = 300;

/// Seconds of that window.
pub const RATE_SECONDS: u64 = 60;

/// Tickets whose rate is remembered: 24 bytes each.
pub const REMEMBERED_TICKETS: usize = 8_192;

/// Bytes of a request's body (`maxBodyBytes`): the backend asks for enrichments below 100 KB, and a
/// message of Cloudflare's queues has 128 KB.
pub const MAX_BODY_BYTES: u64 = 100 * 1024;

/// Bytes of a queue's message at most: Cloudflare's queues take 128 KB, of a thousand bytes each, and keep up
/// to a hundred bytes of their own in it.
/// <https://developers.cloudflare.com/queues/platform/limits/>
pub const MAX_MESSAGE_BYTES: usize = 128_000 - 100;

/// Levels of objects and lists in a body: a tracer writes 102.
pub const MAX_DEPTH: usize = 128;

/// Requests with a right ticket that may be under way at once: what each is about and the inputs of a
/// start, some kilobytes, in the 128 MB that an isolate has.
pub const MAX_UNDER_WAY: usize = 4_096;

/// Milliseconds that a step of a request may last beyond `timeoutMs`, by a runtime that is busy.
pub const LATE_MS: u64 = 10_000;

/// Seconds after which who found no place is to come again: by then most requests under way are over.
pub const BUSY_S: u64 = 1;

/// Milliseconds that a queue's batch can take: Cloudflare ends a consumer after 15 minutes.
pub const LONGEST_BATCH_MS: u64 = 15 * 60_000;

/// Milliseconds after which nothing more of a batch is sent: what is on its way then has three minutes left.
pub const BATCH_SENDS_MS: u64 = 12 * 60_000;

/// Milliseconds since the backend last answered well for which a batch waits for it. An outage that is longer is left
/// to the queue, which can wait for hours.
pub const BATCH_PATIENCE_MS: u64 = 10_000;

/// Milliseconds by which the clock of a consumer may be behind that of a relay.
pub const CLOCKS_DIFFER_MS: u64 = 5 * 60_000;

/// Requests of a batch on their way at once. Workers open six connections and let the rest wait, without an error:
/// with four times as many the last one still goes in time where the backend takes a second.
/// <https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>
pub const CONSUMER_LIMIT: usize = 24;

/// Seconds after which a message that was not delivered comes again first (`retryDelay`): what the documents set for
/// the queue.
pub const RETRY_DELAY_S: u64 = 10;

/// Seconds between two attempts of a message at most, but where the backend asks for more: after an outage all is
/// there ten minutes later.
pub const REDELIVERY_CAP_S: u64 = 600;

/// Where the relay is (`path`).
pub const PATH: &str = "/honeyhive";

/// Seconds that a browser remembers the answer to a preflight: two hours, Chromium's limit.
pub const PREFLIGHT_S: &str = "7200";

/// Seconds that a message may be told to wait: Cloudflare's queues take 12 hours.
pub const LONGEST_WAIT_S: u64 = 12 * 3_600;

/// Milliseconds that a consumer remembers what it delivered: an hour, and where a message of the session was told to
/// wait, an hour longer than that.
pub const REMEMBERED_MESSAGES_MS: u64 = 3_600_000;

/// Bytes of what a consumer remembers: some ten thousand messages, in 128 MB that an isolate has.
pub const REMEMBERED_MESSAGES_BYTES: usize = 4 * 1024 * 1024;
