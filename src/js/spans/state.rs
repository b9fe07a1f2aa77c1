//! The exporters of the module, which are borrowed only for a moment, never across a call to JavaScript.

use std::cell::RefCell;

use crate::core::spans::exporter::Exporter;
use crate::js::memory;

#[derive(Default)]
struct Exporters {
    exporters: Vec<(u64, Exporter)>,
    last: u64,
    /// The exporters that JavaScript does not refer to any more.
    closed: Vec<u64>,
}

thread_local! {
    static EXPORTERS: RefCell<Exporters> = RefCell::default();
}

/// Stores an exporter, and returns its number.
pub fn insert(exporter: Exporter) -> u64 {
    EXPORTERS.with_borrow_mut(|state| {
        state.last += 1;
        state.exporters.push((state.last, exporter));
        state.last
    })
}

/// Calls `work` with an exporter; `None` if there is none with that number.
pub fn with<T>(number: u64, work: impl FnOnce(&mut Exporter) -> T) -> Option<T> {
    memory::grow_ahead();
    EXPORTERS.with_borrow_mut(|state| {
        state.exporters.iter_mut().find(|(it, _)| *it == number).map(|(_, it)| work(it))
    })
}

/// Whether the exporter has anything in `scope`.
pub fn has_work(number: u64, scope: u64) -> bool {
    with(number, |exporter| exporter.has_work(scope)).unwrap_or_default()
}

/// Closes an exporter. It is removed once all of its spans have ended.
pub fn close(number: u64) {
    EXPORTERS.with_borrow_mut(|state| state.closed.push(number));
    drop_if_closed(number);
}

/// Removes an exporter if it is closed and all of its spans have ended.
pub fn drop_if_closed(number: u64) {
    EXPORTERS.with_borrow_mut(|state| {
        let is_left = |state: &Exporters| state.exporters.iter().any(|(it, _)| *it == number);
        if state.closed.contains(&number) {
            state.exporters.retain(|(it, exporter)| *it != number || !exporter.is_idle());
            if !is_left(state) {
                state.closed.retain(|it| *it != number);
            }
        }
    });
}
