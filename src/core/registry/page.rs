//! The life of a page: what is sent when the page is left, what waits while there is no network, and how few of the
//! browser's connections are used.
//!
//! Over HTTP/1.1 a browser has six connections to a host for all pages of a site. If a server never answers, a request
//! with `keepalive` holds its connection for half a minute, even if it is aborted. So such requests are only sent when a
//! page is left, one at a time, and only to a server that answers. Enrichments that are not sent then are kept, and the
//! next page sends them. Enrichments that cannot be kept are sent in any case, whatever the server.

use super::Registry;
use crate::core::id_map::NOTHING;
use crate::core::outbox::Outbox;
use crate::core::outcome::Output;
use crate::core::policy::{
    KEEPALIVE_BYTES, KEEPALIVE_REQUESTS, PAGE_LIMIT, REQUEST_OVERHEAD_BYTES,
};
use crate::core::server::Server;
use crate::core::time::Now;

/// A change in the life of a page, or of a worker of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The page begins or resumes, or the network is back.
    GoesOn {
        /// Whether its requests may outlive it.
        in_document: bool,
    },
    /// The page is hidden. It may resume, be frozen or be left.
    Hides,
    /// The page is frozen or left, and may never run again.
    Leaves,
    /// The browser has no network.
    Offline,
    /// The page is in the browser's back-forward cache, and other pages may take over what it kept.
    Rests,
    /// The page begins while another page has, or an earlier one had, entries unsent for longer than they should be: the
    /// server may not answer.
    Doubts,
    /// The page is about to be hidden or left, and its store cannot be written: what it was given to keep is kept nowhere.
    StoreFails,
}

/// How far the page is on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Here,
    Hidden,
    Left,
}

/// The state of the page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Whether this is a browser's page, whose connections have to be spared.
    is_there: bool,
    in_document: bool,
    stage: Stage,
    /// Whether there is no network, so that nothing is tried and deadlines stand still.
    pub(super) is_offline: bool,
    pub(super) is_resting: bool,
    /// The last number of a call before the page rested.
    pub(super) rested_at: u64,
    /// The last number of an entry of an earlier page before the page rested.
    pub(super) last_leftover: i64,
    /// Whether the store could not be written when the page was last hidden or left.
    store_fails: bool,
    /// The outboxes that had to send when the page was hidden.
    leaving: Vec<u64>,
    /// The bytes and number of requests in flight that outlive the page.
    keepalive: (u64, usize),
    /// Whether the browser has refused such a request since the page was left, because other code may use up its limit.
    is_refused: bool,
}

impl Page {
    /// Whether one more request of `bytes` may outlive the page.
    fn has_room_for(&self, bytes: u64) -> bool {
        let (in_flight, requests) = self.keepalive;
        !self.is_refused && in_flight + bytes <= KEEPALIVE_BYTES && requests < KEEPALIVE_REQUESTS
    }

    /// Whether only requests that outlive the page are sent: if the page was left, other requests would end with it; if it
    /// is hidden, each request waits for its turn.
    pub(super) fn is_leaving(&self) -> bool {
        match self.stage {
            Stage::Here => false,
            Stage::Hidden => self.keepalive.1 > 0 && !self.leaving.is_empty(),
            Stage::Left => true,
        }
    }

    /// Whether the next page sends what this one does not send of the outbox.
    pub(super) fn keeps(&self, outbox: &Outbox) -> bool {
        outbox.unsent.is_kept() && !self.store_fails
    }

    /// Whether nothing is tried, and deadlines stand still: there is no network, or the page rests.
    pub(super) fn stands_still(&self) -> bool {
        self.is_offline || self.is_resting
    }

    pub(super) fn sent(&mut self, bytes: u64) {
        self.keepalive.0 += bytes;
        self.keepalive.1 += 1;
    }

    pub(super) fn landed(&mut self, bytes: u64) {
        self.keepalive.0 -= bytes;
        self.keepalive.1 -= 1;
    }

    /// Records that the browser refused a request that should outlive the page.
    pub(super) fn refused(&mut self) {
        self.is_refused = true;
    }
}

impl Registry {
    /// Reports a change in the life of the page.
    pub fn turn(&mut self, turn: Turn, now: Now) {
        let now = self.clock.advance(now);
        match turn {
            Turn::GoesOn { in_document } => {
                self.page.is_there = true;
                self.page.in_document = in_document;
                self.page.stage = Stage::Here;
                let stood_still = self.page.stands_still();
                self.page.is_resting = false;
                self.page.is_refused = false;
                self.page.store_fails = false;
                self.page.leaving.clear();
                self.page.is_offline = false;
                if stood_still {
                    self.outboxes.resume_deadlines(now);
                    self.resume_reads(now);
                }
                self.servers.allow_probes();
                for id in self.outboxes.busy().to_vec() {
                    let Some(outbox) = self.outboxes.get_mut(id) else { continue };
                    let server = self.servers.get(outbox.schedule.server());
                    if !server.is_some_and(|server| server.health.is_busy()) {
                        outbox.unsent.wait_no_longer();
                    }
                    self.schedule(id, now);
                }
            }
            Turn::Hides if self.page.stage == Stage::Here => {
                self.page.stage = Stage::Hidden;
                self.page.is_refused = false;
                self.hurry_last(now);
                self.page.leaving = self.outboxes.busy().to_vec();
            }
            Turn::Hides => {}
            Turn::Leaves => {
                self.page.stage = Stage::Left;
                self.page.is_refused = false;
                self.take_back_flights(now);
                self.hurry_last(now);
            }
            Turn::Offline => {
                self.page.is_offline = true;
                self.outboxes.pause_deadlines();
            }
            Turn::Doubts => self.servers.doubt(),
            Turn::StoreFails => self.page.store_fails = true,
            Turn::Rests => {
                self.page.is_resting = true;
                self.page.rested_at = self.last_number;
                self.page.last_leftover = self.store.last_leftover();
                let chapter = self.store.chapter();
                self.store.begin_chapter();
                self.outboxes.end_chapter(chapter);
            }
        }
    }

    /// Whether the page was left or hidden a moment ago, and may not run again.
    pub fn is_leaving(&self) -> bool {
        self.page.stage == Stage::Left || !self.page.leaving.is_empty()
    }

    /// Takes back the requests that would end with the page, to send them again as requests that outlive it. They are
    /// aborted explicitly, because in a page that rests or is frozen they would hold their connections.
    fn take_back_flights(&mut self, now: Now) {
        let mut taken = Vec::new();
        for (id, flight) in self.flights.iter() {
            if flight.keepalive.is_none() {
                taken.push(id);
            }
        }
        for id in taken {
            let Some(flight) = self.take_flight(id) else { continue };
            if let Some(server) = self.servers.get_mut(flight.server) {
                server.health.lose_request();
                if flight.sent.is_slow(now) {
                    server.health.doubt();
                }
            }
            if let Some(outbox) = self.outboxes.get_mut(flight.outbox) {
                // That there was no answer yet does not count as a failure.
                outbox.unsent.request_worked(now);
                outbox.take_back_request();
            }
            self.reports.add(Output::Abort { flight: id });
        }
    }

    /// Ends the merge windows and retry waits of enrichments for servers that answer, and of those that would be lost
    /// with the page, whatever their server.
    fn hurry_last(&mut self, now: Now) {
        for id in self.outboxes.busy().to_vec() {
            let Some(outbox) = self.outboxes.get_mut(id) else { continue };
            let Some(server) = self.servers.get_mut(outbox.schedule.server()) else { continue };
            let is_kept = self.page.keeps(outbox);
            if !is_kept {
                server.health.allow_probe();
            }
            if !is_kept || server.health.is_trusted() {
                outbox.hurry();
                outbox.unsent.wait_no_longer();
            }
            self.schedule(id, now);
        }
    }

    /// The next outbox that has to send because the page is left, and may: first those whose content is not kept, then
    /// the smallest.
    pub(super) fn next_leaving(&mut self, now: Now) -> Option<u64> {
        let candidates = match self.page.stage {
            Stage::Here => return None,
            Stage::Hidden => &self.page.leaving,
            Stage::Left => self.outboxes.busy(),
        };
        let mut best = None;
        for id in candidates {
            let Some(outbox) = self.outboxes.get(*id) else { continue };
            let bytes = outbox.unsent.held() + REQUEST_OVERHEAD_BYTES as u64;
            let is_kept = self.page.keeps(outbox);
            let server_id = outbox.schedule.server();
            let is_wanted = |server: &Server| {
                let is_answered = server.health.is_trusted() && self.page_has_room(server_id, now);
                server.health.has_room(0, now) && (is_answered || !is_kept)
            };
            let rank = (is_kept, bytes);
            let may_go = outbox.flight() == NOTHING
                && !outbox.destination.waits_for_ticket(now)
                && outbox.unsent.has_work()
                && !outbox.unsent.is_asked_to_wait(now)
                && self.page.in_document
                && self.page.has_room_for(bytes)
                && self.servers.get(server_id).is_some_and(is_wanted);
            if may_go && best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, *id));
            }
        }
        let (_, id) = best?;
        self.page.leaving.retain(|it| *it != id);
        Some(id)
    }

    /// Whether one more request to `server` leaves the site enough of the browser's connections; always true outside of
    /// pages. Browsers count connections by host. The host that an application's own `fetch` reaches is unknown, so each
    /// such `fetch` is counted by itself.
    pub(super) fn page_has_room(&self, server: u64, now: Now) -> bool {
        if !self.page.is_there {
            return true;
        }
        let Some(to) = self.servers.get(server) else { return false };
        let (mut to_host, mut to_server) = (0, 0);
        for (_, flight) in self.flights.iter() {
            if flight.server == server {
                to_server += 1;
                if flight.sent.is_slow(now) {
                    return false;
                }
            }
            let other = self.servers.get(flight.server);
            to_host += usize::from(other.is_some_and(|other| other.shares_connections(to)));
        }
        let limit = if to.health.is_trusted() { PAGE_LIMIT } else { 1 };
        to_host < PAGE_LIMIT && to_server < limit
    }
}
