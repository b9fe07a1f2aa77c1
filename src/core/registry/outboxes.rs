//! The life of outboxes: opening, scheduling and closing them, and the servers that they send to.

use std::rc::Rc;

use super::Registry;
use crate::core::id_map::NOTHING;
use crate::core::outbox::Outbox;
use crate::core::policy::{LEASE_GRACE_MS, SENDERS_LOOKED_AT};
use crate::core::session::{SessionId, Target};
use crate::core::settings::{Destination, Settings};
use crate::core::time::{NEVER, Now};
use crate::core::timers::Timer;

impl Registry {
    /// Finds or opens the outbox of a session or event. An event that is now used as a session counts as a session from
    /// then on.
    pub(super) fn open_outbox(
        &mut self,
        destination: &Rc<Destination>,
        settings: &Rc<Settings>,
        target: Target,
    ) -> u64 {
        let session_id = target.id();
        let known = self.outbox_of(destination, session_id);
        if let Some(outbox) = self.outboxes.get_mut(known) {
            outbox.is_event &= target.is_event();
            return known;
        }
        let server = self.servers.use_server(&destination.server, settings.transport);
        let (to, settings) = (destination.clone(), settings.clone());
        let mut outbox = Outbox::new(to, settings, server, session_id, self.stamps);
        outbox.is_event = target.is_event();
        outbox.is_paused = self.page.is_offline;
        let id = self.outboxes.insert(outbox);
        self.outbox_ids.add(session_id, id);
        id
    }

    /// The outbox of the session for this destination, or [`NOTHING`].
    fn outbox_of(&self, destination: &Destination, session_id: SessionId) -> u64 {
        let is_there = |id: &u64| {
            self.outboxes.get(*id).is_some_and(|outbox| *outbox.destination == *destination)
        };
        self.outboxes_of(session_id).find(is_there).unwrap_or(NOTHING)
    }

    /// The outboxes of a session, one for each destination.
    pub(super) fn outboxes_of(&self, session_id: SessionId) -> impl Iterator<Item = u64> {
        self.outbox_ids.of(session_id).iter().copied()
    }

    /// Directs the outbox to the server as its sender's `fetch` reaches it. If requests by that `fetch` are failing, the
    /// sender becomes another tracer whose `fetch` works, if there is one.
    fn go_by_sender(&mut self, id: u64) {
        let Registry { outboxes, tracers, servers, .. } = self;
        let Some(outbox) = outboxes.get_mut(id) else { return };
        let of = |tracer: u64| tracers.get(tracer).map_or(NOTHING, |tracer| tracer.server);
        let works = |tracer: u64| servers.get(of(tracer)).is_some_and(|it| !it.health.is_failing());
        if outbox.sender() != NOTHING && !works(outbox.sender()) {
            outbox.change_sender(SENDERS_LOOKED_AT, &works);
        }
        let to = of(outbox.sender());
        if to == NOTHING || to == outbox.server {
            return;
        }
        let from = std::mem::replace(&mut outbox.server, to);
        outbox.in_line = false;
        outbox.is_ready = false;
        if let Some(server) = servers.get_mut(from) {
            server.remove_retrying(id);
        }
        servers.add_user(to);
        servers.remove_user(from);
    }

    /// Re-evaluates an outbox after a change: queues it for sending, sets its timer, or closes it.
    pub(super) fn schedule(&mut self, id: u64, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(id) else {
            return;
        };
        self.held -= outbox.counted;
        outbox.counted = outbox.held();
        self.held += outbox.counted;
        let was = (std::mem::take(&mut outbox.is_ready), outbox.server, outbox.timer);
        outbox.timer = NEVER;
        if outbox.flight != NOTHING {
            return;
        }
        let (stored, target) = (outbox.take_stored(), outbox.target());
        outbox.let_starts_wait();
        self.deliver(stored, target, now);
        self.go_by_sender(id);
        let Some(outbox) = self.outboxes.get_mut(id) else { return };
        if outbox.has_work() {
            if outbox.busy_place.is_none() {
                outbox.busy_place = Some(self.busy.len());
                self.busy.push(id);
            }
            if !outbox.is_hurried() {
                self.unhurried.add(id);
            }
        } else {
            outbox.is_left = false;
            outbox.rest();
            self.unhurried.remove(id);
            let busy_place = outbox.busy_place.take();
            let quiet_from = outbox.window_until();
            if outbox.holders == 0 {
                if quiet_from > now.mono_ms {
                    outbox.timer = quiet_from;
                    self.timers.set(quiet_from, Timer::Outbox(id));
                } else {
                    self.close_outbox(id);
                }
            }
            if let Some(place) = busy_place {
                self.not_busy(place);
            }
            return;
        }
        let timer = match self.wait_for_ticket(id, now) {
            Some(look_at) => look_at,
            None => self.line_up(id, now),
        };
        let Some(outbox) = self.outboxes.get_mut(id) else { return };
        outbox.timer = timer;
        // A start that was not polled yet has no time. Scheduling the outbox again does not move a deadline.
        if timer < NEVER && was.2 != timer {
            self.timers.set(timer, Timer::Outbox(id));
        }
        if was != (outbox.is_ready, outbox.server, timer) {
            for scope in outbox.scopes() {
                self.scopes.look_at(scope, timer, Timer::Outbox(id));
                if outbox.is_ready {
                    self.scopes.line_up(scope, outbox.server, id);
                }
            }
        }
    }

    /// Queues an outbox with work for sending, as soon as it may send. Returns when to look at it again.
    fn line_up(&mut self, id: u64, now: Now) -> u64 {
        let Some(outbox) = self.outboxes.get_mut(id) else { return NEVER };
        let Some(server) = self.servers.get(outbox.server) else { return NEVER };
        outbox.try_in_time(now);
        outbox.tell_clock(!server.health.why().is_empty(), now);
        let due = outbox.due();
        if outbox.is_to_wait(now) {
            // Other parts of the batch may have more time, and the server may have asked clients to stay away.
            outbox.looks_at(now)
        } else if due > now.mono_ms {
            due
        } else {
            outbox.is_ready = true;
            if !outbox.in_line && outbox.is_for_anyone() {
                outbox.in_line = true;
                self.servers.line_up(outbox.server, id);
            }
            // While the server answers other requests, that time moves back.
            let gives_up_at = outbox.gives_up_at(now);
            let Settings { timeout_ms, deadline_ms, .. } = *outbox.settings;
            match outbox.is_overdue(now) {
                // It is about to have its last try, unless it is given up.
                true => now.mono_ms + LEASE_GRACE_MS,
                false => self.servers.get_mut(outbox.server).map_or(NEVER, |server| {
                    server.health.try_or_give_up_at(gives_up_at, timeout_ms, deadline_ms, now)
                }),
            }
        }
    }

    /// Removes the outbox at `place` from the list of outboxes with work. The last one takes its place.
    fn not_busy(&mut self, place: usize) {
        self.busy.swap_remove(place);
        if let Some(moved) = self.busy.get(place)
            && let Some(moved) = self.outboxes.get_mut(*moved)
        {
            moved.busy_place = Some(place);
        }
    }

    fn close_outbox(&mut self, id: u64) {
        let Some(outbox) = self.outboxes.remove(id) else {
            return;
        };
        self.held -= outbox.counted;
        self.outbox_ids.remove(outbox.session_id, id);
        self.unhurried.remove(id);
        if let Some(server) = self.servers.get_mut(outbox.server) {
            server.remove_retrying(id);
        }
        self.servers.remove_user(outbox.server);
    }
}
