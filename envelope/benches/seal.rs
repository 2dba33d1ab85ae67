//! Sealing and opening 64 MiB on one core: streaming, into a new buffer, and in place.

use std::hint::black_box;
use std::io::{Read, Write};
use std::time::Duration;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wardkeep_envelope::{DataKey, FileKey, Opener, RandomFailed, Sealer};

const LENGTH: usize = 64 << 20;

fn fixed(out: &mut [u8]) -> Result<(), RandomFailed> {
    out.fill(7);
    Ok(())
}

#[expect(clippy::unwrap_used, reason = "a benchmark may end on a failed expectation")]
fn sixty_four_mebibytes(criterion: &mut Criterion) {
    let key = DataKey::new("bench/key", vec![1; 60], FileKey::from_bytes([9; 32])).unwrap();
    let sealer = || Sealer::new(key.file_key(), &[&key], b"bench", &mut fixed).unwrap();
    let plaintext = vec![0x5a; LENGTH];
    let sealed = sealer().seal(&plaintext).unwrap();

    let mut group = criterion.benchmark_group("64MiB");
    group.throughput(Throughput::Bytes(LENGTH as u64)).sample_size(20).measurement_time(Duration::from_secs(5));
    group.bench_function("seal_stream", |b| {
        b.iter(|| {
            let mut writer = sealer().writer(std::io::sink()).unwrap();
            writer.write_all(&plaintext).unwrap();
            writer.finish().unwrap()
        });
    });
    group.bench_function("seal_whole", |b| b.iter(|| sealer().seal(black_box(&plaintext)).unwrap()));
    group.bench_function("seal_in_place", |b| {
        let room = || {
            let mut buffer = Vec::with_capacity(sealed.len());
            buffer.extend_from_slice(&plaintext);
            buffer
        };
        b.iter_batched_ref(room, |buffer| sealer().seal_in_place(buffer).unwrap(), BatchSize::PerIteration);
    });
    group.bench_function("open_stream", |b| {
        let mut part = vec![0; 64 << 10];
        b.iter(|| {
            let mut reader = Opener::from_bytes(&sealed).unwrap().reader(&[&key], b"bench").unwrap();
            while reader.read(&mut part).unwrap() > 0 {}
        });
    });
    group.bench_function("open_whole", |b| {
        b.iter(|| Opener::from_bytes(black_box(&sealed)).unwrap().open(&[&key], b"bench").unwrap());
    });
    group.bench_function("open_in_place", |b| {
        let room = || sealed.clone();
        let open = |buffer: &mut Vec<u8>| Opener::open_in_place(buffer, &[&key], b"bench").unwrap();
        b.iter_batched_ref(room, open, BatchSize::PerIteration);
    });
    // The floors: the bare cipher over warm memory, and what touching a new buffer costs by itself.
    group.bench_function("floor_aes_gcm", |b| {
        let (cipher, nonce) = (Aes256Gcm::new(&[9; 32].into()), [0; 12].into());
        let mut buffer = plaintext.clone();
        b.iter(|| {
            for chunk in buffer.chunks_mut(64 << 10) {
                black_box(cipher.encrypt_inout_detached(&nonce, &[], chunk.into()).unwrap());
            }
        });
    });
    group.bench_function("floor_new_buffer", |b| b.iter(|| black_box(plaintext.clone())));
    group.finish();

    let short = vec![0x5a; 1024];
    let mut group = criterion.benchmark_group("1KiB");
    group.throughput(Throughput::Bytes(1024));
    let small = sealer().seal(&short).unwrap();
    group.bench_function("seal_whole", |b| b.iter(|| sealer().seal(black_box(&short)).unwrap()));
    group.bench_function("open_whole", |b| {
        b.iter(|| Opener::from_bytes(black_box(&small)).unwrap().open(&[&key], b"bench").unwrap());
    });
    group.finish();
}

criterion_group!(benches, sixty_four_mebibytes);
criterion_main!(benches);
