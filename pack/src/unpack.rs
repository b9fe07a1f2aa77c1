//! The way back, in a page: some of the module at a time, so that the page can draw in between.

use crate::coder::{Coder, Interval};
use crate::model::Model;

/// Bytes that a module may have, packed and not.
pub const MAX_PACKED: usize = 1 << 16;
pub const MAX_UNPACKED: usize = 1 << 18;

/// Where the numbers end that a packed module begins with.
pub(crate) const HEADER: usize = 12;

/// Zeroed memory is one that has not begun.
pub struct Unpacker {
    reader: Reader,
    /// What is there of the module.
    pub unpacked: [u8; MAX_UNPACKED],
    done: usize,
    model: Model,
}

struct Reader {
    packed: [u8; MAX_PACKED],
    read: usize,
    interval: Interval,
    /// Of the interval's numbers, the one that was written.
    number: u32,
}

impl Unpacker {
    /// Where the packed module is to be put.
    pub fn packed(&mut self) -> &mut [u8; MAX_PACKED] {
        &mut self.reader.packed
    }

    /// Unpacks up to `count` bytes more; returns how many are left.
    pub fn unpack(&mut self, count: usize) -> usize {
        let [length, code, code_end] = [0, 4, 8].map(|at| self.reader.header(at));
        if self.done == 0 {
            self.reader.begin();
        }
        let until = length.min(self.done + count);
        while self.done < until {
            if self.done == code {
                self.model.enter_code();
            }
            if self.done == code_end {
                self.model.leave_code();
            }
            self.unpacked[self.done] = self.model.byte(&mut self.reader);
            self.done += 1;
        }
        length - until
    }
}

impl Reader {
    fn header(&self, at: usize) -> usize {
        let packed = &self.packed;
        u32::from_le_bytes([packed[at], packed[at + 1], packed[at + 2], packed[at + 3]]) as usize
    }

    fn begin(&mut self) {
        self.read = HEADER;
        self.interval = Interval::ALL;
        for _ in 0..4 {
            self.shift();
        }
    }

    fn shift(&mut self) {
        self.number = self.number << 8 | u32::from(self.packed[self.read]);
        self.read += 1;
    }
}

impl Coder for Reader {
    fn bit(&mut self, odds: [u32; 2]) -> usize {
        let split = self.interval.split(odds);
        let bit = usize::from(self.number <= split);
        self.interval.take(bit, split);
        while self.interval.shift().is_some() {
            self.shift();
        }
        bit
    }
}

/// What the page's JavaScript calls: pkg-template/src/page/unpack.js.
#[cfg(target_arch = "wasm32")]
mod exports {
    use super::Unpacker;

    static mut UNPACKER: core::mem::MaybeUninit<Unpacker> = core::mem::MaybeUninit::zeroed();

    fn unpacker() -> &'static mut Unpacker {
        // SAFETY: zeroes are a value of each of its fields; there is one thread, and nothing here keeps it.
        #[allow(static_mut_refs)]
        unsafe {
            UNPACKER.assume_init_mut()
        }
    }

    #[unsafe(no_mangle)]
    extern "C" fn packed() -> *mut u8 {
        unpacker().packed().as_mut_ptr()
    }

    #[unsafe(no_mangle)]
    extern "C" fn unpacked() -> *const u8 {
        unpacker().unpacked.as_ptr()
    }

    #[unsafe(no_mangle)]
    extern "C" fn unpack(count: usize) -> usize {
        unpacker().unpack(count)
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo) -> ! {
        core::arch::wasm32::unreachable()
    }
}
