//! The module's state, and the one way to it: borrowed for a moment, never across a call out.

use std::cell::{RefCell, RefMut};

use crate::core::registry::Registry;

use super::driver::Drivers;
use super::host::Host;

/// All that the module keeps.
pub struct State {
    pub registry: Registry,
    pub host: Host,
    pub drivers: Drivers,
}

// One for each instance of the module, which has one thread.
thread_local! {
    static STATE: &'static RefCell<Option<State>> = Box::leak(Box::default());
}

/// Sets the state of a fresh instance.
pub fn set(state: State) {
    *borrowed() = Some(state);
}

/// Works on the state; nothing where `connect` was not called.
pub fn with<T>(work: impl FnOnce(&mut State) -> T) -> Option<T> {
    borrowed().as_mut().map(work)
}

/// Apart from [`with`], of which there is a copy for every use.
#[inline(never)]
fn borrowed() -> RefMut<'static, Option<State>> {
    STATE.with(|state| state.borrow_mut())
}
