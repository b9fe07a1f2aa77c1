//! The growth of the module's memory.

use std::cell::Cell;
use std::hint::black_box;

/// Below this size, in pages of 64 KiB, memory grows page by page.
const SMALL: usize = 256;

thread_local! {
    /// The size of the memory, in pages, after its last growth.
    static PAGES: Cell<usize> = const { Cell::new(SMALL) };
}

/// Has the memory grow by an eighth whenever it has grown. The allocator asks for a page at a time, and each time V8 makes
/// a new `ArrayBuffer` of the whole memory: from 64 MB on, it collects garbage for each of them, which takes most of the
/// processor's time.
pub fn grow_ahead() {
    let pages = size_in_pages();
    if pages <= PAGES.get() {
        return;
    }
    // What was allocated and freed stays with the allocator. If there is no memory left, nothing is lost.
    let mut ahead = Vec::<u8>::new();
    let _ = ahead.try_reserve_exact(pages / 8 * 65_536);
    drop(black_box(ahead));
    PAGES.set(size_in_pages());
}

/// The size of the module's memory, in pages; 0 on a host, where tests are compiled.
fn size_in_pages() -> usize {
    #[cfg(target_arch = "wasm32")]
    let pages = core::arch::wasm32::memory_size(0);
    #[cfg(not(target_arch = "wasm32"))]
    let pages = 0;
    pages
}
