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
    /// The routes that the server has.
    pub routes: Routes,
    /// How many open tracers send to it, plus how many outboxes send their next request to it.
    pub users: u32,
    /// The outboxes that are ready to send and that any scope may send, in the order of their turns. Outboxes that only
    /// one request may send are listed with that request.
    pub ready: VecDeque<u64>,
    /// Whether the server is in the registry's list of servers that nothing is sent to.
    pub is_idle_listed: bool,
    /// Whether the server is in the registry's list of servers with a non-empty `ready`.
    pub in_line: bool,
    /// The outboxes whose last request to the server failed, to be retried at once when the server works again.
    pub retrying: NumberSet,
    /// The health of the server.
    pub health: Health,
}

impl Server {
    /// A server that was never asked.
    pub fn new(url: String, transport: u32, place: Place) -> Server {
        Server {
            url,
            transport,
            routes: Routes::default(),
            users: 0,
            ready: VecDeque::new(),
            is_idle_listed: false,
            in_line: false,
            retrying: NumberSet::NONE,
            health: Health::new(place),
        }
    }

    /// Lets an outbox stand in line for the server. Returns whether the server is to be added to the registry's list.
    pub fn line_up(&mut self, outbox: u64) -> bool {
        self.ready.push_back(outbox);
        !std::mem::replace(&mut self.in_line, true)
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
