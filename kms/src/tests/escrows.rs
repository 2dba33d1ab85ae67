//! Escrow through the service: who may, what is recorded, what custodians get, and that it shows for ever.

use wardkeep_abe::Authority;
use wardkeep_model::{EventDetail, KeySpec, KeyUsage, KeyVersion, action};
use wardkeep_policy::{Question, Resource, escrow_part};

use super::fixture::{Fixture, caller, id};
use super::issuing::{again, opens, read, reader, seal, stands, unseal};
use crate::KmsError;
use crate::escrow::combine;
use crate::service::{Escrow, Escrowed};

fn plain(escrowed: &Escrowed) -> Vec<Vec<u8>> {
    escrowed.packages.iter().map(|package| package.plain.as_ref().unwrap().expose().to_vec()).collect()
}

#[tokio::test]
async fn custodians_bring_back_an_authority_that_issues_what_the_service_would_have() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let issued = fixture.issue("ana", "ring/abe").await.unwrap();
    let (parameters, _) = read(&issued);
    assert!(!fixture.kms.facts(&id("ring/abe")).unwrap().exportable);
    let escrowed = fixture.escrow("ring/abe", 3, 5, vec![]).await.unwrap();
    assert_eq!((escrowed.packages.len(), escrowed.threshold, escrowed.version.get()), (5, 3, 1));
    let packages = plain(&escrowed);
    let recovered = combine(&[&packages[4], &packages[0], &packages[2]]).unwrap();
    assert_eq!((recovered.key, recovered.version), (id("ring/abe"), KeyVersion::FIRST));
    let authority = Authority::from_bytes(recovered.authority.expose()).unwrap();
    assert_eq!(authority.parameters().fingerprint(), parameters.fingerprint());
    // It opens what the service's own keys open.
    let attributes = wardkeep_abe::Attributes::parse("user = bob", parameters.schema()).unwrap();
    let until = parameters.terms().bucket_at(fixture.seconds());
    let grant = wardkeep_abe::Grant { attributes: &attributes, valid_until: until, serial: None };
    let key = authority.issue(&grant, wardkeep_abe::Seed::new([5; 32])).unwrap();
    let sealed = seal(&parameters, "user = bob", fixture.seconds(), None);
    assert!(wardkeep_abe::open(&parameters, &key, &sealed, b"test").is_ok());
    assert!(!opens(&issued, &sealed));
}

#[tokio::test]
async fn that_it_left_is_recorded_and_shows_for_ever() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let (_, one) = reader();
    let (_, two) = reader();
    let prints = format!("{},{}", one.fingerprint(), two.fingerprint());
    fixture.escrow("ring/abe", 2, 2, vec![one, two]).await.unwrap();
    let event = fixture.last_event();
    assert_eq!((event.action.as_str(), event.outcome.as_str()), ("ExportAuthority", "ok"));
    assert_eq!(event.resource.id(), "escrow/ring/abe");
    assert_eq!(fixture.last_detail(EventDetail::Threshold).as_deref(), Some("2"));
    assert_eq!(fixture.last_detail(EventDetail::Count).as_deref(), Some("2"));
    assert_eq!(fixture.last_detail(EventDetail::Recipient), Some(prints));
    assert_eq!(fixture.last_detail(EventDetail::KeyVersion).as_deref(), Some("1"));
    let facts = fixture.kms.facts(&id("ring/abe")).unwrap();
    assert!(facts.exportable, "policies see it");
    fixture.rotate(&id("ring/abe")).await;
    assert!(fixture.restarted().facts(&id("ring/abe")).unwrap().exportable, "and it never comes back");
    assert!(fixture.kms.describe_key(fixture.permit(&id("ring/abe")), &id("ring/abe")).await.unwrap().facts.exportable);
}

#[tokio::test]
async fn each_custodian_opens_their_own_envelope_and_no_other() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let custodians = [reader(), reader(), reader()];
    let keys = custodians.iter().map(|(_, public)| again(public)).collect();
    let escrowed = fixture.escrow("ring/abe", 2, 3, keys).await.unwrap();
    let mut opened = vec![];
    for (at, package) in escrowed.packages.iter().enumerate() {
        assert!(package.plain.is_none(), "never beside the sealed form");
        let sealed = package.sealed.as_ref().unwrap();
        assert_eq!(sealed.context, format!("wardkeep escrow ring/abe#1 {}", at + 1));
        assert_eq!(sealed.recipient, custodians[at].1.fingerprint());
        for (who, (private, _)) in custodians.iter().enumerate() {
            let found = unseal(private, &sealed.envelope, &sealed.context);
            assert_eq!(found.is_some(), who == at, "custodian {who} and package {at}");
            opened.extend(found);
        }
    }
    assert!(combine(&opened[1..]).is_ok());
}

#[tokio::test]
async fn what_is_asked_for_is_within_bounds_or_nothing_leaves() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    for (threshold, shares) in [(1, 3), (0, 3), (2, 1), (4, 3), (2, 17), (17, 17), (0, 0), (255, 255)] {
        let refused = fixture.escrow("ring/abe", threshold, shares, vec![]).await.unwrap_err();
        assert_eq!(refused, KmsError::EscrowShares { min: 2, max: 16 }, "{threshold} of {shares}");
        assert_eq!(refused.to_string(), "an escrow has 2 to 16 shares and a threshold of 2 up to their number");
    }
    for (threshold, shares) in [(2, 2), (16, 16), (2, 16)] {
        let made = fixture.escrow("ring/abe", threshold, shares, vec![]).await.unwrap();
        let packages = plain(&made);
        assert!(combine(&packages[..usize::from(threshold)]).is_ok(), "{threshold} of {shares}");
        assert!(combine(&packages[1..usize::from(threshold)]).is_err(), "{threshold} of {shares}");
    }
    let (_, one) = reader();
    let refused = fixture.escrow("ring/abe", 2, 3, vec![again(&one)]).await.unwrap_err();
    assert_eq!(refused, KmsError::EscrowRecipients { given: 1, shares: 3 });
    assert_eq!(refused.to_string(), "1 public keys for 3 shares: give one for every share");
    // One custodian under two names would hold the authority alone.
    let refused = fixture.escrow("ring/abe", 2, 2, vec![again(&one), one]).await.unwrap_err();
    assert_eq!((refused.clone(), refused.code()), (KmsError::EscrowRecipientTwice, "escrow-recipients"));
    assert_eq!(fixture.last_event().outcome, "escrow-recipients");
}

/// All shares for one caller is no custody: it has to be asked for in so many words, and stands in the log.
#[tokio::test]
async fn shares_in_the_clear_are_asked_for_and_recorded() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let (_, one) = reader();
    let (_, two) = reader();
    for (recipients, plain) in [(vec![], false), (vec![again(&one), again(&two)], true)] {
        let permit = fixture.control(&escrow_part(&id("ring/abe")));
        let asked = Escrow { key: id("ring/abe"), version: None, threshold: 2, shares: 2, recipients, plain };
        let refused = fixture.kms.escrow(permit, asked, stands).await.map(|_| ()).unwrap_err();
        assert_eq!(refused, KmsError::EscrowForm);
        assert!(refused.to_string().contains("ask with `plain`"), "{refused}");
        assert_eq!(fixture.last_event().outcome, "escrow-recipients");
    }
    assert!(!fixture.kms.facts(&id("ring/abe")).unwrap().exportable);
    fixture.escrow("ring/abe", 2, 2, vec![]).await.unwrap();
    assert_eq!(fixture.last_detail(EventDetail::Reason).as_deref(), Some("plain shares"));
    fixture.escrow("ring/abe", 2, 2, vec![one, two]).await.unwrap();
    assert_eq!(fixture.last_detail(EventDetail::Reason), None);
}

#[tokio::test]
async fn a_permit_for_one_authority_exports_no_other_and_no_key_of_another_kind() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.authority("ring/small").await;
    fixture.create("ring/aes", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let asked =
        |key: &str| Escrow { key: id(key), version: None, threshold: 2, shares: 2, recipients: vec![], plain: true };
    for part in [escrow_part(&id("ring/abe")), "escrow/ring".to_owned(), "wardkeep".to_owned()] {
        let permit = fixture.control(&part);
        let refused = fixture.kms.escrow(permit, asked("ring/small"), stands).await.map(|_| ());
        assert_eq!(refused, Err(KmsError::PermitMismatch), "{part}");
    }
    assert!(!fixture.kms.facts(&id("ring/small")).unwrap().exportable);
    let permit = fixture.control(&escrow_part(&id("ring/aes")));
    assert_eq!(
        fixture.kms.escrow(permit, asked("ring/aes"), stands).await.map(|_| ()).unwrap_err().code(),
        "wrong-usage"
    );
    let permit = fixture.control(&escrow_part(&id("ring/none")));
    assert_eq!(fixture.kms.escrow(permit, asked("ring/none"), stands).await.map(|_| ()), Err(KmsError::KeyNotFound));
    // Every right on keys is none on this one.
    let (ana, part) = (caller("ana"), escrow_part(&id("ring/abe")));
    let resource = Resource::System(&part);
    let question = Question { caller: &ana, resource, context: None, recipient: None, compromised: false };
    assert!(fixture.engine.decide::<action::ExportAuthority>(&question).is_err());
}

#[tokio::test]
async fn a_former_version_is_exported_by_its_number() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let first = read(&fixture.issue("ana", "ring/abe").await.unwrap()).0;
    fixture.rotate(&id("ring/abe")).await;
    let permit = || fixture.control(&escrow_part(&id("ring/abe")));
    let version = |number| KeyVersion::new(number);
    let asked = |number| Escrow {
        key: id("ring/abe"),
        version: version(number),
        threshold: 2,
        shares: 2,
        recipients: vec![],
        plain: true,
    };
    let made = fixture.kms.escrow(permit(), asked(1), stands).await.unwrap();
    let recovered = combine(&plain(&made)).unwrap();
    let authority = Authority::from_bytes(recovered.authority.expose()).unwrap();
    assert_eq!((recovered.version.get(), authority.parameters().fingerprint()), (1, first.fingerprint()));
    let missing = fixture.kms.escrow(permit(), asked(3), stands).await.map(|_| ());
    assert_eq!(missing, Err(KmsError::VersionNotFound { version: version(3).unwrap() }));
}
