//! Outboxes: found or opened, put in line or to sleep, and let go; with the destinations and
//! servers they send to.

use std::rc::Rc;

use super::Registry;
use crate::core::outbox::Outbox;
use crate::core::policy::{REMEMBERED_NAMES, REMEMBERED_SERVERS};
use crate::core::server::Server;
use crate::core::session::SessionId;
use crate::core::settings::{Destination, Settings};
use crate::core::slab::NOTHING;
use crate::core::text::fill;
use crate::core::time::{NEVER, Now};
use crate::core::timers::Timer;

impl Registry {
    /// The outbox of the session, which may be a new one.
    pub(super) fn open_outbox(
        &mut self,
        destination: &Rc<Destination>,
        settings: &Rc<Settings>,
        session_id: SessionId,
    ) -> u64 {
        let known = self.outbox_called(destination, &session_id);
        if known != NOTHING {
            return known;
        }
        let global_name = global_name(destination, &session_id);
        let renamed = self.renamed.iter().find(|(name, _)| *name == global_name);
        let adopted_id = renamed.map(|(_, id)| id.clone());
        let id = adopted_id.as_ref().map_or(NOTHING, |id| self.outbox_called(destination, id));
        if let Some(outbox) = self.outboxes.get_mut(id) {
            if outbox.adopted_id.is_none() {
                self.outbox_ids.insert(session_id.as_str(), id);
                outbox.adopted_id = Some(std::mem::replace(&mut outbox.given_id, session_id));
            }
            return id;
        }
        let server = self.server_of(destination);
        let mut outbox = Outbox::new(destination.clone(), settings.clone(), server, session_id);
        outbox.adopted_id = adopted_id.clone();
        let given_id = outbox.given_id.clone();
        let id = self.outboxes.insert(outbox);
        self.outbox_ids.insert(given_id.as_str(), id);
        if let Some(adopted_id) = adopted_id {
            self.outbox_ids.insert(adopted_id.as_str(), id);
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
        for (_, tracer) in self.tracers.iter_mut().filter(|(_, it)| it.outbox == id) {
            tracer.outbox = other;
        }
        self.outbox_ids.remove(outbox.given_id.as_str(), id);
        self.outbox_ids.insert(outbox.given_id.as_str(), other);
        self.held -= outbox.counted;
        if let Some(other) = self.outboxes.get_mut(other) {
            other.take_over(&mut outbox);
        }
        self.schedule(other, now);
        // A start that nobody has looked at yet may have come along.
        self.fresh.push(other);
        self.closed(id, &outbox);
    }

    /// The outbox that is found under this name of its session's, or [`NOTHING`].
    pub(super) fn outbox_called(&self, destination: &Destination, session_id: &SessionId) -> u64 {
        self.outbox_ids.get(session_id.as_str(), &|id| {
            self.outboxes.get(id).is_some_and(|outbox| {
                outbox.is_called(session_id) && *outbox.destination == *destination
            })
        })
    }

    /// The server of a new outbox.
    fn server_of(&mut self, destination: &Destination) -> u64 {
        let Destination { server: url, transport, .. } = destination;
        let mut known = None;
        let mut idle = None;
        for (id, server) in self.servers.iter() {
            if server.transport == *transport && server.url == *url {
                known = Some(id);
            }
            if server.outboxes == 0 {
                idle = idle.or(Some(id));
            }
        }
        let id = known.unwrap_or_else(|| {
            if let (Some(idle), true) = (idle, self.servers.len() >= REMEMBERED_SERVERS) {
                self.servers.remove(idle);
            }
            let mut server = Server::new(url.clone(), *transport);
            if self.page.begins_gently {
                server.doubt();
            }
            self.servers.insert(server)
        });
        if let Some(server) = self.servers.get_mut(id) {
            server.outboxes += 1;
        }
        id
    }

    /// Sees to what follows from a change of the outbox: puts it in line to send, sets its timer, or lets
    /// go of it.
    pub(super) fn schedule(&mut self, id: u64, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(id) else {
            return;
        };
        self.held -= outbox.counted;
        outbox.counted = outbox.held();
        self.held += outbox.counted;
        let was_set = std::mem::replace(&mut outbox.timer, NEVER);
        outbox.is_ready = false;
        if outbox.flight != NOTHING {
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
        let Some(server) = self.servers.get_mut(outbox.server) else {
            return;
        };
        let due = outbox.due();
        let timer = if outbox.is_to_wait(now) {
            // Others in the batch may have more time, and the server may want to be left alone.
            outbox.deadline_after(now).min(due)
        } else if due > now.mono_ms {
            due
        } else {
            outbox.is_ready = true;
            if !outbox.in_line && outbox.is_for_anyone() {
                outbox.in_line = true;
                server.ready.push(id);
            }
            // Whoever waits for its turn waits no longer than to its deadline.
            outbox.deadline_after(now)
        };
        outbox.timer = timer;
        // A start that nobody has looked at yet has no time. Deadlines stay where they are however often
        // they are looked at.
        if timer < NEVER && was_set != timer {
            self.timers.set(timer, Timer::Outbox(id));
        }
    }

    /// Changes all outboxes with work, and sees to what follows.
    pub(super) fn for_each_busy(&mut self, now: Now, change: &mut dyn FnMut(&mut Outbox)) {
        for id in self.busy.clone() {
            if let Some(outbox) = self.outboxes.get_mut(id) {
                change(outbox);
                self.schedule(id, now);
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
            self.held -= outbox.counted;
            self.closed(id, &outbox);
        }
    }

    fn closed(&mut self, id: u64, outbox: &Outbox) {
        self.outbox_ids.remove(outbox.given_id.as_str(), id);
        if let Some(adopted) = &outbox.adopted_id {
            self.outbox_ids.remove(adopted.as_str(), id);
            let name = global_name(&outbox.destination, &outbox.given_id);
            let known = self.renamed.iter().position(|(known, _)| *known == name);
            if known.is_some() || self.renamed.len() == REMEMBERED_NAMES {
                self.renamed.remove(known.unwrap_or(0));
            }
            self.renamed.push((name, adopted.clone()));
        }
        if let Some(server) = self.servers.get_mut(outbox.server) {
            server.outboxes -= 1;
        }
    }
}

/// What makes two sessions the same, also when nothing of them is held meanwhile.
fn global_name(destination: &Destination, session_id: &SessionId) -> String {
    fill("{}\n\n{}", &[&destination.identity, session_id.as_str()])
}
