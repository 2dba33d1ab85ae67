//! Authorities as keys: made from what the bundle declares, rotated, published, listed, destroyed.

use wardkeep_abe::PublicParameters;
use wardkeep_model::{KeySpec, KeyState, KeyUsage, KeyVersion};
use wardkeep_store::{Store, Table};

use super::fixture::{Fixture, id, new_key};
use crate::due::Due;
use crate::service::{KeyUpdate, ListKeys, NewKey, Precondition};
use crate::{KmsError, Published};

const ANY: Precondition = Precondition { revision: None };

async fn published(fixture: &Fixture, version: Option<u32>) -> Result<Published, KmsError> {
    let key = id("ring/abe");
    let found = fixture.kms.parameters(fixture.permit(&key), &key, version.and_then(KeyVersion::new)).await?;
    assert_eq!(found.key, key);
    Ok((*found.published).clone())
}

#[tokio::test]
async fn an_authority_is_made_from_the_bundle_and_publishes_what_that_says() {
    let fixture = Fixture::new().await;
    let made = fixture.authority("ring/abe").await;
    assert_eq!((made.facts.usage, made.facts.spec), (KeyUsage::Issue, KeySpec::FabeoBls12381));
    assert!(made.versions[0].public_key.is_none(), "parameters are asked for by themselves");
    let found = published(&fixture, None).await.unwrap();
    let read = PublicParameters::from_bytes(&found.parameters).unwrap();
    assert_eq!((read.fingerprint(), read.authority().0), (&found.fingerprint, found.authority));
    assert!(read.verify(&found.signing_key).is_ok());
    assert_eq!((found.bucket_seconds, found.serial_bits), (3_600, 20));
    assert_eq!(found.schema, fixture.plan(&id("ring/abe")).unwrap().schema.to_text());
    assert_eq!(published(&fixture, Some(1)).await.unwrap(), found, "asked for by number, and from memory");
    let missing = KmsError::VersionNotFound { version: KeyVersion::new(2).unwrap() };
    assert_eq!(published(&fixture, Some(2)).await, Err(missing));
}

#[tokio::test]
async fn without_a_declaration_there_is_no_authority() {
    let fixture = Fixture::new().await;
    let key = id("ring/undeclared");
    let new = new_key("ring/undeclared", KeySpec::FabeoBls12381, KeyUsage::Issue);
    let refused = fixture.kms.create_key(fixture.permit(&key), new, None).await.unwrap_err();
    assert_eq!(refused, KmsError::PlanMissing);
    let advice = "add `[authorities.\"<ring>/<key>\"]` to its manifest";
    assert!(refused.to_string().ends_with(advice), "{refused}");
    assert_eq!(refused.code(), "authority-undeclared", "as the decision to issue says it");
    for (spec, usage) in [
        (KeySpec::FabeoBls12381, KeyUsage::Wrap),
        (KeySpec::Rsa3072, KeyUsage::Issue),
        (KeySpec::Ed25519, KeyUsage::Issue),
    ] {
        let new = NewKey { plan: fixture.plan(&id("ring/abe")), ..new_key("ring/undeclared", spec, usage) };
        let refused = fixture.kms.create_key(fixture.permit(&key), new, None).await.unwrap_err();
        assert_eq!(refused, KmsError::SpecUsage { spec, usage });
    }
    assert!(fixture.store.read(Table::Material, "ring/undeclared#1").unwrap().is_none());
}

#[tokio::test]
async fn versions_share_who_they_are_and_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let info = fixture.rotate(&id("ring/abe")).await;
    let states: Vec<KeyState> = info.versions.iter().map(|version| version.state).collect();
    assert_eq!(states, [KeyState::Deactivated, KeyState::Active]);
    let (one, two) = (published(&fixture, Some(1)).await.unwrap(), published(&fixture, None).await.unwrap());
    assert_eq!((one.authority, one.signing_key, &one.schema), (two.authority, two.signing_key, &two.schema));
    assert_ne!(one.fingerprint, two.fingerprint);
    assert_eq!(PublicParameters::from_bytes(&two.parameters).unwrap().version(), 2);
    // The same after a restart: both are read from their rows.
    let restarted = fixture.restarted();
    let key = id("ring/abe");
    let again = restarted.parameters(fixture.permit(&key), &key, None).await.unwrap();
    assert_eq!(*again.published, two);
}

#[tokio::test]
async fn two_rotations_at_once_never_number_a_version_wrongly() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    fixture.authority("ring/abe").await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let fixture = fixture.clone();
            tokio::spawn(async move {
                let key = id("ring/abe");
                fixture.kms.rotate_key(fixture.permit(&key), &key, ANY, None).await.map(|info| info.versions.len())
            })
        })
        .collect();
    for task in tasks {
        let done = task.await.unwrap();
        assert!(done.is_ok() || done == Err(KmsError::Contended), "{done:?}");
    }
    let versions = fixture.kms.describe_key(fixture.permit(&id("ring/abe")), &id("ring/abe")).await.unwrap().versions;
    assert!(versions.len() >= 2);
    for version in versions {
        let found = published(&fixture, Some(version.number.get())).await.unwrap();
        assert_eq!(PublicParameters::from_bytes(&found.parameters).unwrap().version(), version.number.get());
    }
    assert!(fixture.issue("ana", "ring/abe").await.is_ok(), "the material is of that number too");
}

#[tokio::test]
async fn a_rotation_falls_due_as_with_any_key() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let key = id("ring/abe");
    let update = KeyUpdate { labels: None, rotation_days: Some(Some(30)) };
    fixture.kms.update_key(fixture.permit(&key), &key, update, ANY, None).await.unwrap();
    fixture.clock.advance_days(30);
    assert_eq!(fixture.kms.due(fixture.clock_now()), [Due::Rotate(key.clone())]);
    // As the scheduler does it where the bundle in force declares nothing any more.
    fixture.kms.rotate_under(fixture.permit(&key), &key, None, ANY, None).await.unwrap();
    assert_eq!(published(&fixture, None).await.unwrap().schema, published(&fixture, Some(1)).await.unwrap().schema);
    let list = ListKeys { ring: None, after: None, limit: 10 };
    let event = fixture.permit::<wardkeep_model::action::DescribeKey>(&key).into_event();
    let mut may_see = |facts: &wardkeep_model::KeyFacts| fixture.decide("ana", &facts.id, None, None, false).ok();
    let page = fixture.kms.list_keys(&list, &mut may_see, event).await.unwrap();
    assert_eq!(page.items[0].facts.usage, KeyUsage::Issue);
}

/// Whoever has the master key of one version signs parameters of the next.
#[tokio::test]
async fn an_authority_that_leaked_is_not_rotated() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let key = id("ring/abe");
    fixture.rotate(&key).await;
    let update = KeyUpdate { labels: None, rotation_days: Some(Some(1)) };
    fixture.kms.update_key(fixture.permit(&key), &key, update, ANY, None).await.unwrap();
    let first = Some(KeyVersion::FIRST);
    fixture.kms.compromise_key(fixture.permit(&key), &key, first, ANY, None).await.unwrap();
    let refused = fixture.kms.rotate_key(fixture.permit(&key), &key, ANY, None).await.unwrap_err();
    assert_eq!(refused, KmsError::AuthorityCompromised { version: KeyVersion::FIRST });
    assert!(refused.to_string().contains("make a new authority"), "{refused}");
    fixture.clock.advance_days(2);
    assert_eq!(fixture.kms.due(fixture.clock_now()), [], "and the scheduler does not try for ever");
    // A key of another kind is: its versions share nothing.
    fixture.create("ring/wrap", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture.compromise(&id("ring/wrap")).await;
    assert_eq!(fixture.rotate(&id("ring/wrap")).await.versions.len(), 2);
}

#[tokio::test]
async fn what_is_to_be_destroyed_still_publishes_and_revokes_and_then_nothing() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.issue("ana", "ring/abe").await.unwrap();
    fixture.schedule(&id("ring/abe")).await;
    assert!(published(&fixture, None).await.is_ok());
    assert_eq!(fixture.revoke("ring/abe", super::issuing::serials(None, &[1])).await.unwrap().revoked, 1);
    assert_eq!(fixture.issue("ana", "ring/abe").await.err(), Some(KmsError::PendingDeletion));
    assert_eq!(fixture.escrow("ring/abe", 2, 2, vec![]).await.err(), Some(KmsError::PendingDeletion));
    fixture.clock.advance_days(7);
    let key = id("ring/abe");
    fixture.kms.destroy_key(fixture.permit(&key), &key, ANY, None).await.unwrap();
    assert_eq!(published(&fixture, None).await, Err(KmsError::KeyDestroyed));
    // Rows of what it issued go with the sweep; the name stays taken.
    fixture.clock.advance_days(2);
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(1));
    assert_eq!(fixture.kms.widest_cover(), None);
}
