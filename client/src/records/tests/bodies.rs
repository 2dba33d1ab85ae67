//! Bodies at every boundary, and bodies that somebody cut, stretched, swapped and shuffled.
//!
//! The adversary here holds envelopes and no key: he cuts at chunk boundaries, where each piece still has a good tag,
//! and puts pieces of one envelope into another.

use wardkeep_envelope::{CHUNK, TAG};

use super::*;

/// A chunk as it lies in an envelope.
const SEALED: usize = CHUNK + TAG;

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Header and chunks of an envelope for a text of `len` bytes.
fn taken_apart(envelope: &[u8], len: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let header = usize::try_from(envelope.len() as u64 - body_len(len)).unwrap();
    (envelope[..header].to_vec(), envelope[header..].chunks(SEALED).map(<[u8]>::to_vec).collect())
}

fn body_len(len: usize) -> u64 {
    wardkeep_envelope::sealed_len(0, len as u64)
}

async fn both(client: &Client, envelope: &[u8]) -> [Result<Vec<u8>, RecordError>; 2] {
    let whole = client.read(envelope).await.map(|record| record.plaintext().to_vec());
    let stream = client.read_stream(std::io::Cursor::new(envelope.to_vec()), Vec::new(), None).await;
    [whole, stream.map(|done| done.output)]
}

/// Neither way of reading gives anything; both say that it was altered or cut.
async fn assert_refused(client: &Client, envelope: &[u8], what: &str) {
    for read in both(client, envelope).await {
        let error = read.err().unwrap_or_else(|| panic!("{what}: it was read"));
        let broken = matches!(error, RecordError::Open(_) | RecordError::Io(_));
        assert!(broken && error.side() == Side::Local, "{what}: {error:?}");
        let said = error.to_string();
        let named = ["altered", "cut short", "before its end", "not a Wardkeep"].iter().any(|word| said.contains(word));
        assert!(named, "{what}: {said}");
    }
}

#[tokio::test]
async fn every_length_around_a_chunk_comes_back_both_ways() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 5 * CHUNK + 17] {
        let plaintext = text(len);
        let envelope = client.protect(&key(), &context("o1"), &plaintext).await.unwrap();
        let input = std::io::Cursor::new(plaintext.clone());
        let stream = client.protect_stream(&key(), &context("o1"), input, Vec::new()).await.unwrap();
        assert_eq!(stream.bytes, len as u64);
        assert_eq!(stream.output.len(), envelope.len(), "{len}: both ways make one format");
        for sealed in [&envelope, &stream.output] {
            for read in both(&client, sealed).await {
                assert!(read.unwrap() == plaintext, "{len}");
            }
        }
    }
}

/// A reader that gives a byte or three at a time, and is interrupted now and then, as pipes are.
struct Dripping(Vec<u8>, usize);

impl std::io::Read for Dripping {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(5) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let len = (self.1 % 3 + 1).min(out.len()).min(self.0.len());
        out[..len].copy_from_slice(&self.0[..len]);
        self.0.drain(..len);
        Ok(len)
    }
}

#[tokio::test]
async fn a_pipe_that_drips_gives_the_same_record() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let plaintext = text(1000);
    let sealed =
        client.protect_stream(&key(), &context("o1"), Dripping(plaintext.clone(), 0), Vec::new()).await.unwrap();
    let opened = client.read_stream(Dripping(sealed.output, 0), Vec::new(), Some(&context("o1"))).await.unwrap();
    assert_eq!((opened.output, opened.context), (plaintext, context("o1")));
}

#[tokio::test]
async fn pieces_cut_off_or_added_at_chunk_boundaries_are_noticed() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let len = 3 * CHUNK + 100;
    let envelope = client.protect(&key(), &context("o1"), &text(len)).await.unwrap();
    let (header, chunks) = taken_apart(&envelope, len);
    assert_eq!(chunks.len(), 4);
    let join = |chunks: &[&Vec<u8>]| {
        let body: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.iter().copied()).collect();
        [header.clone(), body].concat()
    };
    let [a, b, c, d] = [&chunks[0], &chunks[1], &chunks[2], &chunks[3]];
    assert!(both(&client, &join(&[a, b, c, d])).await.into_iter().all(|read| read.unwrap() == text(len)));
    let empty = Vec::new();
    let cases: [(&str, Vec<&Vec<u8>>); 9] = [
        ("nothing after the header", vec![&empty]),
        ("the last chunk cut off", vec![a, b, c]),
        ("only the first chunk", vec![a]),
        ("only the last chunk", vec![d]),
        ("the first chunk cut off", vec![b, c, d]),
        ("two chunks exchanged", vec![a, c, b, d]),
        ("a chunk twice", vec![a, b, b, c, d]),
        ("the end twice", vec![a, b, c, d, d]),
        ("one left out", vec![a, c, d]),
    ];
    for (what, chunks) in cases {
        assert_refused(&client, &join(&chunks), what).await;
    }
    for (what, tail) in [("one byte more", 1), ("a tag more", TAG), ("a whole chunk more", SEALED)] {
        assert_refused(&client, &[envelope.clone(), vec![0; tail]].concat(), what).await;
    }
    for cut in [1, TAG - 1, TAG, TAG + 1, 99, 100] {
        assert_refused(&client, &envelope[..envelope.len() - cut], &format!("{cut} bytes cut off")).await;
    }
}

/// A text that ends with a chunk: cutting the last one off leaves an envelope that looks like a shorter one.
#[tokio::test]
async fn a_body_of_whole_chunks_cannot_lose_its_last() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    for count in [1_usize, 2, 3] {
        let len = count * CHUNK;
        let envelope = client.protect(&key(), &context("o1"), &text(len)).await.unwrap();
        let (header, chunks) = taken_apart(&envelope, len);
        for keep in 0..chunks.len() {
            let shorter = [header.clone(), chunks[..keep].concat()].concat();
            assert_refused(&client, &shorter, &format!("{keep} of {count} chunks")).await;
        }
    }
}

#[tokio::test]
async fn pieces_of_one_envelope_do_not_fit_another() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let len = 2 * CHUNK;
    let one = client.protect(&key(), &context("o1"), &text(len)).await.unwrap();
    let two = client.protect(&key(), &context("o1"), &text(len)).await.unwrap();
    let ((head_one, body_one), (head_two, body_two)) = (taken_apart(&one, len), taken_apart(&two, len));
    assert_refused(&client, &[head_one.clone(), body_two.concat()].concat(), "the body of another").await;
    assert_refused(&client, &[head_two, body_one.concat()].concat(), "the other way round").await;
    let mixed = [head_one, body_one[0].clone(), body_two[1].clone()].concat();
    assert_refused(&client, &mixed, "the last chunk of another").await;
}

/// One data key for several records is the case where a body could fit another header: the salt keeps them apart.
#[tokio::test]
async fn records_under_one_data_key_do_not_lend_each_other_chunks() {
    let fake = KeyServer::start().await;
    let limits = CacheLimits { protect: Some(ProtectLimits::default()), read: None };
    let client = Client::connect(Settings { cache: limits, ..fake.settings() }).await.unwrap();
    let len = CHUNK + 1;
    let one = client.protect(&key(), &context("o1"), &text(len)).await.unwrap();
    let two = client.protect(&key(), &context("o1"), &vec![1; len]).await.unwrap();
    assert_eq!(fake.calls(GENERATE), 1, "one data key");
    let ((head, body), (_, other)) = (taken_apart(&one, len), taken_apart(&two, len));
    assert_refused(&client, &[head.clone(), other.concat()].concat(), "a body under the same data key").await;
    assert_refused(&client, &[head, body[0].clone(), other[1].clone()].concat(), "a chunk under it").await;
}

/// Every byte that a failed stream wrote was part of the record, in its order: nothing unauthenticated comes out.
#[tokio::test]
async fn a_stream_that_fails_half_way_has_written_a_beginning_and_nothing_else() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let plaintext = text(3 * CHUNK + 5);
    let mut envelope = client.protect(&key(), &context("o1"), &plaintext).await.unwrap();
    let last = envelope.len() - 1;
    envelope[last] ^= 1;
    let written = Arc::new(std::sync::Mutex::new(Vec::new()));
    let output = Shared(written.clone());
    let error = client.read_stream(std::io::Cursor::new(envelope), output, None).await.err().unwrap();
    assert_eq!(error.side(), Side::Local, "{error:?}");
    let written = written.lock().unwrap();
    assert!(plaintext.starts_with(&written), "something else was written");
    assert!(written.len() <= 3 * CHUNK, "the altered chunk was written: {}", written.len());
}

struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn answers_that_are_no_data_key_are_an_error_of_the_server() {
    let ca = crate::testing::Authority::new("ca");
    let data_key = |key: &str, plain: &str| {
        format!(
            r#"{{"key":"{key}","version":1,"wrapped":"AQID"{}}}"#,
            if plain.is_empty() { String::new() } else { format!(r#","plaintext":"{plain}""#) }
        )
    };
    let short = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
    let long = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let good = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (what, answer, fits) in [
        ("32 bytes", data_key("clinic/records", good), true),
        ("31 bytes", data_key("clinic/records", short), false),
        ("33 bytes", data_key("clinic/records", long), false),
        ("none", data_key("clinic/records", ""), false),
        ("of another key", data_key("clinic/other", good), false),
    ] {
        let server =
            crate::testing::Server::start(&ca, move |_| crate::testing::Reply::Json(200, answer.clone())).await;
        let folder = crate::testing::Folder::new(&ca, &ca.client("spiffe://example/service/web"));
        let client = Client::connect(folder.settings(server.port)).await.unwrap();
        let made = client.protect(&key(), &context("o1"), b"x").await;
        if fits {
            assert!(made.is_ok(), "{what}: {made:?}");
        } else {
            let error = made.unwrap_err();
            assert!(matches!(error, RecordError::Answer), "{what}: {error:?}");
            assert_eq!(error.side(), Side::Remote);
            assert!(error.to_string().contains("different versions"), "{error}");
        }
    }
}
