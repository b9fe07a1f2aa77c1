//! The key or ticket of a destination. A ticket is renewed while all that is sent there goes on.

use std::rc::Rc;

use super::json::Numerals;
use super::policy::{LEASE_GRACE_MS, RENEW_BEFORE_MS};
use super::relay::ticket::end_of;
use super::retry::backoff_ms;
use super::session::SessionId;
use super::time::{NEVER, Now};

const NO_ANSWER: &str = "it has not answered";

/// The key or ticket that requests show. Times are on the forward clock.
#[derive(Debug)]
pub struct Credential {
    /// Its text, which is empty until a function has given the first ticket.
    text: Rc<str>,
    /// How often it was replaced.
    version: u32,
    /// The session of the tracers that wait for the first ticket, which names their session.
    placeholder: Option<SessionId>,
    /// Whether the relay has refused it.
    is_refused: bool,
    /// When to ask for the next ticket.
    renew_at: u64,
    /// When it ends; [`NEVER`] if the wall clock cannot be right about that.
    ends_at: u64,
    /// Whether a function was asked for the next one, and has not answered.
    is_asked: bool,
    /// When it may be asked again; if it was asked, when its answer is overdue.
    ask_at: u64,
    /// Tickets that were refused, or not given, in a row.
    failures: u32,
    /// Why the last one was not given.
    why: String,
}

impl Credential {
    /// A credential that nothing was sent with; without a text, a ticket that is still to be given.
    pub fn new(text: &str) -> Credential {
        Credential {
            text: text.into(),
            version: 0,
            placeholder: None,
            is_refused: false,
            renew_at: NEVER,
            ends_at: if text.is_empty() { 0 } else { NEVER },
            is_asked: false,
            ask_at: 0,
            failures: 0,
            why: NO_ANSWER.to_owned(),
        }
    }

    /// Its text, which is empty until a function has given the first ticket.
    pub fn text(&self) -> &Rc<str> {
        &self.text
    }

    /// How often it was replaced.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether a function was asked for the next one, and has not answered.
    pub fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Whether it is time to ask for the next ticket.
    pub fn is_to_be_renewed(&self, now: Now) -> bool {
        self.renew_at <= now.mono_ms
    }

    /// Whether nothing can be sent with it: the relay has refused it, or it has ended and another one is given.
    pub fn is_of_no_use(&self, asks: bool, now: Now) -> bool {
        self.is_refused || asks && self.ends_at <= now.mono_ms
    }

    /// The session of the tracers that wait for the first ticket, which names their session: `session_id` if this is
    /// the first such tracer.
    pub fn placeholder_or(&mut self, session_id: SessionId) -> SessionId {
        *self.placeholder.get_or_insert(session_id)
    }

    /// Whether `session_id` stands for the session that the first ticket names.
    pub fn is_placeholder(&self, session_id: SessionId) -> bool {
        self.placeholder == Some(session_id)
    }

    /// Removes and returns the session that stood for that of the first ticket.
    pub fn take_placeholder(&mut self) -> Option<SessionId> {
        self.placeholder.take()
    }

    /// Replaces it with `ticket`, which ends as long from now as the wall clock says now, however that is set later.
    pub fn renew(&mut self, ticket: &str, numerals: Numerals, now: Now) {
        let ends_unix_s = end_of(ticket).and_then(|end| numerals.number(end)).unwrap_or_default();
        let left_ms = ((ends_unix_s * 1_000.0) as u64).saturating_sub(now.unix_ms);
        (self.renew_at, self.ends_at) = (NEVER, NEVER);
        if left_ms > 0 {
            self.ends_at = now.mono_ms.saturating_add(left_ms);
            self.renew_at = self.ends_at - RENEW_BEFORE_MS.min(left_ms / 4);
        }
        self.text = ticket.into();
        self.version += 1;
        self.is_refused = false;
        self.is_asked = false;
        self.ask_at = 0;
    }

    /// Whether the function is to be asked for the next ticket now, and when to look again.
    pub fn ask(&mut self, timeout_ms: u64, now: Now, random: &mut fastrand::Rng) -> (bool, u64) {
        if self.is_asked && self.ask_at <= now.mono_ms {
            self.fail(NO_ANSWER, now, random);
        }
        let asks = self.ask_at <= now.mono_ms;
        if asks {
            self.is_asked = true;
            self.ask_at = now.mono_ms.saturating_add(timeout_ms).saturating_add(LEASE_GRACE_MS);
        }
        (asks, self.ask_at)
    }

    /// The function gave no ticket.
    pub fn fail(&mut self, why: &str, now: Now, random: &mut fastrand::Rng) {
        self.failures += 1;
        self.is_asked = false;
        self.ask_at = now.mono_ms.saturating_add(backoff_ms(self.failures, random));
        why.clone_into(&mut self.why);
    }

    /// The relay refused it.
    pub fn refuse(&mut self, now: Now, random: &mut fastrand::Rng) {
        self.is_refused = true;
        if self.failures > 0 && !self.is_asked {
            self.fail("the relay refused the one that it gave", now, random);
        } else {
            self.failures += 1;
        }
    }

    /// The server took it.
    pub fn work(&mut self) {
        self.failures = 0;
    }

    /// Why the last ticket was not given.
    pub fn why(&self) -> &str {
        &self.why
    }
}
