use std::ops::Range;

use crate::coder::{Coder, Interval};
use crate::model::Model;
use crate::unpack::{HEADER, MAX_PACKED, MAX_UNPACKED, Unpacker};

const CODE_SECTION: u8 = 10;

/// Packs a module of WebAssembly, or any other bytes, of which it will make less.
///
/// # Errors
///
/// If it is larger than a page's unpacker has room for.
pub fn pack(module: &[u8]) -> Result<Vec<u8>, String> {
    let code = code_of(module).unwrap_or(0..0);
    let mut writer = Writer { interval: Interval::ALL, byte: 0, left: 0, packed: Vec::new() };
    for number in [module.len(), code.start, code.end] {
        writer.packed.extend((number as u32).to_le_bytes());
    }
    assert_eq!(writer.packed.len(), HEADER);
    // SAFETY: zeroes are a model that has seen nothing.
    let mut model: Box<Model> = unsafe { Box::new_zeroed().assume_init() };
    for (at, byte) in module.iter().enumerate() {
        if at == code.start {
            model.enter_code();
        }
        if at == code.end {
            model.leave_code();
        }
        (writer.byte, writer.left) = (*byte, 8);
        model.byte(&mut writer);
    }
    let packed = [writer.packed, writer.interval.end().to_vec()].concat();
    if module.len() > MAX_UNPACKED || packed.len() > MAX_PACKED {
        return Err(format!(
            "a module of {} bytes, {} packed, is over the {MAX_UNPACKED} and {MAX_PACKED} that a page has room for: see pack/src/unpack.rs",
            module.len(),
            packed.len(),
        ));
    }
    Ok(packed)
}

/// What a page makes of what was packed, so many bytes `at_once`.
///
/// # Panics
///
/// If that was not packed, and begins with too large a number.
pub fn unpack(packed: &[u8], at_once: usize) -> Vec<u8> {
    // SAFETY: zeroes are one that has not begun.
    let mut unpacker: Box<Unpacker> = unsafe { Box::new_zeroed().assume_init() };
    unpacker.packed()[..packed.len()].copy_from_slice(packed);
    let length = unpacker.unpack(0);
    while unpacker.unpack(at_once) > 0 {}
    unpacker.unpacked[..length].to_vec()
}

struct Writer {
    interval: Interval,
    byte: u8,
    left: u32,
    packed: Vec<u8>,
}

impl Coder for Writer {
    fn bit(&mut self, odds: [u32; 2]) -> usize {
        self.left -= 1;
        let bit = usize::from(self.byte >> self.left & 1);
        self.interval.take(bit, self.interval.split(odds));
        while let Some(byte) = self.interval.shift() {
            self.packed.push(byte);
        }
        bit
    }
}

/// Where the functions of a module are.
fn code_of(module: &[u8]) -> Option<Range<usize>> {
    let mut at = 8;
    loop {
        let section = *module.get(at)?;
        let (length, begin) = leb128(module, at + 1)?;
        at = begin.checked_add(length)?;
        if section == CODE_SECTION && at <= module.len() {
            let (_, functions) = leb128(module, begin)?;
            return (functions < at).then_some(functions..at);
        }
    }
}

/// A number, and where it ends.
fn leb128(bytes: &[u8], begin: usize) -> Option<(usize, usize)> {
    let mut number = 0;
    for (index, byte) in bytes.get(begin..)?.iter().take(4).enumerate() {
        number |= usize::from(byte & 0x7f) << (7 * index);
        if byte < &0x80 {
            return Some((number, begin + index + 1));
        }
    }
    None
}
