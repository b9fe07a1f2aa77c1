//! Outboxes: found or opened, put in line or to sleep, and let go; with the destinations and
//! servers they send to.

use std::rc::Rc;

use super::{Interned, Registry};
use crate::core::json::decimal;
use crate::core::outbox::Outbox;
use crate::core::policy::{REMEMBERED_NAMES, REMEMBERED_SERVERS};
use crate::core::server::Server;
use crate::core::session::SessionId;
use crate::core::settings::{Destination, Settings};
use crate::core::time::Now;
use crate::core::timers::Timer;

impl Registry {
    /// Works on an outbox, and sees to what follows from it.
    pub(super) fn change<T: Default>(
        &mut self,
        id: u64,
        now: Now,
        work: impl FnOnce(&mut Outbox) -> T,
    ) -> T {
        let Some(outbox) = self.outboxes.get_mut(id) else {
            return T::default();
        };
        let before = outbox.held();
        let result = work(outbox);
        self.held = self.held - before + outbox.held();
        self.schedule(id, now);
        result
    }

    pub(super) fn open_outbox(
        &mut self,
        destination: &Rc<Destination>,
        settings: &Rc<Settings>,
        session_id: SessionId,
    ) -> u64 {
        let destination_id = self.intern(destination);
        if let Some(outbox) = self.outbox_called(destination_id, &session_id) {
            return outbox;
        }
        let global_name = global_name(destination, &session_id);
        let renamed = self.renamed.iter().find(|(name, _)| *name == global_name);
        let adopted_id = renamed.map(|(_, id)| id.clone());
        let called = adopted_id.as_ref().and_then(|id| self.outbox_called(destination_id, id));
        if let Some(id) = called
            && let Some(outbox) = self.outboxes.get_mut(id)
        {
            if outbox.adopted_id.is_none() {
                self.outbox_ids.insert(&outbox_name(destination_id, &session_id), id);
                outbox.adopted_id = Some(std::mem::replace(&mut outbox.given_id, session_id));
            }
            return id;
        }
        let interned = self.destinations.get_mut(destination_id);
        let server = interned.map_or(0, |interned| {
            interned.holders += 1;
            interned.server
        });
        let mut outbox =
            Outbox::new(destination.clone(), settings.clone(), destination_id, server, session_id);
        outbox.adopted_id = adopted_id;
        let names = [Some(outbox.given_id.clone()), outbox.adopted_id.clone()];
        let id = self.outboxes.insert(outbox);
        for name in names.iter().flatten() {
            self.outbox_ids.insert(&outbox_name(destination_id, name), id);
        }
        id
    }

    /// The backend has the session of the outbox `id`, which is not on its way, by the name of another
    /// outbox: both are of one session, and what waits in either goes on in the other one.
    pub(super) fn unite(&mut self, id: u64, other: u64, now: Now) {
        let has_room = |outbox: &Outbox| outbox.adopted_id.is_none();
        if !self.outboxes.get(other).is_some_and(has_room) {
            return;
        }
        let Some(mut outbox) = self.outboxes.remove(id) else {
            return;
        };
        if let Some(place) = outbox.busy_place {
            self.not_busy(place);
        }
        for scope in outbox.scopes() {
            self.scopes.put(scope, other);
        }
        for (_, tracer) in self.tracers.iter_mut().filter(|(_, it)| it.outbox == Some(id)) {
            tracer.outbox = Some(other);
        }
        let name = outbox_name(outbox.destination_id, &outbox.given_id);
        self.outbox_ids.remove(&name, id);
        self.outbox_ids.insert(&name, other);
        self.held -= outbox.held();
        self.change(other, now, |other| other.take_over(&mut outbox));
        // A start that nobody has looked at yet may have come along.
        self.fresh.push(other);
        self.closed(id, outbox);
    }

    /// The outbox that is found under this name of its session's.
    pub(super) fn outbox_called(&self, destination: u64, session_id: &SessionId) -> Option<u64> {
        let is_it = |id| {
            let outbox = self.outboxes.get(id).filter(|it| it.destination_id == destination);
            outbox.is_some_and(|outbox| outbox.is_called(session_id))
        };
        self.outbox_ids.get(&outbox_name(destination, session_id), is_it)
    }

    /// The number of the destination, where an outbox sends to it.
    pub(super) fn interned(&self, destination: &Destination) -> Option<u64> {
        let is_it = |id| {
            let interned = self.destinations.get(id);
            interned.is_some_and(|it| it.destination.identity == destination.identity)
        };
        self.destination_ids.get(&destination.identity, is_it)
    }

    fn intern(&mut self, destination: &Rc<Destination>) -> u64 {
        if let Some(id) = self.interned(destination) {
            return id;
        }
        let Destination { server: url, transport, .. } = &**destination;
        let is_it = |server: &Server| server.transport == *transport && server.url == *url;
        let known = self.servers.iter().find(|(_, server)| is_it(server)).map(|(id, _)| id);
        let server = known.unwrap_or_else(|| {
            let idle = self.servers.iter().find(|(_, server)| server.destinations == 0);
            if let (Some((idle, _)), true) = (idle, self.servers.len() >= REMEMBERED_SERVERS) {
                self.servers.remove(idle);
            }
            self.servers.insert(Server::new(url.clone(), *transport))
        });
        if let Some(server) = self.servers.get_mut(server) {
            server.destinations += 1;
        }
        let interned = Interned { destination: destination.clone(), server, holders: 0 };
        let id = self.destinations.insert(interned);
        self.destination_ids.insert(&destination.identity, id);
        id
    }

    /// Puts an outbox in line to send, sets its timer, or lets go of it.
    pub(super) fn schedule(&mut self, id: u64, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(id) else {
            return;
        };
        let was_set = outbox.timer.take();
        outbox.is_ready = false;
        if outbox.flight.is_some() {
            return;
        }
        outbox.let_starts_wait();
        if outbox.has_work() {
            if outbox.busy_place.is_none() {
                outbox.busy_place = Some(self.busy.len());
                self.busy.push(id);
            }
        } else {
            outbox.is_left = false;
            outbox.rest();
            let busy_place = outbox.busy_place.take();
            let quiet_from = outbox.window_until();
            if outbox.holders == 0 {
                if quiet_from > now.mono_ms {
                    outbox.timer = Some(quiet_from);
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
        let Some(server) = self.servers.get_mut(outbox.server) else {
            return;
        };
        let due = outbox.due();
        let timer = if outbox.is_to_wait(now) {
            // Others in the batch may have more time, and the server may want to be left alone.
            outbox.deadline_after(now).into_iter().chain([due]).min()
        } else if due > now.mono_ms {
            Some(due)
        } else {
            outbox.is_ready = true;
            if !outbox.in_line && outbox.is_for_anyone() {
                outbox.in_line = true;
                server.ready.push_back(id);
            }
            // Whoever waits for its turn waits no longer than to its deadline.
            outbox.deadline_after(now)
        };
        // A start that nobody has looked at yet has no time.
        let timer = timer.filter(|at| *at < u64::MAX);
        if let Some(at) = timer {
            outbox.timer = Some(at);
            // Deadlines stay where they are however often they are looked at.
            if was_set != Some(at) {
                self.timers.set(at, Timer::Outbox(id));
            }
        }
    }

    /// Takes the outbox at `place` out of the list of those with work; the last moves there.
    fn not_busy(&mut self, place: usize) {
        self.busy.swap_remove(place);
        if let Some(moved) = self.busy.get(place)
            && let Some(moved) = self.outboxes.get_mut(*moved)
        {
            moved.busy_place = Some(place);
        }
    }

    fn close_outbox(&mut self, id: u64) {
        if let Some(outbox) = self.outboxes.remove(id) {
            self.held -= outbox.held();
            self.closed(id, outbox);
        }
    }

    fn closed(&mut self, id: u64, outbox: Outbox) {
        if let Some(adopted) = &outbox.adopted_id {
            let name = global_name(&outbox.destination, &outbox.given_id);
            self.renamed.retain(|(known, _)| *known != name);
            self.renamed.push_back((name, adopted.clone()));
            if self.renamed.len() > REMEMBERED_NAMES {
                self.renamed.pop_front();
            }
        }
        for name in [Some(outbox.given_id), outbox.adopted_id].into_iter().flatten() {
            self.outbox_ids.remove(&outbox_name(outbox.destination_id, &name), id);
        }
        let Some(interned) = self.destinations.get_mut(outbox.destination_id) else {
            return;
        };
        interned.holders -= 1;
        if interned.holders == 0 {
            if let Some(server) = self.servers.get_mut(interned.server) {
                server.destinations -= 1;
            }
            self.destination_ids.remove(&interned.destination.identity, outbox.destination_id);
            self.destinations.remove(outbox.destination_id);
        }
    }
}

/// What makes two sessions the same, also when nothing of them is held meanwhile.
fn global_name(destination: &Destination, session_id: &SessionId) -> Box<str> {
    [&destination.identity, "\n\n", session_id.as_str()].concat().into()
}

/// What makes two sessions the same: their destination and their id.
pub(super) fn outbox_name(destination_id: u64, session_id: &SessionId) -> String {
    [&decimal(destination_id), " ", session_id.as_str()].concat()
}
