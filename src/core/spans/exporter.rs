//! Ended spans on their way to the backend: what is sent when, what is tried again, and what
//! became of each export. The rules are those of enrichments; spans just need no merging.
//!
//! Spans wait in a line for each request scope, and a line has one request in flight. What comes
//! meanwhile goes out together in the next.

use super::line::{Batch, Item, Line};
use super::otlp;
use crate::core::concurrency::Place;
use crate::core::json::{Numerals, members};
use crate::core::log::Line as LogLine;
use crate::core::options::Options;
use crate::core::outcome::Reason;
use crate::core::policy::{MAX_REQUEST_BYTES, REMEMBERED_LINES, REQUEST_OVERHEAD_BYTES};
use crate::core::retry::backoff_ms;
use crate::core::settings::Settings;
use crate::core::time::Now;
use crate::core::wire::{Answer, Refusal, Request, Routes, Verdict, judge, request};

/// Where the backend takes spans.
const PATH: &str = "/opentelemetry/v1/traces";

/// Milliseconds between two tries at least: with less time left there is none.
const LAST_TRY_MS: u64 = 100;

/// Milliseconds past the time at which the shell should have asked again after which its request counts
/// as torn down by the runtime, timers and all.
const GONE_AFTER_MS: u64 = 30_000;

/// One exporter: its settings, and what it was given.
#[derive(Debug)]
pub struct Exporter {
    settings: Settings,
    random: fastrand::Rng,
    lines: Vec<Line>,
    /// Exports that have not ended.
    calls: Vec<Call>,
    last_call: u64,
    /// Of all spans that have not ended.
    bytes: u64,
    log: Vec<LogLine>,
    /// Lines that were said already.
    said: Vec<String>,
}

/// What the shell is to do next in a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Send a request, and report what comes of it with [`Exporter::answered`].
    Send {
        /// Which `fetch`.
        transport: u32,
        /// When to abort it.
        timeout_ms: u64,
        /// What to send.
        request: Request,
    },
    /// Tell that an export has ended, and why it failed if it did.
    Ended {
        /// The number it was given.
        call: u64,
        /// A code and a sentence.
        why: Option<String>,
    },
    /// Log a line.
    Log(LogLine),
    /// Ask again after so many milliseconds.
    Wait(u64),
    /// Nothing is left.
    Rest,
}

#[derive(Debug)]
struct Call {
    id: u64,
    /// Spans that have not ended.
    left: usize,
    why: Option<String>,
}

impl Exporter {
    /// An exporter with these options, the JSON of an object as [`Options`] describes it.
    pub fn new(options: &str, numerals: Numerals, seed: u64) -> Exporter {
        let mut log = Vec::new();
        let settings = Settings::resolve(&Options::of(options, numerals), Place::Page, &mut log);
        log.retain(|line| line.level <= settings.log_level);
        let random = fastrand::Rng::with_seed(seed);
        let (lines, calls, said) = (Vec::new(), Vec::new(), Vec::new());
        Exporter { settings, random, lines, calls, last_call: 0, bytes: 0, log, said }
    }

    /// Takes the spans of an export, as [`otlp::read`] describes them. Returns its number, and
    /// whether the shell has to begin asking [`Exporter::next`] for this scope.
    pub fn export(&mut self, json: &str, scope: u64, now: Now) -> (u64, bool) {
        self.last_call += 1;
        let call = self.last_call;
        let spans = otlp::read(json).unwrap_or_default();
        let left = spans.len();
        self.calls.push(Call { id: call, left, why: None });
        let begins = !self.lines.iter().any(|line| line.scope == scope);
        if begins {
            self.lines.push(Line { scope, due_at: now.mono_ms, ..Line::default() });
        }
        self.forget_the_gone(scope, now);
        let place = self.lines.iter().position(|line| line.scope == scope).unwrap_or_default();
        let deadline = now.mono_ms.saturating_add(self.settings.deadline_ms);
        let (mut queued, mut too_large) = (Vec::new(), Vec::new());
        for span in spans {
            let fits = span.bytes() <= MAX_REQUEST_BYTES - REQUEST_OVERHEAD_BYTES;
            let item = Item { call, deadline, span };
            if fits { queued.push(item) } else { too_large.push(item) }
        }
        let bytes: u64 = queued.iter().map(Item::bytes).sum();
        let is_full = self.bytes + bytes > self.settings.max_queue_bytes;
        if self.settings.destination.is_none() {
            self.give_up(place, queued, Reason::Disabled, "no key was found, or `disabled` is set");
        } else if is_full {
            let message = "maxQueueBytes of unsent spans are waiting already";
            self.give_up(place, queued, Reason::QueueFull, message);
        } else {
            self.bytes += bytes;
            self.lines[place].queued.extend(queued);
        }
        self.give_up(place, too_large, Reason::TooLarge, "a span is over 5 MB");
        if left == 0 {
            self.end(place, call, 0, None);
        }
        (call, begins)
    }

    /// What to do next in `scope`.
    pub fn next(&mut self, scope: u64, now: Now) -> Next {
        if !self.log.is_empty() {
            return Next::Log(self.log.remove(0));
        }
        let Some(place) = self.lines.iter().position(|line| line.scope == scope) else {
            return Next::Rest;
        };
        let late = self.lines[place].take_late(now.mono_ms);
        if !late.is_empty() {
            let why = self.lines[place].why.clone();
            self.give_up_late(place, late, &why);
        }
        let line = &mut self.lines[place];
        if let Some(ended) = line.ended.pop_front() {
            return ended;
        }
        if line.is_empty() {
            self.lines.remove(place);
            return Next::Rest;
        }
        if line.ready_at > now.mono_ms {
            let until = line.items().map(|item| item.deadline).fold(line.ready_at, u64::min);
            line.due_at = until;
            return Next::Wait(until.saturating_sub(now.mono_ms).max(1));
        }
        self.send(place, now)
    }

    /// Whether all it was given has ended.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.lines.is_empty()
    }

    /// Bytes of the spans that have not ended.
    pub fn held_bytes(&self) -> u64 {
        self.bytes
    }

    fn send(&mut self, place: usize, now: Now) -> Next {
        let Some(destination) = &self.settings.destination else { return Next::Rest };
        let timeout_ms = self.settings.timeout_ms;
        let line = &mut self.lines[place];
        let batch = line.next_batch(now.unix_ms.saturating_mul(1_000_000));
        let body = otlp::request(batch.items.iter().map(|item| &item.span));
        let request = request(destination, "POST", PATH, body, batch.stamp_ns);
        line.flight = Some(batch);
        line.due_at = now.mono_ms.saturating_add(timeout_ms);
        line.ready_at = now.mono_ms.saturating_add(self.settings.merge_window_ms);
        Next::Send { transport: destination.transport, timeout_ms, request }
    }

    /// What came of the request that was in flight in `scope`.
    pub fn answered(&mut self, scope: u64, answer: &Answer, now: Now) {
        let Some(place) = self.lines.iter().position(|line| line.scope == scope) else { return };
        let line = &mut self.lines[place];
        line.due_at = now.mono_ms;
        let (Some(batch), Some(destination)) =
            (line.flight.take(), self.settings.destination.clone())
        else {
            return;
        };
        match judge(answer, false, Routes::V1, Some(&destination), now) {
            Verdict::Stored { .. } => {
                line.failures = 0;
                self.say_what_was_left_out(answer);
                for item in batch.items {
                    self.bytes -= item.bytes();
                    self.end(place, item.call, 1, None);
                }
            }
            Verdict::Retry { after_ms, why } => {
                line.failures = line.failures.saturating_add(1);
                let deadline = batch.items.iter().map(|item| item.deadline).max();
                let left = deadline.unwrap_or_default().saturating_sub(now.mono_ms);
                // Chance must not waste the time that is left, nor be spent on a flurry at its end.
                let backoff = backoff_ms(line.failures, &mut self.random).min(left / 4 * 3);
                let wait = after_ms.unwrap_or(backoff).max(LAST_TRY_MS);
                line.ready_at = now.mono_ms.saturating_add(wait);
                line.why.clone_from(&why);
                let (late, again): (Vec<_>, _) =
                    batch.items.into_iter().partition(|item| item.deadline <= line.ready_at);
                if !again.is_empty() {
                    line.again.push_front(Batch { items: again, ..batch });
                }
                self.give_up_late(place, late, &why);
            }
            Verdict::Refused(refusal) if refusal.may_be_one_of_many() && batch.items.len() > 1 => {
                line.ready_at = now.mono_ms;
                let mut first = batch.items;
                let second = first.split_off(first.len() / 2);
                for items in [second, first] {
                    line.again.push_front(Batch { items, stamp_ns: batch.stamp_ns });
                }
            }
            Verdict::NoSession(Refusal::Request { status: 405, .. }) | Verdict::TryRoutes(_) => {
                line.ready_at = now.mono_ms;
                let refusal = Refusal::NoHoneyHive { why: ["no route ", PATH].concat() };
                let message = refusal.message(&destination.server);
                self.refund_and_give_up(place, batch.items, Reason::Rejected, &message);
            }
            Verdict::Refused(refusal) | Verdict::NoSession(refusal) => {
                line.ready_at = now.mono_ms;
                let message = refusal.message(&destination.server);
                self.refund_and_give_up(place, batch.items, Reason::Rejected, &message);
            }
        }
    }

    /// The runtime allows the shell no timer in `scope`: what waits there is given up.
    pub fn no_timer(&mut self, scope: u64) {
        let Some(place) = self.lines.iter().position(|line| line.scope == scope) else { return };
        let late = self.lines[place].take_late(u64::MAX);
        let message = "the runtime allows no timer here";
        self.refund_and_give_up(place, late, Reason::RetriesExhausted, message);
    }

    /// Gives up the lines of which the shell never spoke again; `scope`, which lives, is told.
    fn forget_the_gone(&mut self, scope: u64, now: Now) {
        let is_gone = |line: &Line| {
            let gone_at = line.due_at.saturating_add(GONE_AFTER_MS);
            line.scope != 0 && line.scope != scope && gone_at < now.mono_ms
        };
        while let Some(gone) = self.lines.iter().position(is_gone) {
            let mut line = self.lines.remove(gone);
            let place = self.lines.iter().position(|line| line.scope == scope).unwrap_or_default();
            self.lines[place].ended.append(&mut line.ended);
            let message = "the runtime ended the request they came from";
            let items = line.into_items();
            self.refund_and_give_up(place, items, Reason::RetriesExhausted, message);
        }
    }

    fn give_up_late(&mut self, place: usize, items: Vec<Item>, why: &str) {
        let message = ["it kept failing until deadlineMs was over: ", why].concat();
        self.refund_and_give_up(place, items, Reason::RetriesExhausted, &message);
    }

    fn refund_and_give_up(
        &mut self,
        place: usize,
        items: Vec<Item>,
        reason: Reason,
        message: &str,
    ) {
        self.bytes -= items.iter().map(Item::bytes).sum::<u64>();
        self.give_up(place, items, reason, message);
    }

    fn give_up(&mut self, place: usize, items: Vec<Item>, reason: Reason, message: &str) {
        if items.is_empty() {
            return;
        }
        let destination = self.settings.destination.as_ref();
        let message = destination.map_or(message.to_owned(), |it| it.without_key(message));
        let why = [reason.code(), ": ", &message].concat();
        self.say(LogLine {
            level: reason.level(),
            message: ["spans were dropped (", reason.code(), "): ", &message].concat(),
        });
        for item in items {
            self.end(place, item.call, 1, Some(&why));
        }
    }

    /// So many spans of a call have ended; with the last of them the call has.
    fn end(&mut self, place: usize, call: u64, spans: usize, why: Option<&str>) {
        let Some(at) = self.calls.iter().position(|known| known.id == call) else { return };
        let known = &mut self.calls[at];
        known.left -= spans;
        if known.why.is_none() {
            known.why = why.map(str::to_owned);
        }
        if known.left == 0 {
            let Call { why, .. } = self.calls.swap_remove(at);
            self.lines[place].ended.push_back(Next::Ended { call, why });
        }
    }

    /// <https://opentelemetry.io/docs/specs/otlp/#partial-success-1>
    fn say_what_was_left_out(&mut self, answer: &Answer) {
        let Answer::Http { body, .. } = answer else { return };
        let of = |json: &str, name: &str| {
            members(json)?.into_iter().find(|(key, _)| *key == name).map(|(_, it)| it.to_owned())
        };
        let partial = of(body, "\"partialSuccess\"").unwrap_or_default();
        let rejected = of(&partial, "\"rejectedSpans\"").unwrap_or_default();
        // A number, which JSON's form of the protocol may write as a text; a server's text is not repeated.
        let rejected: u64 = rejected.trim_matches('"').parse().unwrap_or(0);
        if rejected > 0 {
            let count = rejected.to_string();
            self.say(LogLine::warn("the backend left out {} spans of a request", &[&count]));
        }
    }

    fn say(&mut self, line: LogLine) {
        if line.level > self.settings.log_level || self.said.contains(&line.message) {
            return;
        }
        if self.said.len() >= REMEMBERED_LINES {
            self.said.clear();
        }
        self.said.push(line.message.clone());
        self.log.push(line);
    }
}
