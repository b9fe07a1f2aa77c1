//! How many requests to one server may be in flight.
//!
//! In a page and in an edge runtime, the platform limits the connections, and not all of them belong to this package.
//! A server process has no such limit, so the right one has to be found. The limit doubles with each round trip until
//! the server has trouble, and is then halved. It returns to where the trouble began within
//! [`policy::LIMIT_RECOVERY_MS`], stays near that for a while, and then grows further.
//!
//! TCP has the same problem, and this is its rule, CUBIC (RFC 9438, section 4), with two other numbers: the limit is
//! cut to a half and not to seven tenths, and it grows with the fifth power and not with the third, so that it
//! returns sooner and stays longer. CUBIC's fast convergence (section 4.7) applies if the server says when to come
//! back: if trouble begins at a lower limit than the last time, the server can handle less than expected, and the
//! limit returns to only three quarters of where it was. A TCP connection loses little by trying more; a client whose
//! server answers 429 with `Retry-After: 1` loses a second.
//!
//! Both kinds of error are costly. With a limit that is too low, an ordinary server's enrichments are lost. With one
//! that is too high, the client hammers a backend that asks to be spared.

use super::policy;

/// The kind of place that the core runs in, which the shell knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// A browser's page, or a worker of a page.
    Page,
    /// A runtime that limits the connections of each request it serves: Cloudflare Workers or Vercel's edge.
    EdgeRequest,
    /// A process that uses the machine's own connections: Node, Deno or Bun.
    #[default]
    ServerProcess,
}

impl Place {
    /// The most bytes of unsent enrichments, unless the application sets a limit.
    pub fn max_queue_bytes(self) -> u64 {
        match self {
            Place::Page => policy::PAGE_QUEUE_BYTES,
            Place::EdgeRequest => policy::EDGE_QUEUE_BYTES,
            // Rounded to the nearest number, because a fraction is a large part of a low limit.
            Place::ServerProcess => policy::SERVER_QUEUE_BYTES,
        }
    }

    /// The place with this name: "page", "edge", or anything else for a server process.
    pub fn named(name: &str) -> Place {
        match name {
            "page" => Place::Page,
            "edge" => Place::EdgeRequest,
            _ => Place::ServerProcess,
        }
    }
}

/// The last time that a server could not handle what it was sent.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// The limit to return to: the one that led to the trouble, or less.
    limit: f64,
    /// The difference between that limit and the one that recovery begins with.
    depth: f64,
    /// When it happened, in milliseconds on the forward clock.
    at_ms: u64,
    /// Whether the server has answered properly since.
    is_over: bool,
}

/// Limits the requests to one server that are in flight.
#[derive(Debug)]
pub struct Concurrency {
    place: Place,
    /// The limit of a server process.
    limit: f64,
    trouble: Option<Trouble>,
    /// The number of the last request that was sent.
    last_sent: u64,
    /// The number of the last request that was sent when the limit was halved. Requests up to it were sent under the
    /// old limit, so their failures say nothing about the new one.
    halved_after: u64,
}

impl Concurrency {
    /// The limit for a server that was never asked.
    pub fn new(place: Place) -> Concurrency {
        Concurrency {
            place,
            limit: policy::FIRST_LIMIT,
            trouble: None,
            last_sent: 0,
            halved_after: 0,
        }
    }

    /// Whether one more request may be sent if `to_server` requests to the server are in flight, `of_scope` of them
    /// from the same request scope. `at_most` is the application's own limit.
    pub fn has_room(&self, to_server: usize, of_scope: usize, at_most: usize) -> bool {
        match self.place {
            // An edge runtime gives each request that it serves connections of its own.
            Place::EdgeRequest => of_scope < policy::EDGE_LIMIT.min(at_most),
            Place::Page => to_server < policy::PAGE_LIMIT.min(at_most),
            // Rounded to the nearest number, because a fraction is a large part of a low limit.
            Place::ServerProcess => to_server < (self.limit.round() as usize).min(at_most),
        }
    }

    /// Records that a request is sent. Returns its number, which tells later whether it was sent before or after the
    /// limit was halved.
    pub fn count_request(&mut self) -> u64 {
        self.last_sent += 1;
        self.last_sent
    }

    /// The number of the last request that was sent.
    pub fn last_sent(&self) -> u64 {
        self.last_sent
    }

    /// Records that the server answered properly and in time while `in_flight` requests were in flight, including
    /// this one.
    pub fn grow(&mut self, in_flight: usize, now_ms: u64) {
        if let Some(trouble) = &mut self.trouble {
            trouble.is_over = true;
        }
        // A limit that was not reached has not been tested.
        if 2.0 * (in_flight as f64) < self.limit {
            return;
        }
        // One more for each answer doubles the limit with each round trip.
        let next = self.limit + 1.0;
        self.limit = match self.trouble {
            None => next,
            Some(trouble) => next.min(trouble.limit_after(now_ms)).max(self.limit),
        };
        self.limit = self.limit.min(policy::MOST_AT_ONCE);
    }

    /// Records that the request with this number was too much for the server, or was not answered. `says_when` is
    /// true if the server said when to come back.
    pub fn halve(&mut self, request: u64, says_when: bool, now_ms: u64) {
        if request <= self.halved_after {
            return;
        }
        self.halved_after = self.last_sent;
        // Repeated trouble, as during an outage, says nothing about what the server can handle when it works.
        let half = self.limit / 2.0;
        let (limit, depth) = match self.trouble {
            Some(Trouble { limit, depth, is_over: false, .. }) => (limit, depth),
            Some(last) if says_when && self.limit < last.limit => (half + half / 2.0, half / 2.0),
            _ => (self.limit, half),
        };
        self.trouble = Some(Trouble { limit, depth, at_ms: now_ms, is_over: false });
        self.limit = half.max(1.0);
    }
}

impl Trouble {
    /// The limit at `now_ms` if nothing goes wrong: half of what led to the trouble at first, all of it after
    /// [`policy::LIMIT_RECOVERY_MS`], and then more, slowly at first.
    fn limit_after(self, now_ms: u64) -> f64 {
        let passed = now_ms.saturating_sub(self.at_ms) as f64 / policy::LIMIT_RECOVERY_MS - 1.0;
        self.limit + passed.powi(5) * self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: usize = usize::MAX;

    fn limit(concurrency: &Concurrency) -> usize {
        (0..).find(|in_flight| !concurrency.has_room(*in_flight, 0, ANY)).unwrap()
    }

    /// Lets as many requests as allowed be answered, each followed by another one.
    fn round_trip(concurrency: &mut Concurrency, now_ms: u64) {
        let in_flight = limit(concurrency);
        for _ in 0..in_flight {
            concurrency.grow(in_flight, now_ms);
            concurrency.count_request();
        }
    }

    #[test]
    fn a_server_that_answers_gets_what_hundreds_of_sessions_need_within_some_round_trips() {
        let mut concurrency = Concurrency::new(Place::ServerProcess);
        let mut trips = 0;
        while limit(&concurrency) < 128 {
            round_trip(&mut concurrency, 100 * trips);
            trips += 1;
        }
        assert!(trips <= 4, "{trips}");
        for trip in trips..1_000 {
            round_trip(&mut concurrency, 100 * trip);
        }
        assert_eq!(limit(&concurrency), 256);
    }

    #[test]
    fn trouble_halves_once_a_round_trip_and_one_is_the_least() {
        let mut concurrency = Concurrency::new(Place::ServerProcess);
        (0..20).for_each(|trip| round_trip(&mut concurrency, trip));
        let sent: Vec<u64> = (0..256).map(|_| concurrency.count_request()).collect();
        sent.iter().for_each(|request| concurrency.halve(*request, false, 1_000));
        assert_eq!(limit(&concurrency), 128);
        for _ in 0..20 {
            let request = concurrency.count_request();
            concurrency.halve(request, false, 1_000);
        }
        assert_eq!(limit(&concurrency), 1);
    }

    #[test]
    fn after_trouble_the_limit_comes_back_and_then_looks_further() {
        let mut concurrency = Concurrency::new(Place::ServerProcess);
        (0..20).for_each(|trip| round_trip(&mut concurrency, trip));
        let start = concurrency.count_request();
        concurrency.halve(start, false, 0);
        concurrency.grow(256, 0);
        let request = concurrency.count_request();
        concurrency.halve(request, false, 0);
        let mut at = vec![limit(&concurrency)];
        let recovery = policy::LIMIT_RECOVERY_MS as usize / 100;
        for trip in 1..=2 * recovery {
            round_trip(&mut concurrency, 100 * trip as u64);
            at.push(limit(&concurrency));
        }
        assert_eq!(at[0], 64);
        assert!(at.is_sorted());
        assert!(
            (115..128).contains(&at[recovery / 2]),
            "most of it after half the time: {}",
            at[recovery / 2]
        );
        assert!((126..=130).contains(&at[recovery]), "then all: {}", at[recovery]);
        assert!(
            at[recovery * 4 / 3] < 132,
            "where trouble was it is careful: {}",
            at[recovery * 4 / 3]
        );
        assert!(at[2 * recovery] > 180, "but not for ever: {}", at[2 * recovery]);
    }

    #[test]
    fn where_a_server_says_when_earlier_than_before_the_limit_comes_back_to_less() {
        let mut concurrency = Concurrency::new(Place::ServerProcess);
        // 10, 20, 40, 80, 160.
        (0..4).for_each(|trip| round_trip(&mut concurrency, trip));
        for _ in 0..2 {
            let request = concurrency.count_request();
            concurrency.halve(request, true, 0);
            concurrency.grow(160, 0);
        }
        let recovery = policy::LIMIT_RECOVERY_MS as u64;
        (0..recovery / 100).for_each(|trip| round_trip(&mut concurrency, 100 * trip));
        // Three quarters of the 80 at which it happened again.
        assert!((58..=62).contains(&limit(&concurrency)), "{}", limit(&concurrency));
    }

    #[test]
    fn an_outage_leaves_no_limit_behind_that_takes_long_to_grow() {
        let mut concurrency = Concurrency::new(Place::ServerProcess);
        (0..20).for_each(|trip| round_trip(&mut concurrency, trip));
        for probe in 0..10 {
            let request = concurrency.count_request();
            concurrency.halve(request, false, 1_000 * probe);
        }
        assert_eq!(limit(&concurrency), 1);
        (0..10).for_each(|trip| round_trip(&mut concurrency, 30_000 + 100 * trip));
        assert!(limit(&concurrency) >= 200, "{}", limit(&concurrency));
    }

    #[test]
    fn a_limit_that_is_not_made_use_of_does_not_grow() {
        let mut concurrency = Concurrency::new(Place::ServerProcess);
        for now_ms in 0..10_000 {
            concurrency.count_request();
            concurrency.grow(1, now_ms);
        }
        assert_eq!(limit(&concurrency), policy::FIRST_LIMIT as usize);
    }

    #[test]
    fn where_the_platform_says_how_many_nothing_changes_that() {
        for (place, most) in [(Place::Page, 2), (Place::EdgeRequest, 6)] {
            let mut concurrency = Concurrency::new(place);
            for trip in 0..100 {
                assert!(concurrency.has_room(most - 1, most - 1, ANY));
                assert!(!concurrency.has_room(most, most, ANY));
                let request = concurrency.count_request();
                if trip % 3 == 0 {
                    concurrency.halve(request, false, trip);
                } else {
                    concurrency.grow(most, trip);
                }
            }
        }
        let edge = Concurrency::new(Place::EdgeRequest);
        assert!(edge.has_room(1_000, 0, ANY), "each request has connections of its own");
    }

    #[test]
    fn the_application_may_hold_it_lower_and_not_higher() {
        for place in [Place::Page, Place::EdgeRequest, Place::ServerProcess] {
            let concurrency = Concurrency::new(place);
            assert!(concurrency.has_room(0, 0, 1));
            assert!(!concurrency.has_room(1, 1, 1));
            assert!(!concurrency.has_room(300, 300, 1_000));
        }
    }
}
