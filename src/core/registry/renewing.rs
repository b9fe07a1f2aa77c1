//! New tickets: asked for before the old one ends and when it is refused, or given by `setTicket`. What was refused
//! for the age of its ticket alone waits for the new one, and goes out again in its order.
//!
//! Tracers with the same ticket, or with the same function that gives tickets, share one destination. That holds the
//! ticket in use, so a new ticket counts for all of them and for each session's one outbox, which keeps requests in order.

use std::rc::Rc;

use super::Registry;
use super::sending::Flight;
use crate::core::log::Line;
use crate::core::number_set::NumberSet;
use crate::core::outcome::{Output, Reason};
use crate::core::relay::ticket::session_of;
use crate::core::session::SessionId;
use crate::core::settings::Destination;
use crate::core::time::{NEVER, Now};
use crate::core::tracer::Tracer;

/// The reason of a drop if nobody gave a new ticket.
const ENDED: &str = "the ticket has expired, and no new one was given until the deadline: call tracer.setTicket(ticket), or pass initTracer a function as `ticket`";
const NO_TICKETS: &str = "setTicket is for a tracer that was made with a ticket, and changed nothing: pass this one to initTracer({ serverUrl, ticket })";
const NO_TICKET: &str = "what was given as the new ticket is none, and the old one stays: pass the text that `issueTicket` gave on your server";
const EMPTY_TICKET: &str = "the ticket is empty; `issueTicket` on your server printed why";
const OTHER_SESSION: &str = "the new ticket is for another session, and the old one stays: open that session with initTracer(), or issue the ticket for this tracer's sessionId";
const SAME_TICKET: &str = "it gave the ticket that is in use";

impl Registry {
    /// Asks for the next ticket through `tracer`, unless that was done a moment ago. Returns when to look again.
    pub(super) fn ask_for_ticket(
        &mut self,
        to: &Destination,
        tracer: u64,
        timeout_ms: u64,
        now: Now,
    ) -> u64 {
        if !to.asks {
            return NEVER;
        }
        let (asks, look_at) = to.credential.borrow_mut().ask(timeout_ms, now, &mut self.random);
        if asks {
            self.reports.add(Output::AskTicket { tracer, timeout_ms });
        }
        look_at
    }

    /// When to look again at an outbox that cannot send before there is a new ticket, which is asked for; `None` if it
    /// can send.
    pub(super) fn wait_for_ticket(&mut self, id: u64, now: Now) -> Option<u64> {
        let outbox = self.outboxes.get_mut(id)?;
        if !outbox.destination.waits_for_ticket(now) {
            return None;
        }
        let (to, tracer) = (outbox.destination.clone(), outbox.unsent.sender());
        let timeout_ms = outbox.settings().timeout_ms;
        let gives_up_at = outbox.unsent.wait_for_ticket(now);
        Some(gives_up_at.min(self.ask_for_ticket(&to, tracer, timeout_ms, now)))
    }

    /// Gives up what waited for a new ticket until its deadline.
    pub(super) fn expire_without_ticket(&mut self, id: u64, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(id) else { return };
        let (reason, message) = if outbox.destination.asks {
            let credential = outbox.destination.credential.borrow();
            let why = credential.why();
            let message = format!("the function `ticket` gave no ticket until the deadline: {why}");
            (Reason::RetriesExhausted, message)
        } else {
            (Reason::Rejected, ENDED.to_owned())
        };
        let (expired, target) = (outbox.expire(now), outbox.target());
        self.schedule(id, now);
        self.give_up(expired, Some(target), reason, &message, now);
    }

    /// The relay refused the ticket that `flight` carried. Whether its request is to be sent again: at once if there is
    /// a newer ticket by now, else as soon as there is one.
    pub(super) fn is_to_be_renewed(&mut self, flight: &Flight, is_over: bool, now: Now) -> bool {
        let Some(outbox) = self.outboxes.get_mut(flight.outbox) else { return false };
        let to = outbox.destination.clone();
        let mut credential = to.credential.borrow_mut();
        if credential.version() == flight.credential_version {
            // A ticket that is no good at all is replaced once.
            if !is_over && (!to.asks || outbox.renew()) {
                return false;
            }
            credential.refuse(now, &mut self.random);
        }
        true
    }

    /// Schedules all that is to be sent to this destination.
    pub(super) fn schedule_all_to(&mut self, to: &Destination, now: Now) {
        for id in self.outboxes.busy().to_vec() {
            if self.outboxes.get(id).is_some_and(|outbox| *outbox.destination == *to) {
                self.schedule(id, now);
            }
        }
    }

    /// Takes what `setTicket` was given for `tracer`, or its function gave when it was asked: a ticket, or why there is
    /// none. Returns the session of the tracer, or `None` if the ticket is not taken.
    pub fn set_ticket(
        &mut self,
        tracer: u64,
        given: Result<&str, &str>,
        is_asked: bool,
        scope: u64,
        now: Now,
    ) -> Option<SessionId> {
        let now = self.clock.advance(now);
        let renewed = self.tracers.get(tracer)?;
        let (session_id, to) = (renewed.session_id(), renewed.settings.destination.clone());
        let Some(to) = to.filter(|to| to.is_ticket) else {
            self.log(tracer, Line::error(NO_TICKETS));
            return None;
        };
        let why = match checked(&to, session_id, given) {
            Ok(ticket) if *ticket != *to.key() => {
                self.use_ticket(&to, ticket, scope, now);
                return self.tracers.get(tracer).map(Tracer::session_id);
            }
            Ok(_) if !is_asked => return Some(session_id),
            Ok(_) => SAME_TICKET.to_owned(),
            Err(why) => {
                let what = if is_asked { "the function `ticket` gave no ticket: " } else { "" };
                self.log(tracer, Line::error(format!("{what}{why}")));
                why
            }
        };
        if is_asked {
            to.credential.borrow_mut().fail(&why, now, &mut self.random);
            self.schedule_all_to(&to, now);
        }
        None
    }

    /// Sends with `ticket` from now on what goes to this destination.
    fn use_ticket(&mut self, to: &Rc<Destination>, ticket: &str, scope: u64, now: Now) {
        let is_first = to.lacks_ticket();
        to.credential.borrow_mut().renew(ticket, self.numerals, now);
        let mut tracers = NumberSet::NONE;
        if is_first {
            for (id, tracer) in self.tracers.iter() {
                if tracer.settings.destination.as_ref() == Some(to) {
                    tracers.add(id);
                }
            }
            let placeholder = to.credential.borrow_mut().take_placeholder();
            if let (Some(from), Some(session_id)) = (placeholder, session_of(ticket)) {
                self.rename_session(from, session_id, &tracers);
            }
        }
        for id in self.outboxes.busy().to_vec() {
            if self.outboxes.get(id).is_some_and(|outbox| outbox.destination == *to) {
                self.keep_again(id);
            }
        }
        self.schedule_all_to(to, now);
        for tracer in tracers.iter() {
            self.take_leftovers(tracer, scope, now);
        }
    }

    /// Lets `tracers` and outboxes of the session `from` be those of the session `to`.
    fn rename_session(&mut self, from: SessionId, to: SessionId, tracers: &NumberSet) {
        for id in tracers.iter() {
            if let Some(tracer) = self.tracers.get_mut(id).filter(|it| it.session_id() == from) {
                self.open_tracers.remove(id, tracer);
                tracer.rename_session(to);
                if tracer.is_open() {
                    self.open_tracers.add(id, tracer);
                }
            }
        }
        self.outboxes.rename_session(from, to);
    }
}

/// The ticket that was `given` for a tracer of `session_id`, or why it is of no use.
fn checked<'t>(
    to: &Destination,
    session_id: SessionId,
    given: Result<&'t str, &str>,
) -> Result<&'t str, String> {
    let ticket = given.map_err(|why| to.without_key(why))?.trim_ascii();
    if ticket.is_empty() {
        return Err(EMPTY_TICKET.to_owned());
    }
    let Some(session) = session_of(ticket).filter(|_| Destination::may_show(ticket)) else {
        return Err(NO_TICKET.to_owned());
    };
    let is_of_first = to.credential.borrow().is_placeholder(session_id);
    if session != session_of(&to.key()).unwrap_or(session_id) && !is_of_first {
        return Err(OTHER_SESSION.to_owned());
    }
    Ok(ticket)
}
