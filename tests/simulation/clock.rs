//! The clocks that a program reads, beside the time in which its timers and its network run.

use honeyhive_edge::core::time::Now;

/// What a runtime has for a forward clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// It goes on while the machine sleeps.
    Steady,
    /// It stands still while the machine sleeps.
    Stalls,
    /// There is none: the program reads the wall clock in its place, which may be set back.
    Missing,
}

/// Time in a simulated life.
#[derive(Debug)]
pub struct Clock {
    /// Milliseconds that the machine was awake for: timers and answers go by it.
    pub awake_ms: u64,
    /// Milliseconds that it slept.
    slept_ms: u64,
    /// Unix milliseconds when all of that began, as the wall clock has it now.
    began_unix_ms: u64,
    /// The program's forward clock.
    pub forward: Forward,
}

impl Clock {
    /// A clock of some kind.
    pub fn new(random: &mut fastrand::Rng) -> Clock {
        let forward = match random.u8(..8) {
            0 => Forward::Missing,
            1 | 2 => Forward::Stalls,
            _ => Forward::Steady,
        };
        Clock {
            awake_ms: random.u64(..10_000),
            slept_ms: 0,
            began_unix_ms: 1_700_000_000_000,
            forward,
        }
    }

    /// What the program reads.
    pub fn now(&self) -> Now {
        let unix_ms = self.began_unix_ms + self.awake_ms + self.slept_ms;
        let mono_ms = match self.forward {
            Forward::Steady => self.awake_ms + self.slept_ms,
            Forward::Stalls => self.awake_ms,
            Forward::Missing => unix_ms,
        };
        Now { mono_ms, unix_ms }
    }

    /// Some time passes.
    pub fn pass(&mut self, ms: u64) {
        self.awake_ms += ms;
    }

    /// The lid is closed for a while.
    pub fn sleep(&mut self, ms: u64) {
        self.slept_ms += ms;
    }

    /// Somebody sets the wall clock by up to an hour, back as well as forth.
    pub fn set_wall(&mut self, random: &mut fastrand::Rng) {
        let jump = random.u64(..7_200_000);
        self.began_unix_ms = (self.began_unix_ms + jump).saturating_sub(3_600_000);
    }
}
