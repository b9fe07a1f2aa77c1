//! A page's comings and goings: what goes out at once when it is left, and what waits while the
//! network is away.

use super::Registry;
use crate::core::outbox::Outbox;
use crate::core::policy::{KEEPALIVE_BYTES, KEEPALIVE_REQUESTS, REQUEST_OVERHEAD_BYTES};
use crate::core::slab::NOTHING;
use crate::core::time::Now;

/// What happens to a page, or to a worker of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It goes on: it has just begun, or is back, or the network is.
    GoesOn {
        /// Whether its requests may outlive it.
        in_document: bool,
    },
    /// It is hidden, frozen or left, and may never run again.
    Leaves,
    /// The browser has no network.
    Offline,
    /// It rests in the browser's cache, and others may take over what it kept.
    Rests,
}

/// What is known of the page.
#[derive(Debug, Default)]
pub(super) struct Page {
    in_document: bool,
    /// Deadlines stand still: nothing is tried while there is no network.
    pub(super) is_offline: bool,
    pub(super) is_resting: bool,
    /// Outboxes that are to send at once.
    leaving: Vec<u64>,
    /// Bytes and number of requests on their way that outlive the page.
    keepalive: (u64, usize),
}

impl Page {
    /// Whether one more request of `bytes` may outlive the page.
    pub(super) fn has_room_for(&self, bytes: u64) -> bool {
        let (in_flight, requests) = self.keepalive;
        self.in_document && in_flight + bytes <= KEEPALIVE_BYTES && requests < KEEPALIVE_REQUESTS
    }

    pub(super) fn sent(&mut self, bytes: u64) {
        self.keepalive.0 += bytes;
        self.keepalive.1 += 1;
    }

    pub(super) fn landed(&mut self, bytes: u64) {
        self.keepalive.0 -= bytes;
        self.keepalive.1 -= 1;
    }
}

impl Registry {
    /// What happens to the page that this is in.
    pub fn turn(&mut self, turn: Turn, now: Now) {
        let now = self.clock.advance(now);
        match turn {
            Turn::GoesOn { in_document } => {
                self.page.in_document = in_document;
                self.page.is_resting = false;
                self.page.leaving.clear();
                let was_offline = std::mem::take(&mut self.page.is_offline);
                for (_, server) in self.servers.iter_mut() {
                    server.may_be_asked();
                }
                self.for_each_busy(now, &mut |outbox| {
                    if was_offline {
                        outbox.resume_deadlines(now);
                    }
                    outbox.wait_no_longer();
                });
            }
            Turn::Leaves => self.leave(now),
            Turn::Offline => {
                self.page.is_offline = true;
                self.for_each_busy(now, &mut Outbox::pause_deadlines);
            }
            Turn::Rests => {
                self.page.is_resting = true;
                self.for_each_busy(now, &mut Outbox::may_be_started_by_others);
            }
        }
    }

    /// Whether the page was left a moment ago, and may not run again.
    pub fn is_leaving(&self) -> bool {
        !self.page.leaving.is_empty()
    }

    fn leave(&mut self, now: Now) {
        let mut left_behind = Vec::new();
        self.for_each_busy(now, &mut |outbox| {
            outbox.hurry();
            outbox.wait_no_longer();
            if let Some(flight) = outbox.leave_start_behind() {
                left_behind.push(flight);
            }
        });
        for flight in left_behind {
            if let Some(flight) = self.flights.get_mut(flight) {
                flight.outbox = NOTHING;
            }
        }
        self.page.leaving = self.busy.clone();
    }

    /// The next outbox that is to send because the page is left, and may: the smallest.
    pub(super) fn next_leaving(&mut self, now: Now) -> Option<u64> {
        let mut smallest = None;
        for id in &self.page.leaving {
            let Some(outbox) = self.outboxes.get(*id) else { continue };
            let bytes = outbox.held() + REQUEST_OVERHEAD_BYTES as u64;
            if outbox.flight == NOTHING
                && outbox.has_work()
                && !outbox.is_asked_to_wait(now)
                && smallest.is_none_or(|(least, _)| bytes < least)
            {
                smallest = Some((bytes, *id));
            }
        }
        let (_, id) = smallest.filter(|(bytes, _)| self.page.has_room_for(*bytes))?;
        let place = self.page.leaving.iter().position(|it| *it == id)?;
        self.page.leaving.swap_remove(place);
        Some(id)
    }
}
