//! Reading events back with a tracer's key. Reads are not queued, and flushes and closes do not wait for them.

use std::rc::Rc;

use super::Registry;
use crate::core::reading::{self, ReadFailure, ReadRoute, Reading};
use crate::core::session::SessionId;
use crate::core::settings::Destination;
use crate::core::time::Now;
use crate::core::wire::{Answer, Request};

/// A request that reads an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The request to send.
    pub request: Request,
    /// Milliseconds after which to abort it.
    pub timeout_ms: u64,
}

impl Registry {
    /// The request by which `tracer` reads the event `named`, or the tracer's session if `named` is blank and
    /// `is_session`. The request is not counted: the shell sends it, and passes the answer to
    /// [`Registry::read_answered`].
    ///
    /// Fails with the result to report if no request can be made.
    pub fn read_request(
        &mut self,
        tracer: u64,
        named: &str,
        is_session: bool,
        route: ReadRoute,
        now: Now,
    ) -> Result<Read, Reading> {
        let now = self.clock.advance(now);
        let (destination, id) = self.readable(tracer, named, is_session)?;
        let stamp_ns = now.unix_ms.saturating_mul(1_000_000);
        let request = reading::request(&destination, id, route, stamp_ns);
        let timeout_ms = self.tracers.get(tracer).map_or(0, |tracer| tracer.settings.timeout_ms);
        Ok(Read { request, timeout_ms })
    }

    /// Interprets the answer to a request of [`Registry::read_request`].
    pub fn read_answered(
        &self,
        tracer: u64,
        named: &str,
        is_session: bool,
        route: ReadRoute,
        answer: &Answer,
    ) -> Reading {
        match self.readable(tracer, named, is_session) {
            Ok((destination, id)) => reading::judge(answer, route, id, &destination),
            Err(failed) => failed,
        }
    }

    fn readable(
        &self,
        tracer: u64,
        named: &str,
        is_session: bool,
    ) -> Result<(Rc<Destination>, SessionId), Reading> {
        let failed = |failure, message| Err(Reading::failed(failure, message));
        let Some(tracer) = self.tracers.get(tracer) else {
            return failed(
                ReadFailure::Closed,
                "the tracer is closed: call initTracer() for a new one",
            );
        };
        let own = is_session.then_some(tracer.session_id());
        let Some(id) = (self.id_of)(named).or(own) else {
            return failed(ReadFailure::Invalid, "readEvent takes the event's id");
        };
        match &tracer.settings.destination {
            None => failed(
                ReadFailure::Disabled,
                "the tracer is disabled: it has no usable API key or server, or `disabled` is set",
            ),
            Some(destination) if destination.is_ticket => failed(
                ReadFailure::NotAvailable,
                "a relay only writes: read on your server, with a key",
            ),
            Some(destination) => Ok((destination.clone(), id)),
        }
    }
}
