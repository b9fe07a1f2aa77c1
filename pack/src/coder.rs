//! Bits in as much room as their odds ask for: a binary arithmetic coder, which narrows an interval of
//! 32-bit numbers and moves out of it the bytes that all of them share.

/// Writes the bits it knows, or reads those it does not: the model asks the same of either.
pub trait Coder {
    /// The next bit, given the odds of a 0 and of a 1. Neither is 0; together they are below 2²⁴.
    fn bit(&mut self, odds: [u32; 2]) -> usize;
}

/// Its ends are of it.
pub(crate) struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    pub const ALL: Self = Self { low: 0, high: u32::MAX };

    /// The last number that stands for a 1.
    pub fn split(&self, [zeros, ones]: [u32; 2]) -> u32 {
        self.low + (self.high - self.low) / (zeros + ones) * ones
    }

    pub fn take(&mut self, bit: usize, split: u32) {
        if bit == 1 {
            self.high = split;
        } else {
            self.low = split + 1;
        }
    }

    /// Moves out a byte, if all numbers begin with it.
    pub fn shift(&mut self) -> Option<u8> {
        let byte = self.high >> 24;
        if self.low >> 24 != byte {
            return None;
        }
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
        Some(byte as u8)
    }

    /// Bytes that stand for one of its numbers.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn end(&self) -> [u8; 4] {
        self.low.to_be_bytes()
    }
}
