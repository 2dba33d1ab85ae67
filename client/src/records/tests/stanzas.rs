//! Headers with several stanzas: foreign kinds, names that are none, more than anybody needs.
//!
//! Broke elsewhere: one stanza that could not be read hid the one that could be opened, and a header of many stanzas
//! made each reader ask its key service for all of them (age and sops both had to bound theirs).

use wardkeep_envelope::{FileKey, Randomness, Stanza, StanzaKind};

use super::*;

const PLAIN: [u8; 32] = [0x5A; 32];

/// A stanza with these very bytes.
struct Raw(u16, Vec<u8>);

impl Recipient for Raw {
    fn wrap(&self, _: &FileKey, _: &mut dyn Randomness) -> Result<Stanza, WrapError> {
        Ok(Stanza::new(StanzaKind(self.0), self.1.clone()))
    }
}

/// The stanza of the key service for that name and those wrapped bytes, whatever the name is.
fn kms(name: &str, wrapped: &[u8]) -> Raw {
    Raw(1, [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), wrapped].concat())
}

/// An envelope under `PLAIN` with these stanzas, in this order.
fn sealed(stanzas: &[Raw]) -> Vec<u8> {
    let recipients: Vec<&dyn Recipient> = stanzas.iter().map(|stanza| stanza as &dyn Recipient).collect();
    let mut random = |out: &mut [u8]| {
        out.fill(3);
        Ok::<_, RandomFailed>(())
    };
    let context = context_bytes(&context("o1")).unwrap();
    Sealer::new(&FileKey::from_bytes(PLAIN), &recipients, &context, &mut random).unwrap().seal(b"all is well").unwrap()
}

/// A fake that opens `good` and nothing else, and a client that keeps nothing.
async fn reader() -> (KeyServer, Client) {
    let fake = KeyServer::start().await;
    fake.vault.put(b"good", "clinic/records", PLAIN, context_to_wire(&context("o1")));
    let client = Client::connect(Settings { cache: CacheLimits::OFF, ..fake.settings() }).await.unwrap();
    (fake, client)
}

#[tokio::test]
async fn what_cannot_be_read_does_not_hide_what_can() {
    let (fake, client) = reader().await;
    let good = || kms("clinic/records", b"good");
    let cases = [
        ("an unknown kind", Raw(77, b"whatever".to_vec())),
        ("an unknown kind without a body", Raw(0xFFFF, Vec::new())),
        ("a malformed stanza of ours", Raw(1, Vec::new())),
        ("a name longer than the stanza", Raw(1, vec![200, b'a'])),
        ("a name that is not UTF-8", Raw(1, vec![2, 0xFF, 0xFE, 1, 2, 3])),
        ("nothing wrapped", Raw(1, [&[3_u8][..], b"a/b"].concat())),
        ("a name that is no key", kms("../../etc/passwd", b"bad")),
        ("a name without a ring", kms("records", b"bad")),
        ("a malformed RSA stanza", Raw(2, b"short".to_vec())),
    ];
    for (what, stanza) in cases {
        for order in [true, false] {
            let stanza = Raw(stanza.0, stanza.1.clone());
            let stanzas = if order { [stanza, good()] } else { [good(), stanza] };
            let envelope = sealed(&stanzas);
            let before = fake.calls(UNWRAP);
            let read = client.read(&envelope).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(read.plaintext(), b"all is well", "{what}");
            assert_eq!(fake.calls(UNWRAP), before + 1, "{what}: the server was asked about it");
            assert_eq!(inspect(&envelope).unwrap().keys, [key()], "{what}");
            let input = std::io::Cursor::new(envelope);
            let streamed = client.read_stream(input, Vec::new(), None).await.unwrap();
            assert_eq!(streamed.output, b"all is well", "{what}");
        }
    }
}

#[tokio::test]
async fn a_wrapped_key_that_does_not_open_leaves_the_next_its_turn() {
    let (fake, client) = reader().await;
    let mut stanzas: Vec<_> = (0..3_u8).map(|number| kms("clinic/other", &[b'x', number])).collect();
    stanzas.push(kms("clinic/records", b"good"));
    let read = client.read(&sealed(&stanzas)).await.unwrap();
    assert_eq!(read.plaintext(), b"all is well");
    assert_eq!(fake.calls(UNWRAP), MAX_ASKED, "the fourth is the last that is asked about");
}

#[tokio::test]
async fn more_than_four_are_not_asked_about_and_it_says_so() {
    for more in [1, 2, 28] {
        let (fake, client) = reader().await;
        let mut stanzas: Vec<_> = (0..u8::try_from(MAX_ASKED + more - 1).unwrap())
            .map(|number| kms("clinic/other", &[b'x', number]))
            .collect();
        stanzas.push(kms("clinic/records", b"good"));
        let error = client.read(&sealed(&stanzas)).await.unwrap_err();
        assert_eq!(fake.calls(UNWRAP), MAX_ASKED, "{more} more");
        let RecordError::TooManyKeys { left, first } = &error else { panic!("{error:?}") };
        assert_eq!(*left, more);
        assert!(matches!(**first, RecordError::Call(CallError::Invalid(_))), "{first:?}");
        let said = error.to_string();
        let words = ["first 4", &format!("other {more}"), "fewer keys", "cannot-open"];
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert_eq!((error.side(), error.is_denied()), (Side::Remote, false));
        assert!(error.call().is_some(), "the server's word is kept");
    }
}

#[tokio::test]
async fn who_is_denied_the_first_four_is_denied() {
    let (fake, client) = reader().await;
    let mallory = client.on_behalf_of(subject("mallory"));
    let stanzas: Vec<_> = (0..9_u8).map(|number| kms("clinic/records", &[b'x', number])).collect();
    let error = mallory.read(&sealed(&stanzas)).await.unwrap_err();
    assert!(error.is_denied(), "scripts see a denial: {error:?}");
    assert_eq!(fake.calls(UNWRAP), MAX_ASKED);
}

#[tokio::test]
async fn stanzas_that_are_no_keys_do_not_count() {
    let (fake, client) = reader().await;
    let mut stanzas: Vec<_> = (0..20_u8).map(|number| Raw(77, vec![number])).collect();
    stanzas.extend((0..8_u8).map(|number| kms("no key", &[number + 1])));
    stanzas.push(kms("clinic/records", b"good"));
    assert_eq!(client.read(&sealed(&stanzas)).await.unwrap().plaintext(), b"all is well");
    assert_eq!(fake.calls(UNWRAP), 1);
}

#[tokio::test]
async fn a_key_at_hand_opens_wherever_it_stands() {
    let (fake, _) = reader().await;
    let client = fake.client().await;
    client.read(&sealed(&[kms("clinic/records", b"good")])).await.unwrap();
    let mut stanzas: Vec<_> = (0..9_u8).map(|number| kms("clinic/other", &[b'x', number])).collect();
    stanzas.push(kms("clinic/records", b"good"));
    assert_eq!(client.read(&sealed(&stanzas)).await.unwrap().plaintext(), b"all is well");
    assert_eq!(fake.calls(UNWRAP), 1, "the cache answered");
}

#[tokio::test]
async fn an_envelope_without_a_key_of_ours_says_which_kind_of_none() {
    let (fake, client) = reader().await;
    let foreign = sealed(&[Raw(77, b"x".to_vec()), Raw(2, b"x".to_vec())]);
    assert!(matches!(client.read(&foreign).await, Err(RecordError::NoServerKey)));
    assert!(matches!(client.rewrap(&foreign).await, Err(RecordError::NoServerKey)));
    let misnamed = sealed(&[kms("no key", b"x")]);
    let error = client.read(&misnamed).await.unwrap_err();
    assert!(matches!(error, RecordError::Key(_)), "{error:?}");
    assert!(error.to_string().contains("the envelope's key cannot be used"), "{error}");
    assert!(matches!(client.rewrap(&misnamed).await, Err(RecordError::NoServerKey)));
    assert_eq!(fake.server.seen().len(), 0);
}

/// A server that is away is away for every key: it is not asked three times more.
#[tokio::test]
async fn what_is_not_about_the_key_ends_the_search() {
    let (ca, hits) = (crate::testing::Authority::new("ca"), Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    for status in [503_u16, 507, 429, 404, 409, 400, 403, 500] {
        hits.store(0, std::sync::atomic::Ordering::SeqCst);
        let counted = hits.clone();
        let server = crate::testing::Server::start(&ca, move |_| {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            crate::testing::Reply::problem(status, "some-code")
        })
        .await;
        let folder = crate::testing::Folder::new(&ca, &ca.client("spiffe://example/service/web"));
        let client = Client::connect(folder.settings(server.port)).await.unwrap();
        let stanzas: Vec<_> = (0..3_u8).map(|number| kms("clinic/records", &[b'x', number])).collect();
        let error = client.read(&sealed(&stanzas)).await.unwrap_err();
        assert_eq!(error.call().unwrap().refusal().unwrap().status, status);
        let asked = hits.load(std::sync::atomic::Ordering::SeqCst);
        // 429 and 503 are tried again for the one key; that is the retries' bound and not a search.
        let most = if matches!(status, 429 | 503) { 5 } else { 1 };
        let wanted = if matches!(status, 404 | 409 | 400 | 403 | 500) { 3 } else { most };
        assert_eq!(asked, wanted, "{status}");
    }
}

#[tokio::test]
async fn rewrapping_takes_the_first_that_names_a_key() {
    let (fake, client) = reader().await;
    let envelope = sealed(&[Raw(77, b"x".to_vec()), kms("no key", b"bad"), kms("clinic/records", b"good")]);
    let renewed = client.rewrap(&envelope).await.unwrap();
    assert_eq!(client.read(&renewed).await.unwrap().plaintext(), b"all is well");
    assert_eq!(fake.calls("/v1/data-keys/rewrap"), 1);
    let streamed = client.rewrap_stream(std::io::Cursor::new(renewed), Vec::new()).await.unwrap();
    assert_eq!(client.read(&streamed).await.unwrap().plaintext(), b"all is well");
}
