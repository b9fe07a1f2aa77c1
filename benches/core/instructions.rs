//! One step of the core, once, for Callgrind to count its instructions, which depend on no machine's
//! mood: `instructions STEP SIZE`, as benches/core/instructions.mjs calls it. Without arguments it lists them.

use std::hint::black_box;

use honeyhive_edge_benches::{Case, SIZES, STEPS};

/// Callgrind counts from where this is entered to where it is left.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn measured(case: &mut Case) -> usize {
    black_box(case.run())
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let [step, size] = given.as_slice() else {
        for step in STEPS {
            for size in SIZES {
                println!("{step} {size}");
            }
        }
        return;
    };
    let mut case = Case::of(step, size);
    // The first time allocates what later ones find.
    black_box(case.run());
    measured(&mut case);
}
