//! One backend server: its routes, its health, and which sessions may send to it next.

use std::collections::VecDeque;

use super::concurrency::Place;
use super::delivery::health::Health;
use super::number_set::NumberSet;
use super::wire::Routes;

/// The state of one server.
#[derive(Debug)]
pub struct Server {
    /// The server's URL.
    pub url: String,
    /// The `fetch` that requests are sent with. The same URL by another `fetch` is another `Server`, because a broken
    /// `fetch` of the application's own does not mean a broken server.
    pub transport: u32,
    /// The health of the server.
    pub health: Health,
    routes: Routes,
    /// How many open tracers send to it, plus how many outboxes send their next request to it.
    users: u32,
    /// What is ready to be sent and any scope may send, in the order of their turns: outboxes, and reads of their
    /// totals. What only one request may send is listed with that request.
    ready: VecDeque<u64>,
    /// Whether the server is in the list of servers that nothing is sent to.
    is_idle_listed: bool,
    /// Whether the server is in the list of servers with a non-empty `ready`.
    in_line: bool,
    /// The outboxes whose last request to the server failed, to be retried at once when the server works again.
    retrying: NumberSet,
}

impl Server {
    /// A server that was never asked.
    pub fn new(url: String, transport: u32, place: Place) -> Server {
        Server {
            url,
            transport,
            health: Health::new(place),
            routes: Routes::default(),
            users: 0,
            ready: VecDeque::new(),
            is_idle_listed: false,
            in_line: false,
            retrying: NumberSet::NONE,
        }
    }

    /// The routes that the server has.
    pub fn routes(&self) -> Routes {
        self.routes
    }

    /// Records that a request by these routes was stored.
    pub fn learn_routes(&mut self, used: Routes) {
        self.routes = match used {
            Routes::Unknown | Routes::V1 => Routes::V1,
            Routes::TryLegacy | Routes::Legacy => Routes::Legacy,
        };
    }

    /// Replaces the routes that a request used by others, unless another request has shown more since.
    pub fn change_routes(&mut self, used: Routes, routes: Routes) {
        if self.routes == used {
            self.routes = routes;
        }
    }

    /// Records that nothing is known of its routes any more.
    pub fn forget_routes(&mut self) {
        self.routes = Routes::Unknown;
    }

    /// Adds a tracer or an outbox that sends to it.
    pub fn add_user(&mut self) {
        self.users += 1;
    }

    /// Removes a tracer or an outbox that sent to it. Returns whether the server is to be added to the list of servers
    /// that nothing is sent to.
    pub fn remove_user(&mut self) -> bool {
        self.users -= 1;
        self.users == 0 && !std::mem::replace(&mut self.is_idle_listed, true)
    }

    /// Records that it was removed from that list. Returns whether it is to be forgotten, because nothing is sent to it
    /// still.
    pub fn leave_idle_list(&mut self) -> bool {
        self.is_idle_listed = false;
        self.users == 0
    }

    /// Lets an outbox stand in line for the server. Returns whether the server is to be added to the list of servers
    /// with something to send.
    pub fn line_up(&mut self, outbox: u64) -> bool {
        self.ready.push_back(outbox);
        !std::mem::replace(&mut self.in_line, true)
    }

    /// Removes and returns the next outbox in its line.
    pub fn next_in_line(&mut self) -> Option<u64> {
        self.ready.pop_front()
    }

    /// Ends its turn. Returns whether it stays in the list of servers with something to send.
    pub fn end_turn(&mut self) -> bool {
        self.in_line = !self.ready.is_empty();
        self.in_line
    }

    /// Records that the outbox's last request to it failed.
    pub fn add_retrying(&mut self, outbox: u64) {
        self.retrying.add(outbox);
    }

    /// Records that the outbox sends to it no more.
    pub fn remove_retrying(&mut self, outbox: u64) {
        self.retrying.remove(outbox);
    }

    /// Removes and returns the outboxes whose last request to it failed, because it works again.
    pub fn take_retrying(&mut self) -> NumberSet {
        std::mem::take(&mut self.retrying)
    }

    /// Whether requests to this server and to `other` compete for a browser's connections.
    pub fn shares_connections(&self, other: &Server) -> bool {
        self.transport == other.transport && self.has_origin_of(other)
    }

    /// Whether the server has the same origin as `other`, whatever `fetch` reaches them.
    pub fn has_origin_of(&self, other: &Server) -> bool {
        self.origin() == other.origin()
    }

    /// The scheme, host and port of the URL.
    fn origin(&self) -> &str {
        let path = self.url.match_indices('/').nth(2);
        path.map_or(&self.url, |(at, _)| &self.url[..at])
    }
}
