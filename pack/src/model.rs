//! What comes next in a module, as odds: from counts of the bits that came before in the same contexts.
//!
//! The sums are those of Matt Mahoney's PAQ1 (<https://mattmahoney.net/dc/paq1.pdf>): no weights are
//! learned, so there is nothing to compute but products of small integers.

use crate::coder::Coder;

const CONTEXTS: usize = 4;
/// A longer context says more where it was met at all.
const WEIGHTS: [u32; CONTEXTS] = [4, 16, 28, 28];
/// How much more a context counts in which only ever the same bit came.
const CERTAIN: u32 = 3;
/// What either bit counts in a context that was never met.
const PRIOR: u32 = 16;

const LINE_BITS: u32 = 17;
/// Four bits of a byte, in a context: a tree of 15 nodes, each with how often a 0 and a 1 came. Together,
/// because memory is slow.
type Line = [[u8; 2]; 16];

/// Where in an instruction the next byte stands. Outside of code every byte is taken for an instruction
/// without operands, which makes text of it.
struct Place {
    in_code: bool,
    /// 0 where the operands are those before a function's instructions: its size, and its locals.
    instruction: u8,
    /// Operands to come, and come.
    left: u32,
    read: u32,
    /// Bytes of this operand that came.
    continued: u32,
    /// Blocks that are open.
    depth: u32,
}

/// About 4 MB. Zeroed memory is a model that has seen nothing.
pub struct Model {
    lines: [Line; 1 << LINE_BITS],
    place: Place,
    /// The last four instructions.
    instructions: u32,
    /// The last two bytes.
    bytes: u32,
}

impl Model {
    /// A byte that `coder` writes, or reads.
    pub fn byte(&mut self, coder: &mut impl Coder) -> u8 {
        let contexts = self.contexts();
        let mut byte = 1;
        while byte < 256 {
            let lines = contexts.map(|context| {
                (context ^ byte as u32).wrapping_mul(0x9e37_79b1) as usize >> (32 - LINE_BITS)
            });
            let mut node = 1;
            while node < 16 {
                let bit = coder.bit(self.odds(&lines, node));
                self.count(&lines, node, bit);
                node = node * 2 + bit;
            }
            byte = byte << 4 | (node & 15);
        }
        self.place.step(byte as u8, &mut self.instructions);
        self.bytes = self.bytes << 8 | (byte as u32 & 255);
        byte as u8
    }

    /// The next byte is code's first.
    pub fn enter_code(&mut self) {
        self.place.in_code = true;
        self.place.enter_function();
    }

    pub fn leave_code(&mut self) {
        self.place.in_code = false;
    }

    fn odds(&self, lines: &[usize; CONTEXTS], node: usize) -> [u32; 2] {
        let mut odds = [PRIOR; 2];
        for (line, weight) in lines.iter().zip(WEIGHTS) {
            let [zeros, ones] = self.lines[*line][node].map(u32::from);
            let certain = zeros == 0 || ones == 0;
            let weight = if certain { weight * CERTAIN } else { weight };
            odds[0] += zeros * weight;
            odds[1] += ones * weight;
        }
        odds
    }

    fn count(&mut self, lines: &[usize; CONTEXTS], node: usize, bit: usize) {
        for line in lines {
            let seen = &mut self.lines[*line][node];
            seen[bit] = seen[bit].saturating_add(1);
            // What came lately says more than what came once.
            let other = &mut seen[1 - bit];
            if *other > 2 {
                *other = *other / 2 + 1;
            }
        }
    }

    /// Hashes of what the next byte may depend on.
    fn contexts(&self) -> [u32; CONTEXTS] {
        let place = &self.place;
        let here = (place.left * 4 + place.continued) * 2 + place.in_code as u32;
        let last = self.instructions;
        let of = |value: u32, context: u32| {
            let mixed = (value ^ here.wrapping_mul(0x9e37_79b1)).wrapping_mul(0x85eb_ca6b);
            (mixed.rotate_left(13) ^ context).wrapping_mul(0xc2b2_ae35)
        };
        [of(0, 0), of(last & 0xff, 1), of(last << 16 | (self.bytes & 0xffff), 2), of(last, 3)]
    }
}

impl Place {
    fn step(&mut self, byte: u8, instructions: &mut u32) {
        if self.left == 0 || !self.in_code {
            *instructions = *instructions << 8 | u32::from(byte);
            if self.in_code {
                self.enter_instruction(byte);
            }
        } else if byte >= 0x80 {
            self.continued += 1;
        } else {
            self.end_operand(byte);
        }
    }

    fn enter_function(&mut self) {
        self.instruction = 0;
        self.left = 2;
        self.read = 0;
        self.depth = 0;
    }

    fn enter_instruction(&mut self, instruction: u8) {
        self.instruction = instruction;
        self.read = 0;
        // https://webassembly.github.io/spec/core/binary/instructions.html
        self.left = match instruction {
            // Blocks, branches, calls, locals and globals, sizes of memory, numbers.
            0x02..=0x04 | 0x0c..=0x0e | 0x10 | 0x20..=0x24 | 0x3f..=0x42 | 0xfc => 1,
            // Indirect calls, and what reads or writes memory.
            0x11 | 0x28..=0x3e => 2,
            _ => 0,
        };
        match instruction {
            0x02..=0x04 => self.depth += 1,
            0x0b if self.depth == 0 => self.enter_function(),
            0x0b => self.depth -= 1,
            _ => {}
        }
    }

    /// `byte` is an operand's last, and the whole of a small one.
    fn end_operand(&mut self, byte: u8) {
        self.continued = 0;
        self.left -= 1;
        self.read += 1;
        self.left += match (self.instruction, self.read) {
            // Each group of a function's locals has a number and a type.
            (0, 2) => u32::from(byte) * 2,
            // A table of branches has one more than it says.
            (0x0e, 1) => u32::from(byte) + 1,
            _ => 0,
        };
    }
}
