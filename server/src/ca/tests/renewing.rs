//! Renewal makes new serials; a revocation must find them all.

use std::time::Duration;

use super::house::{ANA, House, identity, peer, plain_csr, request};
use crate::ca::{CertificateState, IssueError, RevokeError, Target};
use crate::revocation::Revocation;

#[tokio::test]
async fn revoking_an_ancestor_takes_every_descendant_and_nobody_else() {
    let house = House::new().await;
    let first = house.enrolled(ANA).await;
    let second = house.renewed(&first).await.unwrap();
    let third = house.renewed(&second).await.unwrap();
    let fork = house.renewed(&first).await.unwrap();
    let apart = house.enrolled(ANA).await;
    assert_eq!(third.record.parent.as_ref(), Some(&second.record.serial));
    assert_eq!(house.cut(Target::Serial(second.record.serial.clone())).await.unwrap(), 2);
    let state = [&first, &second, &third, &fork, &apart].map(|issued| house.refused(issued));
    assert_eq!(state, [false, true, true, false, false]);
    assert_eq!(house.cut(Target::Serial(first.record.serial.clone())).await.unwrap(), 2, "what was left");
    let state = [&first, &second, &third, &fork, &apart].map(|issued| house.refused(issued));
    assert_eq!(state, [true, true, true, true, false]);
    let restarted = house.again();
    let state = [&first, &second, &third, &fork, &apart].map(|issued| restarted.refused(issued));
    assert_eq!(state, [true, true, true, true, false], "after a restart");
}

#[tokio::test]
async fn a_thief_cannot_renew_what_was_revoked() {
    let house = House::new().await;
    let first = house.enrolled(ANA).await;
    house.cut(Target::Serial(first.record.serial.clone())).await.unwrap();
    let refused = house.renewed(&first).await.unwrap_err();
    assert!(matches!(refused, IssueError::ParentRefused(Revocation::Serial)), "{refused}");
    let record = house.last_record();
    assert!(record.contains("RenewCertificate") && record.contains("certificate-not-renewable"), "{record}");
}

#[tokio::test]
async fn expired_foreign_and_orphaned_certificates_are_not_renewed() {
    let house = House::new().await;
    let issued = house.enrolled(ANA).await;
    let stranger = House::new().await.enrolled(ANA).await;
    assert!(matches!(house.renewed(&stranger).await, Err(IssueError::ForeignParent { .. })));
    // Another valid certificate's name on this serial (OpenBao CVE-2026-39388).
    let mut mixed = peer(&issued);
    mixed.identity = identity("spiffe://clinic.test/user/bob");
    let renewed = house.authority.renew(&mixed, &plain_csr(), request(), &house.rules).await;
    assert!(matches!(renewed, Err(IssueError::ForeignParent { .. })));
    house.rules.missing.lock().unwrap().insert("ana".into());
    assert!(matches!(house.renewed(&issued).await, Err(IssueError::NoEntity { .. })));
    house.rules.missing.lock().unwrap().clear();
    house.clock.advance(Duration::from_secs(721 * 3_600));
    assert!(matches!(house.renewed(&issued).await, Err(IssueError::ParentRefused(Revocation::Expired))));
}

#[tokio::test]
async fn an_identity_loses_everything_earlier_and_may_enrol_anew_at_once() {
    let house = House::new().await;
    let (first, kept) = (house.enrolled(ANA).await, house.enrolled(ANA).await);
    let bob = house.enrolled("spiffe://clinic.test/user/bob").await;
    let open = house.token(ANA).await;
    let keep = vec![kept.record.serial.clone()];
    house.cut(Target::Identity { identity: identity(ANA), keep }).await.unwrap();
    assert_eq!([&first, &kept, &bob].map(|issued| house.refused(issued)), [true, false, false]);
    assert!(house.enrol(&open.text, &plain_csr()).await.is_err(), "open tokens are void");
    let anew = house.enrolled(ANA).await;
    assert!(!house.refused(&anew), "issued in the same second, after the cut");
    assert!(!house.refused(&house.renewed(&kept).await.unwrap()), "a kept certificate renews");
    assert!(!house.again().refused(&anew));
    house.cut(Target::Identity { identity: identity(ANA), keep: vec![] }).await.unwrap();
    assert!(house.refused(&anew) && house.refused(&kept), "a second cut keeps nothing");
}

#[tokio::test]
async fn a_plan_says_who_is_left_and_dropping_it_changes_nothing() {
    let house = House::new().await;
    let (ana, bob) = (house.enrolled(ANA).await, "spiffe://clinic.test/user/bob");
    house.enrolled(bob).await;
    let plan = house.authority.plan(Target::Serial(ana.record.serial.clone())).await.unwrap();
    assert_eq!(plan.remaining(), [identity(bob)]);
    drop(plan);
    assert!(!house.refused(&ana));
    assert_eq!(house.authority.enrolled().unwrap().len(), 2);
    let unknown = house.authority.plan(Target::Serial("99".parse_serial())).await;
    assert!(matches!(unknown, Err(RevokeError::Unknown { .. })));
}

#[tokio::test]
async fn states_are_those_of_the_moment() {
    let house = House::new().await;
    let service = house.enrolled("spiffe://clinic.test/service/web").await;
    let ana = house.enrolled(ANA).await;
    house.clock.advance(Duration::from_secs(25 * 3_600));
    house.cut(Target::Serial(ana.record.serial.clone())).await.unwrap();
    let state =
        |serial| house.authority.all_certificates().unwrap().into_iter().find(|r| r.serial == serial).unwrap().state;
    assert_eq!(state(service.record.serial.clone()), CertificateState::Expired);
    assert_eq!(state(ana.record.serial.clone()), CertificateState::Revoked);
}

trait ParseSerial {
    fn parse_serial(&self) -> wardkeep_model::CertificateSerial;
}

impl ParseSerial for str {
    fn parse_serial(&self) -> wardkeep_model::CertificateSerial {
        wardkeep_model::CertificateSerial::parse(self).unwrap()
    }
}
