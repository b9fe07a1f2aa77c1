//! The module's state, and the one way to it: borrowed for a moment, never across a call out.

use std::cell::RefCell;

use crate::core::registry::Registry;

use super::driver::Drivers;
use super::host::Host;

/// All that the module keeps.
pub struct State {
    pub registry: Registry,
    pub host: Host,
    pub drivers: Drivers,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Sets the state of a fresh instance.
pub fn set(state: State) {
    STATE.with(|cell| *cell.borrow_mut() = Some(state));
}

/// Works on the state; nothing where `connect` was not called.
pub fn with<T>(work: impl FnOnce(&mut State) -> T) -> Option<T> {
    STATE.with(|cell| cell.borrow_mut().as_mut().map(work))
}
