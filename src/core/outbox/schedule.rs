//! When an outbox is sent, and by whom: what the registry schedules by.

use crate::core::time::NEVER;

/// The place of an outbox among all others.
#[derive(Debug)]
pub struct Schedule {
    /// The number of the server as its sender's `fetch` reaches it.
    server: u64,
    /// How many open tracers its session has, and reads that wait for it.
    holders: u32,
    /// Whether it contains parts of a request scope that stopped polling.
    is_left: bool,
    /// Whether it may send as soon as its server has room.
    is_ready: bool,
    /// Whether it is in its server's list of outboxes that are ready.
    in_line: bool,
    /// When its timer fires, on the forward clock.
    timer: u64,
}

impl Schedule {
    /// An outbox that nobody holds and that sends to `server`.
    pub(super) fn new(server: u64) -> Schedule {
        Schedule {
            server,
            holders: 0,
            is_left: false,
            is_ready: false,
            in_line: false,
            timer: NEVER,
        }
    }

    /// The number of the server as its sender's `fetch` reaches it.
    pub fn server(&self) -> u64 {
        self.server
    }

    /// Sends it to another server from now on. Returns the one before.
    pub fn change_server(&mut self, server: u64) -> u64 {
        (self.in_line, self.is_ready) = (false, false);
        std::mem::replace(&mut self.server, server)
    }

    /// Keeps it open, whether it has something to send or not.
    pub fn hold(&mut self) {
        self.holders += 1;
    }

    /// Ends one [`Schedule::hold`].
    pub fn let_go(&mut self) {
        self.holders -= 1;
    }

    /// Whether it stays open without anything to send.
    pub fn is_held(&self) -> bool {
        self.holders > 0
    }

    /// Lets other request scopes send it, because one with parts in it stopped polling.
    pub fn leave(&mut self) {
        self.is_left = true;
    }

    /// Whether other request scopes may send what one has left in it.
    pub fn is_left(&self) -> bool {
        self.is_left
    }

    /// Records that it has nothing to send.
    pub fn rest(&mut self) {
        self.is_left = false;
    }

    /// Whether it may send as soon as its server has room.
    pub fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Records that it may send as soon as its server has room.
    pub fn become_ready(&mut self) {
        self.is_ready = true;
    }

    /// When its timer fires, on the forward clock.
    pub fn timer(&self) -> u64 {
        self.timer
    }

    /// Sets its timer.
    pub fn set_timer(&mut self, at: u64) {
        self.timer = at;
    }

    /// Records that it is not ready, and has no timer.
    pub fn reset(&mut self) {
        (self.is_ready, self.timer) = (false, NEVER);
    }

    /// Whether it is to be added to its server's list of outboxes that are ready, which is recorded.
    pub fn enter_line(&mut self) -> bool {
        !std::mem::replace(&mut self.in_line, true)
    }

    /// Records that it was removed from that list.
    pub fn leave_line(&mut self) {
        self.in_line = false;
    }
}
