//! The outputs of the core: the outcomes of enrichments, and the actions that the shell has to perform.

use std::rc::Rc;

use super::json::Object;
use super::ledger::Counts;
use super::log::{Level, Line};
use super::session::{Description, SessionId, Target};
use super::wire::Request;

/// Why an enrichment was given up: `DropReason` in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No session is active and no id was given, or more than one session could be intended.
    NoSession,
    /// The tracer sends nothing: it has no API key, is `disabled`, or runs in test mode.
    Disabled,
    /// The arguments contain nothing usable.
    Invalid,
    /// The enrichment is larger than what the backend accepts in one request.
    TooLarge,
    /// The byte budget of unsent enrichments is used up.
    QueueFull,
    /// The backend refused the enrichment permanently.
    Rejected,
    /// Requests kept failing until the enrichment's deadline.
    RetriesExhausted,
    /// The tracer was closed.
    Closed,
}

impl Reason {
    /// The code that JavaScript sees.
    pub fn code(self) -> &'static str {
        match self {
            Reason::NoSession => "no_session",
            Reason::Disabled => "disabled",
            Reason::Invalid => "invalid",
            Reason::TooLarge => "too_large",
            Reason::QueueFull => "queue_full",
            Reason::Rejected => "rejected",
            Reason::RetriesExhausted => "retries_exhausted",
            Reason::Closed => "closed",
        }
    }

    /// The level at which the loss is logged. A loss that the application asked for is not worth a warning.
    pub fn level(self) -> Level {
        match self {
            Reason::Disabled => Level::Debug,
            Reason::Rejected => Level::Error,
            Reason::NoSession
            | Reason::Invalid
            | Reason::TooLarge
            | Reason::QueueFull
            | Reason::RetriesExhausted
            | Reason::Closed => Level::Warn,
        }
    }
}

/// The outcome of a call that was given a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The backend stored the enrichment.
    Delivered {
        /// The session or event that it is stored in.
        target: Target,
    },
    /// The enrichment was given up.
    Dropped {
        /// The session or event it was for, if that was known.
        target: Option<Target>,
        /// The reason as a code.
        reason: Reason,
        /// The reason in words, and what to do about it.
        message: String,
    },
    /// A flush or close has ended.
    Flushed(Counts),
}

impl Outcome {
    /// The outcome as the JSON of a `Delivery` or `FlushReport`.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        match self {
            Outcome::Delivered { target } => {
                object.text("status", "delivered");
                target.write(&mut object);
            }
            Outcome::Dropped { target, reason, message } => {
                object.text("status", "dropped");
                if let Some(target) = target {
                    target.write(&mut object);
                }
                object.text("reason", reason.code());
                object.text("message", message);
            }
            Outcome::Flushed(Counts { delivered, dropped, pending }) => {
                object.number("delivered", *delivered);
                object.number("dropped", *dropped);
                object.number("pending", *pending);
            }
        }
        object.close();
        json
    }
}

/// An action that the shell has to perform.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a request, and report its answer to [`finish_request`](super::registry::Registry::finish_request).
    Send {
        /// The number of the request.
        flight: u64,
        /// Which `fetch` to send it with; 0 is the runtime's own.
        transport: u32,
        /// Milliseconds after which to abort the request.
        timeout_ms: u64,
        /// Whether the request has to outlive the page.
        keepalive: bool,
        /// Whether the request must not use one of the connections that the site needs, because the server may never
        /// answer. A browser keeps requests without cookies apart from those with cookies.
        is_apart: bool,
        /// The request to send.
        request: Box<Request>,
    },
    /// Abort a request, because its answer is of no use any more.
    Abort {
        /// The number of the request.
        flight: u64,
    },
    /// Settle the promises of calls.
    Settled {
        /// The numbers of the calls.
        ids: Vec<u64>,
        /// Their outcome.
        outcome: Rc<Outcome>,
    },
    /// Forget a request that the runtime has torn down. Its loop has ended, and promises made in it can no longer be
    /// settled there: the outcomes of these calls follow.
    TornDown {
        /// The request's scope.
        scope: u64,
        /// The numbers of calls that were made in it.
        ids: Vec<u64>,
    },
    /// Call the tracer's `onDrop`.
    Dropped {
        /// The number of the tracer.
        tracer: u64,
        /// The `Dropped` object as JSON.
        json: String,
    },
    /// Store something unsent in the browser until it is forgotten.
    Keep {
        /// The number to store it under.
        id: u64,
        /// What to store.
        json: String,
    },
    /// Remove stored entries.
    Forget {
        /// The numbers of the entries; below zero, of entries that earlier pages left.
        ids: Vec<i64>,
    },
    /// The tracer has nothing unsent or in flight any more. Reported once each time it was busy: see
    /// [`next_busy`](super::registry::Registry::next_busy).
    Idle {
        /// The number of the tracer.
        tracer: u64,
    },
    /// Ask the tracer's function for a ticket, and report what it gives with
    /// [`set_ticket`](super::registry::Registry::set_ticket).
    AskTicket {
        /// The tracer.
        tracer: u64,
        /// For how long its answer is waited for.
        timeout_ms: u64,
    },
    /// Log a line.
    Log(Line),
}

/// A tracer as `initTracer` reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracerInfo {
    /// The number of the tracer.
    pub tracer: u64,
    /// The tracer's session.
    pub session_id: SessionId,
    /// The name, source and project of its session.
    pub description: Description,
    /// Whether the tracer sends anything.
    pub enabled: bool,
    /// Whether its function is being asked for the first ticket, which names the session.
    pub awaits_ticket: bool,
}

impl TracerInfo {
    /// The tracer as the JSON that JavaScript reads.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        object.number("tracer", self.tracer);
        object.text("sessionId", &self.session_id.to_string());
        object.text("sessionName", &self.description.name);
        if let Some(project) = &self.description.project {
            object.text("project", project);
        }
        object.text("source", &self.description.source);
        object.json("enabled", if self.enabled { "true" } else { "false" });
        if self.awaits_ticket {
            object.json("awaitsTicket", "true");
        }
        object.close();
        json
    }
}
