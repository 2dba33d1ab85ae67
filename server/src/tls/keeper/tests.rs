use super::*;
use crate::ca::AuthoritySettings;
use crate::system::SystemEntropy;
use crate::tls::forge::{DOMAIN, TestClock};
use wardkeep_store::MemoryStore;

#[tokio::test]
async fn a_list_that_nobody_refreshes_is_warned_about_before_and_after_its_end() {
    let clock = TestClock::new();
    let store = Arc::new(MemoryStore::new(clock.clone(), Arc::new(SystemEntropy)).unwrap());
    Authority::create(&*store, &*clock, &SystemEntropy).await.unwrap();
    let (config, revoked) = (Config::default(), Arc::new(Revoked::new()));
    let told = AuthoritySettings { trust_domain: DOMAIN.to_owned(), ca: config.ca.clone() };
    let opened = Authority::open(store, clock.clone(), Arc::new(SystemEntropy), told, revoked.clone());
    let authority = Arc::new(opened.unwrap());
    let metrics = Arc::new(Metrics::new().unwrap());
    let keeper = Keeper::new(&config, authority.clone(), clock.clone(), revoked, metrics.clone()).unwrap();
    assert_eq!(keeper.look_at_lists(), Freshness::Fresh);
    clock.advance(Duration::from_secs(23 * 3_600 + 1));
    assert_eq!(keeper.look_at_lists(), Freshness::Ending);
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(keeper.look_at_lists(), Freshness::Stale);
    authority.sign_crl().unwrap();
    keeper.rebuild(None).unwrap();
    assert_eq!(keeper.look_at_lists(), Freshness::Fresh);
    assert!(!keeper.renewal_due());
    clock.advance(Duration::from_secs(361 * 3_600));
    assert!(keeper.renewal_due(), "half of the listener certificate's life has passed");
    keeper.rebuild(None).unwrap();
    assert!(!keeper.renewal_due());
    let line = format!("wardkeep_crl_next_update_timestamp_seconds {}", authority.crl().unwrap().next_update.seconds());
    assert!(metrics.render().contains(&line), "{}", metrics.render());
}
