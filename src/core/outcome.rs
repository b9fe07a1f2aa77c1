//! What the core has to say: what became of an enrichment, and what the shell is to do.

use std::rc::Rc;

use super::json::Object;
use super::log::{Level, Line};
use super::session::{Description, SessionId, Target};
use super::tracer::Counts;
use super::wire::Request;

/// Why an enrichment was given up: `DropReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing active and no id given, or several sessions could be meant.
    NoSession,
    /// No API key, `disabled`, or test mode.
    Disabled,
    /// Nothing usable in the arguments.
    Invalid,
    /// Over what the backend takes in one request.
    TooLarge,
    /// The byte budget is spent.
    QueueFull,
    /// The backend refused it for good.
    Rejected,
    /// It kept failing to the end of its deadline.
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

    /// How loud the loss is said: what was asked for is not worth a warning.
    pub fn level(self) -> Level {
        match self {
            Reason::Disabled => Level::Debug,
            Reason::Rejected => Level::Error,
            _ => Level::Warn,
        }
    }
}

/// What became of something that was given a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The backend has it.
    Delivered {
        /// What it is in.
        target: Target,
    },
    /// It was given up.
    Dropped {
        /// What it was for, if that was known.
        target: Option<Target>,
        /// Why, as a code.
        reason: Reason,
        /// Why, and what to do, in words.
        message: String,
    },
    /// A flush or close is over.
    Flushed(Counts),
}

impl Outcome {
    /// The `Delivery` or `FlushReport` that JavaScript gets, as JSON.
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

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a request, and report what comes of it with [`answered`](super::registry::Registry::answered).
    Send {
        /// The number to report under.
        flight: u64,
        /// Which `fetch`.
        transport: u32,
        /// When to abort it.
        timeout_ms: u64,
        /// Whether it is to outlive the page.
        keepalive: bool,
        /// What to send.
        request: Box<Request>,
    },
    /// Abort a request: what it would come to changes nothing any more.
    Abort {
        /// Its number.
        flight: u64,
    },
    /// Tell those who wait.
    Settled {
        /// The numbers they were given.
        ids: Vec<u64>,
        /// What became of them.
        outcome: Rc<Outcome>,
    },
    /// The runtime has torn a request down. Its loop is over, and nobody in it can be told of
    /// the end of these any more, which is told next.
    Gone {
        /// The request's scope.
        scope: u64,
        /// Numbers that were given in it.
        ids: Vec<u64>,
    },
    /// Tell the tracer's `onDrop`.
    Dropped {
        /// The tracer.
        tracer: u64,
        /// The `Dropped` object, as JSON.
        json: String,
    },
    /// Keep something unsent until it is forgotten.
    Keep {
        /// Its number.
        id: u64,
        /// What to keep.
        json: String,
    },
    /// Keep these no longer.
    Forget {
        /// Numbers of what was kept; below zero, of what earlier pages left.
        ids: Vec<i64>,
    },
    /// Nothing of the tracer's is unsent or on its way any more. Told once after each time that it was busy,
    /// see [`next_busy`](super::registry::Registry::next_busy).
    Idle {
        /// The tracer.
        tracer: u64,
    },
    /// Log a line.
    Log(Line),
}

/// A tracer as its maker is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracerInfo {
    /// Its number.
    pub tracer: u64,
    /// Its session.
    pub session_id: SessionId,
    /// How its session shows.
    pub description: Description,
    /// Whether it sends anything.
    pub enabled: bool,
}

impl TracerInfo {
    /// As JavaScript gets it, as JSON.
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
        object.close();
        json
    }
}
