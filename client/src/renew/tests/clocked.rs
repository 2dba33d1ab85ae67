//! The keeper on a clock of the test's own: when it renews, when it does not, and what a failure costs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::client::Client;
use crate::testing::ManualClock;

/// A client whose keeper looks five times a second, on a clock that stands.
struct Kept {
    server: Server,
    clock: Arc<ManualClock>,
    client: Client,
    _folder: Folder,
}

/// Renews as told by the number of the try, counted from 0.
async fn kept(reply: impl Fn(usize, &Authority, &Seen) -> Reply + Send + Sync + 'static) -> Kept {
    let ca = Authority::new("ca");
    let (tries, authority) = (AtomicUsize::new(0), ca.clone());
    let server = Server::start(&ca, move |seen| reply(tries.fetch_add(1, Ordering::SeqCst), &authority, seen)).await;
    let folder = Folder::new(&ca, &ca.client_of_age(WHO, HOUR * 24, HOUR));
    let clock = Arc::new(ManualClock::default());
    clock.set(Timestamp::from_millis(now_millis()));
    let mut settings = folder.settings(server.port);
    settings.renewal = Renewal::Automatic;
    settings.timeouts.poll = Duration::from_millis(20);
    let client = Client::assemble(settings, clock.clone(), clock.clone(), Arc::new(FixedEntropy(0))).unwrap();
    Kept { server, clock, client, _folder: folder }
}

fn issue(ca: &Authority, seen: &Seen) -> Reply {
    Reply::ok(&ca.answer(&seen.json::<RenewCertificate>().csr_pem, WHO))
}

impl Kept {
    /// Waits until the server was asked so often.
    async fn asked(&self, times: usize) {
        for _ in 0..600 {
            if self.server.seen().len() >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("asked {} times in 30 s, not {times}", self.server.seen().len());
    }

    /// Time enough for a few looks.
    async fn looks(&self) {
        tokio::time::sleep(SHORTEST * 4).await;
    }
}

#[tokio::test]
async fn two_thirds_are_the_day_and_a_minute_before_is_not() {
    let kept = kept(|_, ca, seen| issue(ca, seen)).await;
    let before = kept.client.certificate();
    // An hour of 24 is over; the day is after 16.
    kept.clock.advance(HOUR * 15 - Duration::from_secs(60));
    kept.looks().await;
    assert!(kept.server.seen().is_empty(), "too early");
    kept.clock.advance(Duration::from_secs(120));
    kept.asked(1).await;
    for _ in 0..600 {
        if kept.client.certificate().serial != before.serial {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("asked and not taken up");
}

#[tokio::test]
async fn a_refusal_is_not_hammered_and_not_given_up() {
    let kept = kept(|_, _, _| Reply::problem(403, "denied")).await;
    kept.clock.advance(HOUR * 16);
    kept.asked(1).await;
    kept.looks().await;
    assert_eq!(kept.server.seen().len(), 1, "the clock stands: no second try");
    for tries in 2..=4 {
        kept.clock.advance(HOUR);
        kept.asked(tries).await;
        kept.looks().await;
        assert_eq!(kept.server.seen().len(), tries);
    }
}

#[tokio::test]
async fn a_server_that_comes_back_renews_at_the_next_try() {
    let kept = kept(|number, ca, seen| if number < 2 { Reply::problem(403, "denied") } else { issue(ca, seen) }).await;
    let before = kept.client.certificate().serial;
    kept.clock.advance(HOUR * 16);
    for tries in 1..=3 {
        kept.asked(tries).await;
        kept.clock.advance(HOUR);
    }
    for _ in 0..600 {
        if kept.client.certificate().serial != before {
            assert_eq!(kept.server.seen().len(), 3);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not renewed after the server came back");
}

#[tokio::test]
async fn the_keeper_lets_old_data_keys_go_without_being_asked() {
    let kept = kept(|_, ca, seen| issue(ca, seen)).await;
    let cache = &kept.client.shared().cache;
    let plain = Arc::new(crate::cache::PlainDataKey::new(zeroize::Zeroizing::new([7; 32])));
    let key = wardkeep_model::KeyId::parse("clinic/records").unwrap();
    let context = wardkeep_model::EncryptionContext::default();
    cache.keep_read(&kept.client.holder(), &key, b"w", &context, (&plain, cache.asking()));
    let left = Arc::downgrade(&plain);
    drop(plain);
    kept.looks().await;
    assert!(left.upgrade().is_some(), "young");
    kept.clock.advance(Duration::from_secs(300));
    for _ in 0..600 {
        if left.upgrade().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a data key outlived its age in memory");
}
