//! Every bound of the service at itself, one below and one above, with the very error and its words.

use std::collections::BTreeMap;

use wardkeep_model::{KeySpec, KeyState, KeyUsage, KeyVersion, RingName, action};
use wardkeep_store::{Change, Store, Table, Work};
use zeroize::Zeroizing;

use super::fixture::{Fixture, caller, context, id, new_key};
use crate::service::change::MAX_VERSIONS;
use crate::service::{Encrypt, KeyUpdate, ListKeys, NewRing, Precondition, Sign, SignatureInput};
use crate::wrapped::{MAX_PLAINTEXT, MAX_WRAPPED};
use crate::{KmsError, Page};

const NONE: Precondition = Precondition { revision: None };

fn labels(count: usize, name: usize, value: usize) -> BTreeMap<String, String> {
    (0..count).map(|n| (format!("{n:0name$}"), "v".repeat(value))).collect()
}

#[tokio::test]
async fn labels_of_keys_and_rings() {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let key = id("ring/key");
    let refused = KmsError::LabelBounds { max_count: 64, max_name: 63, max_value: 256 };
    assert!(
        refused.to_string().contains("64") && refused.to_string().contains("63") && refused.to_string().contains("256")
    );
    let cases = [
        (labels(0, 1, 0), true),
        (labels(63, 2, 1), true),
        (labels(64, 2, 1), true),
        (labels(65, 2, 1), false),
        (labels(1, 62, 1), true),
        (labels(1, 63, 1), true),
        (labels(1, 64, 1), false),
        (labels(1, 1, 255), true),
        (labels(1, 1, 256), true),
        (labels(1, 1, 257), false),
        (BTreeMap::from([(String::new(), "v".to_owned())]), false),
        (BTreeMap::from([("\u{e9}".repeat(31), "v".to_owned())]), true),
        (BTreeMap::from([("\u{e9}".repeat(32), "v".to_owned())]), false),
    ];
    for (at, (labels, good)) in cases.into_iter().enumerate() {
        let wanted = if good { Ok(()) } else { Err(refused.clone()) };
        let update = KeyUpdate { labels: Some(labels.clone()), rotation_days: None };
        let said = fixture.kms.update_key(fixture.permit(&key), &key, update, NONE, None).await.map(drop);
        assert_eq!(said, wanted, "case {at}, an update");
        let mut new = new_key(&format!("ring/made-{at}"), KeySpec::Aes256Gcm, KeyUsage::Wrap);
        new.labels = labels.clone();
        let said = fixture.kms.create_key(fixture.permit(&new.id.clone()), new, None).await.map(drop);
        assert_eq!(said, wanted, "case {at}, a key");
        let name = RingName::new(&format!("ring-{at}")).unwrap();
        let new = NewRing { name: name.clone(), labels };
        let said = fixture.kms.create_ring(fixture.ring_permit(&name), new, None).await.map(drop);
        assert_eq!(said, wanted, "case {at}, a ring");
    }
}

#[tokio::test]
async fn plaintexts_and_what_is_opened() {
    let fixture = Fixture::new().await;
    fixture.create("ring/enc", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    let (key, bound) = (id("ring/enc"), context("a"));
    for (len, good) in [(0, true), (MAX_PLAINTEXT - 1, true), (MAX_PLAINTEXT, true), (MAX_PLAINTEXT + 1, false)] {
        let request = Encrypt { key: key.clone(), context: bound.clone(), plaintext: Zeroizing::new(vec![7; len]) };
        let said = fixture.kms.encrypt(fixture.permit_with(&key, &bound), request).await.map(drop);
        assert_eq!(said, if good { Ok(()) } else { Err(KmsError::TooLarge { len, max: MAX_PLAINTEXT }) }, "{len}");
    }
    for (len, wanted) in [
        (0, KmsError::Malformed),
        (MAX_WRAPPED, KmsError::Malformed),
        (MAX_WRAPPED + 1, KmsError::TooLarge { len: MAX_WRAPPED + 1, max: MAX_WRAPPED }),
    ] {
        assert_eq!(fixture.kms.peek(&vec![0; len]).map(drop), Err(wanted), "{len} bytes");
    }
}

#[tokio::test]
async fn messages_and_digests() {
    let fixture = Fixture::new().await;
    fixture.create("ring/ec", KeySpec::EcP256, KeyUsage::Sign).await;
    let key = id("ring/ec");
    for (len, good) in [(0, false), (31, false), (32, true), (33, false)] {
        let request = Sign { key: key.clone(), input: SignatureInput::Digest(vec![7; len]) };
        let said = fixture.kms.sign(fixture.permit(&key), request).await.map(drop);
        assert_eq!(said, if good { Ok(()) } else { Err(KmsError::DigestLength { len }) }, "{len}");
    }
    for (len, good) in [(0, true), (65_536, true), (65_537, false)] {
        let request = Sign { key: key.clone(), input: SignatureInput::Message(vec![7; len]) };
        let said = fixture.kms.sign(fixture.permit(&key), request).await.map(drop);
        assert_eq!(said, if good { Ok(()) } else { Err(KmsError::TooLarge { len, max: 65_536 }) }, "{len}");
    }
}

#[tokio::test]
async fn pages() {
    let fixture = Fixture::new().await;
    for n in 0..5 {
        fixture.create(&format!("ring/k{n}"), KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    }
    let who = caller("ana");
    let resource = wardkeep_policy::Resource::System("keys");
    let event = || fixture.engine.list_event(&who, wardkeep_model::ActionName::DescribeKey, resource).unwrap();
    let mut all = |facts: &wardkeep_model::KeyFacts| Some(fixture.permit::<action::DescribeKey>(&facts.id));
    for (limit, good) in [(0, false), (1, true), (999, true), (1000, true), (1001, false), (usize::MAX, false)] {
        let list = ListKeys { ring: None, after: None, limit };
        let page = fixture.kms.list_keys(&list, &mut all, event()).await;
        assert_eq!(page.as_ref().err(), (!good).then_some(&KmsError::PageBounds { max: 1000 }), "{limit}");
        assert!(page.is_err() || fixture.last_event().outcome == "ok");
    }
    let strange = ListKeys { ring: None, after: Some("no name".into()), limit: 10 };
    let said = fixture.kms.list_keys(&strange, &mut all, event()).await.map(drop);
    assert_eq!(said, Err(KmsError::PageBounds { max: 1000 }));
    // Walked in pages of any size, the list is the list; a cursor that names no key is a place all the same.
    for limit in 1..7 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let list = ListKeys { ring: None, after, limit };
            let Page { items, next } = fixture.kms.list_keys(&list, &mut all, event()).await.unwrap();
            assert!(items.len() <= limit && (next.is_none() || items.len() == limit));
            seen.extend(items.into_iter().map(|info| info.facts.id.name().to_owned()));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["k0", "k1", "k2", "k3", "k4"], "pages of {limit}");
    }
    let between = ListKeys { ring: None, after: Some("ring/k2x".into()), limit: 10 };
    let page = fixture.kms.list_keys(&between, &mut all, event()).await.unwrap();
    assert_eq!(page.items.len(), 2);
}

#[tokio::test]
async fn versions() {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let key = id("ring/key");
    // As if it had been rotated so often before: each rotation writes all versions anew.
    let now = fixture.kms.inner.keyring.key(&key).unwrap();
    let mut body = now.body.clone();
    let first = body.versions[0].clone();
    body.versions = (1..MAX_VERSIONS as u32)
        .map(|number| crate::keyring::VersionBody {
            number: KeyVersion::new(number).unwrap(),
            state: if (number as usize) < MAX_VERSIONS - 1 { KeyState::Deactivated } else { KeyState::Active },
            ..first.clone()
        })
        .collect();
    let value = crate::row::write_key(&body).unwrap();
    let change = Change::Put { table: Table::Key, id: key.to_string(), expected: Some(1), value };
    fixture.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
    let fixture = Fixture { kms: fixture.restarted(), ..fixture };
    assert_eq!(fixture.rotate(&key).await.versions.len(), MAX_VERSIONS, "the last one");
    let said = fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, None).await.map(drop);
    assert_eq!(said, Err(KmsError::TooManyVersions { max: MAX_VERSIONS }));
    assert!(said.unwrap_err().to_string().contains("make a new key"));
    let restarted = fixture.restarted().describe_key(fixture.permit(&key), &key).await.unwrap();
    assert_eq!(restarted.versions.len(), MAX_VERSIONS);
    let active = restarted.versions.iter().filter(|version| version.state == KeyState::Active).count();
    assert_eq!((active, restarted.versions.last().unwrap().state), (1, KeyState::Active));
}

#[tokio::test]
async fn what_is_asked_of_a_key_or_ring_that_is_not_there() {
    let fixture = Fixture::new().await;
    let (key, bound, ring) = (id("ring/none"), context("a"), RingName::new("nowhere").unwrap());
    assert_eq!(fixture.generate(&key, &bound).await.err(), Some(KmsError::KeyNotFound));
    assert_eq!(fixture.kms.describe_key(fixture.permit(&key), &key).await.err(), Some(KmsError::KeyNotFound));
    assert_eq!(fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, None).await.err(), Some(KmsError::KeyNotFound));
    assert_eq!(
        fixture.kms.delete_ring(fixture.ring_permit(&ring), &ring, NONE).await.err(),
        Some(KmsError::RingNotFound)
    );
    let lost = id("nowhere/key");
    let new = new_key("nowhere/key", KeySpec::Aes256Gcm, KeyUsage::Wrap);
    assert_eq!(fixture.kms.create_key(fixture.permit(&lost), new, None).await.err(), Some(KmsError::RingNotFound));
    let name = RingName::new("ring").unwrap();
    let again = NewRing { name: name.clone(), labels: BTreeMap::new() };
    assert_eq!(
        fixture.kms.create_ring(fixture.ring_permit(&name), again, None).await.err(),
        Some(KmsError::RingExists)
    );
    assert!(fixture.records().iter().all(|record| record.event().is_ok()));
}
