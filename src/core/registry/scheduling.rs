//! The life of outboxes: opening, scheduling and closing them.

use std::rc::Rc;

use super::Registry;
use crate::core::id_map::NOTHING;
use crate::core::outbox::Outbox;
use crate::core::policy::{LEASE_GRACE_MS, SENDERS_LOOKED_AT};
use crate::core::session::Target;
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
        let known = self.outboxes.find(destination, target.id());
        if let Some(outbox) = self.outboxes.get_mut(known) {
            outbox.use_for(target);
            return known;
        }
        let server = self.servers.use_server(&destination.server, settings.transport);
        let (to, settings) = (destination.clone(), settings.clone());
        let mut outbox = Outbox::new(to, settings, server, target, self.stamps);
        if self.page.is_offline {
            outbox.unsent.pause_deadlines();
        }
        self.outboxes.open(outbox)
    }

    /// Directs the outbox to the server as its sender's `fetch` reaches it. If requests by that `fetch` are failing, the
    /// sender becomes another tracer whose `fetch` works, if there is one.
    fn go_by_sender(&mut self, id: u64) {
        let Registry { outboxes, tracers, servers, .. } = self;
        let Some(outbox) = outboxes.get_mut(id) else { return };
        let of = |tracer: u64| tracers.get(tracer).map_or(NOTHING, |tracer| tracer.server);
        let works = |tracer: u64| servers.get(of(tracer)).is_some_and(|it| !it.health.is_failing());
        if outbox.unsent.sender() != NOTHING && !works(outbox.unsent.sender()) {
            outbox.unsent.change_sender(SENDERS_LOOKED_AT, &works);
        }
        let to = of(outbox.unsent.sender());
        if to == NOTHING || to == outbox.schedule.server() {
            return;
        }
        let from = outbox.schedule.change_server(to);
        servers.add_user(to);
        servers.remove_outbox(from, id);
    }

    /// Re-evaluates an outbox after a change: queues it for sending, sets its timer, or closes it.
    pub(super) fn schedule(&mut self, id: u64, now: Now) {
        let Some(outbox) = self.outboxes.recount(id) else { return };
        let before = &outbox.schedule;
        let before = (before.is_ready(), before.server(), before.timer());
        outbox.schedule.reset();
        if outbox.flight() != NOTHING {
            return;
        }
        let (stored, target) = (outbox.take_stored(), outbox.target());
        outbox.let_starts_wait();
        self.deliver(stored, target, now);
        self.go_by_sender(id);
        if !self.outboxes.note_work(id) {
            return self.rest(id, now);
        }
        let timer = match self.wait_for_ticket(id, now) {
            Some(look_at) => look_at,
            None => self.line_up(id, now),
        };
        let Some(outbox) = self.outboxes.get_mut(id) else { return };
        outbox.schedule.set_timer(timer);
        // A start that was not polled yet has no time. Scheduling the outbox again does not move a deadline.
        if timer < NEVER && before.2 != timer {
            self.timers.set(timer, Timer::Outbox(id));
        }
        let (is_ready, server) = (outbox.schedule.is_ready(), outbox.schedule.server());
        if before != (is_ready, server, timer) {
            for scope in outbox.unsent.scopes() {
                self.scopes.look_at(scope, timer, Timer::Outbox(id));
                if is_ready {
                    self.scopes.line_up(scope, server, id);
                }
            }
        }
    }

    /// Lets an outbox without work rest, and closes it when its merge window is over, unless somebody holds it.
    fn rest(&mut self, id: u64, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(id) else { return };
        outbox.rest();
        let quiet_from = outbox.window_until();
        if outbox.schedule.is_held() {
            return;
        }
        if quiet_from > now.mono_ms {
            outbox.schedule.set_timer(quiet_from);
            self.timers.set(quiet_from, Timer::Outbox(id));
        } else {
            self.close_outbox(id);
        }
    }

    /// Queues an outbox with work for sending, as soon as it may send. Returns when to look at it again.
    fn line_up(&mut self, id: u64, now: Now) -> u64 {
        let Some(outbox) = self.outboxes.get_mut(id) else { return NEVER };
        let server_id = outbox.schedule.server();
        let Some(server) = self.servers.get(server_id) else { return NEVER };
        outbox.try_in_time(now);
        outbox.tell_clock(!server.health.why().is_empty(), now);
        let due = outbox.due();
        if outbox.unsent.is_to_wait(now) {
            // Other parts of the batch may have more time, and the server may have asked clients to stay away.
            outbox.looks_at(now)
        } else if due > now.mono_ms {
            due
        } else {
            outbox.schedule.become_ready();
            if outbox.is_for_anyone() && outbox.schedule.enter_line() {
                self.servers.line_up(server_id, id);
            }
            // While the server answers other requests, that time moves back.
            let gives_up_at = outbox.unsent.gives_up_at(now);
            let Settings { timeout_ms, deadline_ms, .. } = **outbox.settings();
            match outbox.unsent.is_overdue(now) {
                // It is about to have its last try, unless it is given up.
                true => now.mono_ms + LEASE_GRACE_MS,
                false => self.servers.get_mut(server_id).map_or(NEVER, |server| {
                    server.health.try_or_give_up_at(gives_up_at, timeout_ms, deadline_ms, now)
                }),
            }
        }
    }

    fn close_outbox(&mut self, id: u64) {
        if let Some(server_id) = self.outboxes.close(id) {
            self.servers.remove_outbox(server_id, id);
        }
    }
}
