//! One backend server: which routes it has, how it is doing, and who may send to it next.

use std::collections::VecDeque;

use super::concurrency::Place;
use super::delivery::health::Health;
use super::id_map::FixedSet;
use super::wire::Routes;

/// What is known of one server.
#[derive(Debug)]
pub struct Server {
    /// Its address.
    pub url: String,
    /// The `fetch` that reaches it: a broken one of the application's own is no broken server.
    pub transport: u32,
    /// The routes it has.
    pub routes: Routes,
    /// Open tracers that send to it, and outboxes whose next request goes to it.
    pub users: u32,
    /// Sessions that have something to send which any scope may send, in the order in which they
    /// may. A request knows its own.
    pub ready: VecDeque<u64>,
    /// Whether it is in the registry's list of servers that nothing is sent to.
    pub is_idle_listed: bool,
    /// Whether it stands in the registry's list of servers with such sessions.
    pub in_line: bool,
    /// Outboxes whose last request to it failed, and may be tried again at once when it works.
    pub retrying: FixedSet<u64>,
    /// How it is doing.
    pub health: Health,
}

impl Server {
    /// A server of which nothing is known.
    pub fn new(url: String, transport: u32, place: Place) -> Server {
        Server {
            url,
            transport,
            routes: Routes::default(),
            users: 0,
            ready: VecDeque::new(),
            is_idle_listed: false,
            in_line: false,
            retrying: FixedSet::default(),
            health: Health::new(place),
        }
    }

    /// Whether requests to it and to `other` take connections from one another in a browser.
    pub fn shares_connections(&self, other: &Server) -> bool {
        self.transport == other.transport && self.is_where(other)
    }

    /// Whether it is at the same address as `other`, whichever way requests go there.
    pub fn is_where(&self, other: &Server) -> bool {
        self.origin() == other.origin()
    }

    /// Scheme, host and port of its address.
    fn origin(&self) -> &str {
        let path = self.url.match_indices('/').nth(2);
        path.map_or(&self.url, |(at, _)| &self.url[..at])
    }
}
