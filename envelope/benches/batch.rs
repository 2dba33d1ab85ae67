//! A batch of 1 000 records of 1 KiB under a policy of 10 attributes, header and all; the table gives the time for the
//! whole batch, so microseconds a record are its milliseconds.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wardkeep_abe::{AccessPolicy, Attributes, Authority, AuthorityId, Grant, Schema, Seed, Terms};
use wardkeep_envelope::batch::{BatchOpener, BatchSealer};
use wardkeep_envelope::{AbeReader, AbeRecipient, FileKey, RandomFailed};

const RECORDS: usize = 1_000;
const LENGTH: usize = 1_024;

#[expect(clippy::unwrap_used, reason = "a benchmark may end on a failed expectation")]
fn a_thousand_records(criterion: &mut Criterion) {
    let mut count = 0u8;
    let mut random = |out: &mut [u8]| -> Result<(), RandomFailed> {
        count = count.wrapping_add(1);
        out.fill(count);
        Ok(())
    };
    let authority = Authority::generate(AuthorityId([7; 16]), Schema::default(), Terms::default(), Seed::new([1; 32]));
    let parameters = authority.parameters();
    let text: Vec<String> = (0..10).map(|at| format!("a{at} = x")).collect();
    let recipient = AbeRecipient::new(parameters, AccessPolicy::parse(&text.join(" and "), parameters).unwrap());
    let attributes = Attributes::parse(&text.join(", "), parameters.schema()).unwrap();
    let grant = Grant { attributes: &attributes, valid_until: None, serial: None };
    let key = authority.issue(&grant, Seed::new([2; 32])).unwrap();
    let reader = AbeReader::new(parameters, &key).unwrap();

    let record = vec![0x5a; LENGTH];
    let context = |number: usize| (number as u64).to_be_bytes();
    let mut begin = || {
        let file_key = FileKey::random(&mut random).unwrap();
        BatchSealer::new(&file_key, &[&recipient], b"bench", &mut random).unwrap()
    };
    let mut sealer = begin();
    let boxes: Vec<Vec<u8>> = (0..RECORDS).map(|at| sealer.seal(&context(at), &record).unwrap()).collect();
    let header = sealer.header().to_vec();

    let mut group = criterion.benchmark_group("1000x1KiB");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(20).measurement_time(Duration::from_secs(3));
    group.bench_function("seal", |b| {
        b.iter(|| {
            let mut sealer = begin();
            for at in 0..RECORDS {
                black_box(sealer.seal(&context(at), &record).unwrap());
            }
        });
    });
    group.bench_function("open", |b| {
        b.iter(|| {
            let batch = BatchOpener::from_bytes(&header).unwrap().reader(&[&reader], b"bench").unwrap();
            for (at, sealed) in boxes.iter().enumerate() {
                black_box(batch.open(sealed, &context(at)).unwrap());
            }
        });
    });
    // What one record costs by itself, without its part of the header.
    group.throughput(Throughput::Bytes(LENGTH as u64));
    group.bench_function("seal_one_record", |b| {
        b.iter_batched_ref(&mut begin, |sealer| sealer.seal(&context(0), &record).unwrap(), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, a_thousand_records);
criterion_main!(benches);
