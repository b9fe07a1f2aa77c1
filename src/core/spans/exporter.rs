//! An exporter of ended spans: its options, the requests that carry spans, and its log lines. The delivery [`Engine`]
//! decides when something is sent and when it is tried again.
//!
//! V8 compiles a function of WebAssembly anew, at its best, once the bytes of its calls have added up, and takes longer
//! the larger it is. So the steps of a request, which is made a few times a second, are not inlined into each other: as
//! one function they were compiled after 25 requests, for 50 ms of a processor.

use std::collections::{HashMap, VecDeque};

use super::otlp::{self, Origins, ReadSpans, Span};
use crate::core::concurrency::Place;
use crate::core::delivery::engine::{Accepted, DeliveryStep, Engine};
use crate::core::delivery::limits::Limits;
use crate::core::delivery::unit::Loss;
use crate::core::json::{Numerals, members};
use crate::core::log::{Line, LoggedLines};
use crate::core::options::Options;
use crate::core::outcome::Reason;
use crate::core::policy::MOST_AT_ONCE;
use crate::core::settings::{Destination, Settings};
use crate::core::time::{ForwardClock, Now};
use crate::core::wire::{Answer, RefusalReason, Request, Routes, Verdict, judge, request};

/// The backend's route for spans.
const PATH: &str = "/opentelemetry/v1/traces";

/// The size in bytes at which a request takes no further span. A runtime's `fetch` copies each body and may open a
/// connection for it, so few requests cost less than many. But a page's connection may be slow, and a request must
/// end in time.
fn full_request_bytes(place: Place) -> usize {
    match place {
        Place::Page => 1_000_000,
        Place::EdgeRequest | Place::ServerProcess => 4_000_000,
    }
}

/// An exporter: its settings, and the spans it was given.
#[derive(Debug)]
pub struct Exporter {
    settings: Settings,
    clock: ForwardClock,
    engine: Engine<Span>,
    origins: Origins,
    /// The spans of exports that are not complete yet.
    parts: HashMap<u64, ReadSpans>,
    last_part: u64,
    log: VecDeque<Line>,
    /// The lines that were logged already.
    logged: LoggedLines,
}

/// What the shell is to do next in a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportAction {
    /// Send a request, and report its answer to [`Exporter::answered`].
    Send {
        /// The number of the request.
        flight: u64,
        /// The number of the `fetch` to use.
        transport: u32,
        /// Milliseconds after which to abort the request.
        timeout_ms: u64,
        /// The request.
        request: Request,
    },
    /// Report that an export has ended.
    Ended {
        /// The number of the export.
        call: u64,
        /// Why it failed, if it did: a code and a sentence.
        why: Option<String>,
    },
    /// Log a line.
    Log(Line),
    /// Ask again after this many milliseconds, or earlier after an answer or a call. `None` waits for those alone.
    Wait(Option<u64>),
    /// Nothing is left to do.
    Rest,
}

impl Exporter {
    /// Makes an exporter for this kind of place. `options` is the JSON of an object, as [`Options`] describes it.
    pub fn new(options: &str, numerals: Numerals, place: Place, seed: u64) -> Exporter {
        let mut log = Vec::new();
        let settings = Settings::resolve(&Options::of(options, numerals), place, &mut log);
        log.retain(|line| line.level <= settings.log_level);
        let limits = Limits {
            timeout_ms: settings.timeout_ms,
            deadline_ms: settings.deadline_ms,
            merge_window_ms: settings.merge_window_ms,
            max_queue_bytes: settings.max_queue_bytes,
            max_concurrency: settings.max_concurrency.unwrap_or(MOST_AT_ONCE as usize),
            full_request_bytes: full_request_bytes(place),
        };
        Exporter {
            settings,
            clock: ForwardClock::default(),
            engine: Engine::new(limits, place, seed),
            origins: Origins::default(),
            parts: HashMap::new(),
            last_part: 0,
            log: log.into(),
            logged: LoggedLines::default(),
        }
    }

    /// Takes spans of an export that is not complete yet, in the form that [`ReadSpans::read`] describes. `part` is the
    /// number that this function returned for the spans before, or 0 for the first ones.
    pub fn give(&mut self, part: u64, json: &str) -> u64 {
        let mut spans = self.parts.remove(&part).unwrap_or_default();
        self.read(json, &mut spans);
        self.last_part += 1;
        self.parts.insert(self.last_part, spans);
        self.last_part
    }

    #[inline(never)]
    fn read(&mut self, json: &str, spans: &mut ReadSpans) {
        spans.read(json, &mut self.origins, self.settings.redaction.as_ref());
    }

    /// Takes the last spans of an export and begins to deliver it: see [`Exporter::give`]. Returns its number, and
    /// whether the shell has to call [`Exporter::next`] for this scope.
    #[inline(never)]
    pub fn export(&mut self, part: u64, json: &str, scope: u64, now: Now) -> Accepted {
        let now = self.clock.advance(now);
        let mut spans = self.parts.remove(&part).unwrap_or_default();
        self.read(json, &mut spans);
        let ReadSpans { spans, unreadable } = spans;
        if self.settings.destination.is_none() {
            let message = "no key was found, or `disabled` is set".to_owned();
            let loss = Loss { reason: Reason::Disabled, message };
            let lost = vec![loss; spans.len() + unreadable.len()];
            return self.engine.accept(Vec::new(), lost, scope, now);
        }
        let lost = unreadable.into_iter().map(|why| {
            let message = format!("a span could not be read: {why}");
            Loss { reason: Reason::Invalid, message }
        });
        self.engine.accept(spans, lost.collect(), scope, now)
    }

    /// Lets everything that waits in `scope` skip the merge window. Returns whether the shell has to call
    /// [`Exporter::next`] for the scope.
    pub fn hurry(&mut self, scope: u64, now: Now) -> bool {
        let now = self.clock.advance(now);
        self.engine.hurry(scope, now)
    }

    /// What to do next in `scope`.
    #[inline(never)]
    pub fn next(&mut self, scope: u64, now: Now) -> ExportAction {
        let now = self.clock.advance(now);
        if let Some(line) = self.log.pop_front() {
            return ExportAction::Log(line);
        }
        let step = self.engine.next(scope, now);
        for Loss { reason, message } in self.engine.take_losses() {
            let message = ["spans were dropped (", reason.code(), "): ", &message].concat();
            self.say(Line { level: reason.level(), message });
        }
        match step {
            DeliveryStep::Send { flight, timeout_ms, stamp_ns } => {
                let Some(destination) = &self.settings.destination else {
                    return ExportAction::Rest;
                };
                let body = otlp::request(self.engine.units(flight));
                let request = request(destination, "POST", PATH, body, stamp_ns);
                ExportAction::Send {
                    flight,
                    transport: self.settings.transport,
                    timeout_ms,
                    request,
                }
            }
            DeliveryStep::Ended { call, loss } => {
                let why = loss.map(|loss| [loss.reason.code(), ": ", &loss.message].concat());
                ExportAction::Ended { call, why }
            }
            DeliveryStep::Wait(ms) => ExportAction::Wait(ms),
            DeliveryStep::Rest => match self.log.pop_front() {
                Some(line) => ExportAction::Log(line),
                None => ExportAction::Rest,
            },
        }
    }

    /// Whether every export has ended.
    pub fn is_idle(&self) -> bool {
        self.engine.is_idle()
    }

    /// Whether anything in `scope` has not ended.
    pub fn has_work(&self, scope: u64) -> bool {
        !self.log.is_empty() || self.engine.has_work(scope)
    }

    /// The bytes of the spans that have not ended.
    pub fn held_bytes(&self) -> u64 {
        self.engine.held_bytes()
    }

    /// Takes the answer to a request.
    #[inline(never)]
    pub fn answered(&mut self, flight: u64, answer: &Answer, now: Now) {
        let now = self.clock.advance(now);
        let Some(destination) = self.settings.destination.clone() else { return };
        let mut verdict = judge(answer, false, Routes::V1, Some(&destination), now);
        match &mut verdict {
            Verdict::Stored { .. } => self.say_what_was_left_out(answer),
            Verdict::Retry { why, .. } => *why = destination.without_key(why),
            _ => {}
        }
        let describe = |refusal: &RefusalReason| describe(refusal, &destination);
        self.engine.finish_request(flight, answer, verdict, describe, now);
    }

    /// Gives up everything that waits in `scope`, because the runtime allows the shell no timer there.
    pub fn no_timer(&mut self, scope: u64) {
        self.engine.no_timer(scope);
    }

    /// Logs how many spans the backend rejected of a request that it accepted.
    /// <https://opentelemetry.io/docs/specs/otlp/#partial-success-1>
    fn say_what_was_left_out(&mut self, answer: &Answer) {
        let Answer::Http { body, .. } = answer else { return };
        let of = |json: &str, name: &str| {
            members(json)?.into_iter().find(|(key, _)| *key == name).map(|(_, it)| it.to_owned())
        };
        let partial = of(body, "\"partialSuccess\"").unwrap_or_default();
        let rejected = of(&partial, "\"rejectedSpans\"").unwrap_or_default();
        // The count may be written as a string in the protocol's JSON. The server's message is not repeated.
        let rejected: u64 = rejected.trim_matches('"').parse().unwrap_or(0);
        if rejected > 0 {
            let count = rejected.to_string();
            self.say(Line::warn(format!("the backend left out {count} spans of a request")));
        }
    }

    /// Logs `line`, once.
    #[inline(never)]
    fn say(&mut self, line: Line) {
        if line.level <= self.settings.log_level && self.logged.add(&line) {
            self.log.push_back(line);
        }
    }
}

/// A sentence that says what is wrong with a refused request and what to do.
fn describe(refusal: &RefusalReason, destination: &Destination) -> String {
    let no_route = RefusalReason::NoHoneyHive { why: ["no route ", PATH].concat() };
    let refusal = match refusal {
        RefusalReason::Request { status: 405, .. } => &no_route,
        refusal => refusal,
    };
    destination.without_key(&refusal.message(&destination.server))
}
