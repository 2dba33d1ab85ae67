//! Renewals are decided by nobody, so they are bounded: by how many of one enrolment live, and by age.
//!
//! Broke elsewhere: renewal without end kept a stolen certificate alive for ever (OpenBao CVE-2026-39388 is its cousin).

use std::time::Duration;

use wardkeep_model::Clock;

use super::house::{ANA, House, peer};
use crate::ca::{IssueError, Issued, Target};

const WEB: &str = "spiffe://clinic.test/service/web";
const HOUR: u64 = 3_600;

async fn children(house: &House, parent: &Issued, count: usize) -> Vec<Issued> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(house.renewed(parent).await.unwrap());
    }
    all
}

fn wait(house: &House, seconds: u64) {
    house.clock.advance(Duration::from_secs(seconds));
}

#[tokio::test]
async fn a_small_family_renews_at_once_and_a_larger_one_after_a_third_of_its_life() {
    let house = House::new().await;
    let first = house.enrolled(WEB).await;
    // A quarter of 16: itself and three more.
    let young = children(&house, &first, 3).await;
    let error = house.renewed(&first).await.unwrap_err();
    let third = first.record.not_before.plus_millis(24 * HOUR * 1000 / 3);
    assert!(matches!(error, IssueError::TooYoung { after } if after == third), "{error}");
    assert!(error.to_string().contains(&third.to_string()), "says when: {error}");
    let record = house.last_record();
    assert!(record.contains("certificate-too-young") && record.contains("deny"), "{record}");
    assert!(matches!(house.renewed(&young[2]).await, Err(IssueError::TooYoung { .. })), "a child is no younger family");
    wait(&house, 8 * HOUR - 1);
    assert!(matches!(house.renewed(&first).await, Err(IssueError::TooYoung { .. })), "a second before");
    wait(&house, 1);
    let fifth = house.renewed(&first).await.expect("a third of its life has passed");
    assert!(matches!(house.renewed(&fifth).await, Err(IssueError::TooYoung { .. })), "the new one is young itself");
}

#[tokio::test]
async fn a_family_has_a_bound_whatever_the_age() {
    let house = House::new().await;
    let first = house.enrolled(WEB).await;
    wait(&house, 9 * HOUR);
    let all = children(&house, &first, 15).await;
    let error = house.renewed(&first).await.unwrap_err();
    assert!(matches!(error, IssueError::FamilyFull { count: 16 }), "{error}");
    assert!(house.last_record().contains("family-full"));
    wait(&house, 9 * HOUR);
    assert!(matches!(house.renewed(&all[7]).await, Err(IssueError::FamilyFull { count: 16 })), "nor from a child");
    // Another enrolment of the same identity is another family.
    let other = house.enrolled(WEB).await;
    assert!(house.renewed(&other).await.is_ok());
    house.cut(Target::Serial(all[3].record.serial.clone())).await.unwrap();
    house.renewed(&all[7]).await.expect("a revoked one makes room");
    assert!(matches!(house.renewed(&all[7]).await, Err(IssueError::FamilyFull { count: 16 })));
    wait(&house, 7 * HOUR);
    house.renewed(&all[7]).await.expect("the first has expired");
}

#[tokio::test]
async fn a_chain_that_renews_in_time_goes_on_for_ever() {
    let house = House::new().await;
    let mut newest = house.enrolled(WEB).await;
    for day in 0..40 {
        wait(&house, 16 * HOUR);
        newest = house.renewed(&newest).await.unwrap_or_else(|error| panic!("day {day}: {error}"));
        house.authority.prune().await.unwrap();
    }
    assert!(house.revoked.refuses(&peer(&newest), house.clock.now()).is_none());
    // 16 hours apart and kept for 30 days after 24 hours of life: the books do not grow with the years.
    let kept = house.authority.all_certificates().unwrap().len();
    assert!(kept <= 41, "{kept}");
    for _ in 0..200 {
        wait(&house, 16 * HOUR);
        newest = house.renewed(&newest).await.unwrap();
        house.authority.prune().await.unwrap();
    }
    let kept = house.authority.all_certificates().unwrap().len();
    assert!(kept <= 50, "{kept}");
}

#[tokio::test]
async fn a_restart_forgets_no_family() {
    let house = House::new().await;
    let first = house.enrolled(WEB).await;
    let grown = children(&house, &first, 3).await;
    let again = house.again();
    assert!(matches!(again.renewed(&first).await, Err(IssueError::TooYoung { .. })));
    assert!(matches!(again.renewed(&grown[0]).await, Err(IssueError::TooYoung { .. })));
    // The same after a restart once the ancestor has expired: its descendants still are one family.
    wait(&house, 10 * HOUR);
    let late = house.renewed(&grown[0]).await.unwrap();
    wait(&house, 15 * HOUR);
    let again = house.again();
    let (mut grown, mut newest) = (0, late);
    while let Ok(next) = again.renewed(&newest).await {
        (grown, newest) = (grown + 1, next);
        assert!(grown < 10, "no bound after a restart");
    }
    assert!(grown <= 4, "{grown}");
}

#[tokio::test]
async fn the_configured_bound_counts_and_a_reload_changes_it() {
    let house = House::new().await;
    let first = house.enrolled(ANA).await;
    let told = |family_certificates| crate::config::CaSettings { family_certificates, ..Default::default() };
    house.authority.retell(told(2));
    assert!(matches!(house.renewed(&first).await, Err(IssueError::TooYoung { .. })), "a quarter of 2 is still one");
    house.authority.retell(told(8));
    children(&house, &first, 1).await;
    assert!(matches!(house.renewed(&first).await, Err(IssueError::TooYoung { .. })));
    house.authority.retell(told(2));
    assert!(matches!(house.renewed(&first).await, Err(IssueError::FamilyFull { count: 2 })), "the harder bound first");
    house.authority.retell(told(1_024));
    children(&house, &first, 20).await;
}

#[tokio::test]
async fn many_renewals_at_once_stay_within_the_bound() {
    let house = House::new().await;
    let first = house.enrolled(WEB).await;
    wait(&house, 9 * HOUR);
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (authority, peer) = (house.authority.clone(), peer(&first));
        racers.spawn(async move {
            let rules = super::house::Rules::default();
            authority.renew(&peer, &super::house::plain_csr(), super::house::request(), &rules).await.is_ok()
        });
    }
    let renewed = racers.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(renewed, 15, "with the first one 16");
}
