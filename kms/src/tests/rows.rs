//! Rows that somebody changed, cut or put in each other's place: a start says so, and a use fails in the service's own words.
//!
//! The store seals its rows; what it hands over is still only bytes. A parser that trusts them is one forged backup away
//! from a server that does not start, or that starts and uses one key for another.

use proptest::prelude::*;
use wardkeep_model::{KeySpec, KeyUsage};
use wardkeep_store::{Change, Store, Table, Work};
use zeroize::Zeroizing;

use super::fixture::{Fixture, context, id};
use crate::service::{Encrypt, Sign, SignatureInput};
use crate::{Kms, KmsError, row};

/// Puts any bytes in the place of a row.
async fn replace(fixture: &Fixture, table: Table, id: &str, value: &[u8]) {
    let expected = fixture.store.read(table, id).unwrap().map(|row| row.sequence);
    let change = Change::Put { table, id: id.to_owned(), expected, value: Zeroizing::new(value.to_vec()) };
    fixture.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
}

fn bytes(fixture: &Fixture, table: Table, id: &str) -> Vec<u8> {
    fixture.store.read(table, id).unwrap().unwrap().value.to_vec()
}

fn restart(fixture: &Fixture) -> Result<Kms, String> {
    let (store, clock, entropy) = (fixture.store.clone(), fixture.clock.clone(), fixture.entropy.clone());
    Kms::load(store, clock, entropy, crate::service::Settings::default()).map_err(|error| error.to_string())
}

async fn with_keys() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.create("ring/wrap", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture.create("ring/other", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture.create("ring/enc", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    fixture.create("ring/sign", KeySpec::Ed25519, KeyUsage::Sign).await;
    fixture
}

/// What is no row of ours, whatever stood there.
fn garbage(good: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(good).into_owned();
    vec![
        vec![],
        b"null".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        vec![0; 64],
        vec![0xff; 64],
        good[..good.len() / 2].to_vec(),
        [good, b"x"].concat(),
        text.replacen("\"format\":1", "\"format\":2", 1).into_bytes(),
        text.replacen("\"format\":1", "\"format\":1,\"more\":0", 1).into_bytes(),
        text.replacen("\"format\":1,", "", 1).into_bytes(),
    ]
}

#[tokio::test]
async fn a_start_refuses_a_key_or_ring_that_it_does_not_understand() {
    for (table, name) in [(Table::Key, "ring/wrap"), (Table::Ring, "ring")] {
        let fixture = with_keys().await;
        let good = bytes(&fixture, table, name);
        for bad in garbage(&good) {
            replace(&fixture, table, name, &bad).await;
            let said = restart(&fixture).err().unwrap_or_else(|| panic!("started with {table} {bad:?}"));
            assert!(said.contains(name), "which one: {said}");
        }
        replace(&fixture, table, name, &good).await;
        assert!(restart(&fixture).is_ok(), "put back as it was");
    }
}

#[tokio::test]
async fn a_row_under_a_name_that_is_none_is_refused() {
    for (table, good, name) in [
        (Table::Key, "ring/wrap", "ring"),
        (Table::Key, "ring/wrap", "Ring/wrap"),
        (Table::Key, "ring/wrap", "../wrap"),
        (Table::Ring, "ring", "ring/x"),
        (Table::Ring, "ring", "RING"),
    ] {
        let fixture = with_keys().await;
        let value = bytes(&fixture, table, good);
        replace(&fixture, table, name, &value).await;
        assert!(restart(&fixture).is_err(), "{table} {name}");
    }
}

#[tokio::test]
async fn material_that_is_not_understood_is_not_used() {
    let bound = context("a");
    for bad in [&[][..], &[0], &[1, 1], &[1, 1, 0], &[2; 34], &[0xff; 34], &[1; 33], &[1; 35]] {
        let fixture = with_keys().await;
        for key in ["ring/wrap", "ring/enc", "ring/sign"] {
            replace(&fixture, Table::Material, &format!("{key}#1"), bad).await;
        }
        let fixture = Fixture { kms: fixture.restarted(), ..fixture };
        let made = fixture.generate(&id("ring/wrap"), &bound).await.map(drop);
        assert_eq!(made, Err(KmsError::RowUnreadable), "{bad:?}");
        let key = id("ring/enc");
        let request = Encrypt { key: key.clone(), context: bound.clone(), plaintext: Zeroizing::new(vec![1]) };
        let made = fixture.kms.encrypt(fixture.permit_with(&key, &bound), request).await.map(drop);
        assert_eq!(made, Err(KmsError::RowUnreadable), "{bad:?}");
        let key = id("ring/sign");
        let request = Sign { key: key.clone(), input: SignatureInput::Message(vec![1]) };
        let made = fixture.kms.sign(fixture.permit(&key), request).await.map(drop);
        assert_eq!(made, Err(KmsError::RowUnreadable), "{bad:?}");
    }
}

#[tokio::test]
async fn material_of_another_kind_is_not_taken_for_its_own() {
    let fixture = with_keys().await;
    let seed = bytes(&fixture, Table::Material, "ring/sign#1");
    let aes = bytes(&fixture, Table::Material, "ring/wrap#1");
    assert_eq!(seed.len(), aes.len(), "alike but for what they are");
    replace(&fixture, Table::Material, "ring/sign#1", &aes).await;
    replace(&fixture, Table::Material, "ring/wrap#1", &seed).await;
    let fixture = Fixture { kms: fixture.restarted(), ..fixture };
    assert_eq!(fixture.generate(&id("ring/wrap"), &context("a")).await.err(), Some(KmsError::RowUnreadable));
    let key = id("ring/sign");
    let request = Sign { key: key.clone(), input: SignatureInput::Message(vec![1]) };
    assert_eq!(fixture.kms.sign(fixture.permit(&key), request).await.err(), Some(KmsError::RowUnreadable));
}

#[tokio::test]
async fn one_keys_material_under_anothers_name_opens_nothing_of_either() {
    let fixture = with_keys().await;
    let bound = context("a");
    let (one, two) = (id("ring/wrap"), id("ring/other"));
    let wrapped =
        [fixture.generate(&one, &bound).await.unwrap().wrapped, fixture.generate(&two, &bound).await.unwrap().wrapped];
    let (first, second) =
        (bytes(&fixture, Table::Material, "ring/wrap#1"), bytes(&fixture, Table::Material, "ring/other#1"));
    assert_ne!(first, second);
    replace(&fixture, Table::Material, "ring/wrap#1", &second).await;
    replace(&fixture, Table::Material, "ring/other#1", &first).await;
    let fixture = Fixture { kms: fixture.restarted(), ..fixture };
    for wrapped in wrapped {
        assert_eq!(fixture.unwrap(&wrapped, &bound).await.err(), Some(KmsError::CannotOpen));
    }
}

#[tokio::test]
async fn material_that_is_gone_is_an_error_and_no_new_key() {
    let fixture = with_keys().await;
    let gone = Change::Delete { table: Table::Material, id: "ring/wrap#1".into(), expected: 1 };
    fixture.store.commit(Work { changes: vec![gone], events: vec![] }).await.unwrap();
    let fixture = Fixture { kms: fixture.restarted(), ..fixture };
    let made = fixture.generate(&id("ring/wrap"), &context("a")).await;
    assert!(made.is_err(), "{made:?}");
    assert!(fixture.store.read(Table::Material, "ring/wrap#1").unwrap().is_none());
    assert!(fixture.generate(&id("ring/other"), &context("a")).await.is_ok(), "nobody else is touched");
}

#[tokio::test]
async fn a_tombstone_outweighs_whatever_else_is_there() {
    let fixture = with_keys().await;
    let row = bytes(&fixture, Table::Key, "ring/wrap");
    fixture.destroy(&id("ring/wrap")).await;
    // An old row of the key and its material, as a careless restore would bring them back.
    replace(&fixture, Table::Key, "ring/wrap", &row).await;
    replace(&fixture, Table::Material, "ring/wrap#1", &bytes(&fixture, Table::Material, "ring/other#1")).await;
    let fixture = Fixture { kms: fixture.restarted(), ..fixture };
    let made = fixture.generate(&id("ring/wrap"), &context("a")).await;
    assert!(matches!(made, Err(KmsError::KeyDestroyed)), "{made:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..120), text in "[\\[\\]{}\":,a-z0-9_-]{0,80}") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let _ = row::read_key(input);
            let _ = row::read_ring(input);
            let _ = crate::material::Material::parse(KeySpec::Aes256Gcm, KeyUsage::Wrap, input);
            let _ = crate::material::Material::parse(KeySpec::Ed25519, KeyUsage::Sign, input);
            let _ = crate::material::Material::parse(KeySpec::EcP256, KeyUsage::Sign, input);
        }
    }
}
