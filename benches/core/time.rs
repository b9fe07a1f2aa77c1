//! How long the core takes for each step on this machine: `make bench-core`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use honeyhive_edge_benches::{Case, SIZES, STEPS, snapshot};

fn steps(criterion: &mut Criterion) {
    for step in STEPS {
        let mut group = criterion.benchmark_group(step);
        for size in SIZES {
            group.throughput(Throughput::Bytes(snapshot(size).len() as u64));
            let mut case = Case::of(step, size);
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| black_box(case.run()));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = steps
}
criterion_main!(benches);
