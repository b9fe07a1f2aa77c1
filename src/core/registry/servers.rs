//! All servers: those in use, those that were used last, and whose turn it is to be sent something.

use std::collections::VecDeque;

use crate::core::concurrency::Place;
use crate::core::id_map::{IdMap, TextMap};
use crate::core::policy::REMEMBERED_SERVERS;
use crate::core::server::Server;

/// The servers by number.
#[derive(Debug, Default)]
pub(super) struct Servers {
    place: Place,
    all: IdMap<Server>,
    /// Their numbers by the number of their `fetch` and their URL, separated by a space.
    ids: TextMap<u64>,
    /// The servers that nothing is sent to at present, the one unused for longest first. Some may be in use again.
    idle: VecDeque<u64>,
    /// The servers with something that any scope may send, in the order of their turns.
    lines: VecDeque<u64>,
    /// Whether a server may not answer until it has.
    are_doubtful: bool,
}

impl Servers {
    /// The kind of place that the core runs in.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Sets the kind of place that the core runs in.
    pub(super) fn set_place(&mut self, place: Place) {
        self.place = place;
    }

    /// The server under `id`.
    pub(super) fn get(&self, id: u64) -> Option<&Server> {
        self.all.get(id)
    }

    /// The server under `id`.
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Server> {
        self.all.get_mut(id)
    }

    /// How many lookups were made.
    #[cfg(debug_assertions)]
    pub(super) fn lookups(&self) -> u64 {
        self.all.lookups()
    }

    /// Finds or adds the server with this URL and `fetch`, and counts one more user of it: a tracer or an outbox.
    pub(super) fn use_server(&mut self, url: &str, transport: u32) -> u64 {
        let id = *self.ids.entry(key(transport, url)).or_insert_with(|| {
            let mut server = Server::new(url.to_owned(), transport, self.place);
            if self.are_doubtful {
                server.health.doubt();
            }
            self.all.insert(server)
        });
        self.add_user(id);
        id
    }

    /// Adds one user of a server.
    pub(super) fn add_user(&mut self, id: u64) {
        if let Some(server) = self.all.get_mut(id) {
            server.add_user();
        }
    }

    /// Removes an outbox that sends to the server no more.
    pub(super) fn remove_outbox(&mut self, id: u64, outbox: u64) {
        if let Some(server) = self.all.get_mut(id) {
            server.remove_retrying(outbox);
        }
        self.remove_user(id);
    }

    /// Removes one user of a server. The servers that were used last are remembered.
    pub(super) fn remove_user(&mut self, id: u64) {
        let Some(server) = self.all.get_mut(id) else { return };
        if !server.remove_user() {
            return;
        }
        self.idle.push_back(id);
        if self.idle.len() <= REMEMBERED_SERVERS {
            return;
        }
        let Some(oldest) = self.idle.pop_front() else { return };
        if self.all.get_mut(oldest).is_some_and(Server::leave_idle_list)
            && let Some(server) = self.all.remove(oldest)
        {
            self.ids.remove(&key(server.transport, &server.url));
        }
    }

    /// Marks the servers that have not answered yet, and those that are added later, as ones that may not answer.
    pub(super) fn doubt(&mut self) {
        self.are_doubtful = true;
        for server in self.all.values_mut() {
            if !server.health.has_answered() {
                server.health.doubt();
            }
        }
    }

    /// Lets the failing ones be probed at once, but not those that said that they are overloaded.
    pub(super) fn allow_probes(&mut self) {
        for server in self.all.values_mut() {
            if !server.health.is_busy() {
                server.health.allow_probe();
            }
        }
    }

    /// Lets an outbox stand in line for the server.
    pub(super) fn line_up(&mut self, id: u64, outbox: u64) {
        if let Some(server) = self.all.get_mut(id)
            && server.line_up(outbox)
        {
            self.lines.push_back(id);
        }
    }

    /// How many servers have something to send.
    pub(super) fn turns(&self) -> usize {
        self.lines.len()
    }

    /// The server whose turn it is. [`Servers::end_turn`] ends its turn.
    pub(super) fn take_turn(&mut self) -> Option<u64> {
        self.lines.pop_front()
    }

    /// Removes and returns the next outbox in the server's line.
    pub(super) fn next_in_line(&mut self, id: u64) -> Option<u64> {
        self.all.get_mut(id)?.next_in_line()
    }

    /// Lets the server have its next turn after the others, if it has something to send.
    pub(super) fn end_turn(&mut self, id: u64) {
        if self.all.get_mut(id).is_some_and(Server::end_turn) {
            self.lines.push_back(id);
        }
    }
}

fn key(transport: u32, url: &str) -> String {
    format!("{transport} {url}")
}
