//! A disk that runs full under the server, and gets room again.
//!
//! The data folder lies on a small disk of memory in a mount namespace of the server's own; we reach into it through
//! the process's root.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wardkeep_client::data_keys::{new_data_key, opened_data_key};
use wardkeep_client::wire::key::{CreateKey, KeySpec, KeyUsage};
use wardkeep_client::wire::ring::CreateRing;
use wardkeep_client::{CallError, Client, EncryptionContext, EntityUid, KeyId};

use crate::home::{Home, open_keys, runtime, token_in};
use crate::process::{Process, probe, program, wardkeep, works};

/// Bytes of the disk: the reserve's 1 MiB, and some for the database and its log.
const DISK: &str = "8m";

struct SmallDisk {
    home: Home,
    server: Process,
}

/// A server whose data folder is a small disk, initialised on it.
fn small_disk() -> Option<SmallDisk> {
    let home = Home::empty();
    std::fs::create_dir(home.data()).unwrap();
    let mount = format!("mount -t tmpfs -o size={DISK},mode=0700 none '{}'", home.data().display());
    if !works(program("unshare").args(["-m", "sh", "-c", &mount])) {
        println!("SKIPPED: a full disk: no small disk can be mounted in a namespace of its own here");
        return None;
    }
    let script = format!(
        "{mount} && \"$0\" --output json server init --config \"$1\" > \"$2\" && exec \"$0\" server --config \"$1\""
    );
    let mut command = program("unshare");
    command.args(["-m", "sh", "-c", &script]).arg(wardkeep().get_program());
    command.arg(home.config()).arg(home.path("token.json"));
    let server = Process::spawn(&mut command, home.log());
    Some(SmallDisk { home, server })
}

impl SmallDisk {
    /// The data folder as the server sees it.
    fn data(&self) -> PathBuf {
        let inside = self.home.data();
        Path::new("/proc").join(self.server.id().to_string()).join("root").join(inside.strip_prefix("/").unwrap())
    }

    /// Fills the disk to its last byte.
    fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.data().join("filler")).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    /// Gives the room back.
    fn free(&self) {
        std::fs::remove_file(self.data().join("filler")).unwrap();
    }
}

fn key() -> KeyId {
    KeyId::parse("full/key").unwrap()
}

fn ring(number: usize) -> CreateRing {
    CreateRing { name: format!("more-{number}"), labels: BTreeMap::new() }
}

/// Asserts 507 with advice; answers the code.
fn full(error: &CallError) -> String {
    let CallError::Full(refusal) = error else { panic!("not 507: {error}") };
    let told = refusal.detail.clone().unwrap_or_default();
    assert!(told.contains("free space"), "it does not say what to do: {told}");
    refusal.code.clone()
}

#[test]
fn a_full_disk_refuses_changes_first_then_everything_and_recovers() {
    let Some(mut disk) = small_disk() else { return };
    let ready = disk.server.ready().unwrap_or_else(|status| panic!("{status}: {}", disk.server.said()));
    let token = token_in(&std::fs::read_to_string(disk.home.path("token.json")).unwrap());
    runtime().block_on(async {
        let first = disk.home.enrol(&ready, "first", &token).await;
        let client = first.client(&ready).await;
        open_keys(&client).await;
        client.rings().create(&CreateRing { name: "full".to_owned(), labels: BTreeMap::new() }).await.unwrap();
        let (spec, usage) = (KeySpec::Aes256Gcm, KeyUsage::Wrap);
        let new = CreateKey {
            key: key().to_string(),
            spec,
            usage,
            labels: BTreeMap::new(),
            rotation_days: None,
            activate: true,
        };
        client.keys().create(&new).await.unwrap();
        let context = EncryptionContext::default();
        let made = client.data_keys().generate(&new_data_key(&key(), &context)).await.unwrap();

        disk.fill();
        let made_rings = changes_end(&client).await;
        let open = opened_data_key(made.wrapped.as_bytes(), &context, None);
        let unwrapped = client.data_keys().unwrap(&open).await.unwrap();
        assert!(unwrapped.plaintext.unwrap().expose() == made.plaintext.unwrap().expose());
        client.keys().describe(&key()).await.unwrap();
        assert_eq!(probe(&ready.ops, "/livez").0, 200);
        denials_are_limited(&client).await;
        // What denials may not take is still there for the others.
        client.data_keys().unwrap(&open).await.unwrap();

        let mut served = 0;
        let error = loop {
            match client.data_keys().unwrap(&open).await {
                Ok(_) => served += 1,
                Err(error) => break error,
            }
            assert!(served < 20_000, "the reserve of 1 MiB never ends");
        };
        assert!(served > 20, "{served} unwraps from a reserve of 1 MiB");
        full(&error);
        full(&client.keys().describe(&key()).await.unwrap_err());
        full(&client.rings().create(&ring(99_999)).await.unwrap_err());
        full(&denied(&client).await);
        assert_eq!(probe(&ready.ops, "/livez").0, 200);
        assert_eq!(probe(&ready.ops, "/readyz").0, 503);
        println!("disk: {made_rings} changes until it was full, {served} unwraps from the reserve");

        disk.free();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        client.rings().create(&ring(100_000)).await.unwrap();
        client.data_keys().unwrap(&open).await.unwrap();
        assert!(denied(&client).await.is_denied());
        assert_eq!(probe(&ready.ops, "/readyz").0, 200);
        client.audit().verify().await.unwrap();
    });
    assert!(!disk.server.said().contains("panicked"), "{}", disk.server.said());
    disk.server.stop();
}

/// Makes rings until the disk is full, which is 507 from then on; answers how many were made.
async fn changes_end(client: &Client) -> usize {
    for number in 0..5000 {
        if let Err(error) = client.rings().create(&ring(number)).await {
            let code = full(&error);
            let again = client.rings().create(&ring(number)).await.unwrap_err();
            assert_eq!(full(&again), code);
            full(&client.keys().rotate(&key(), None).await.unwrap_err());
            return number;
        }
    }
    panic!("5000 rings fit on a full disk")
}

/// A request that policy refuses.
async fn denied(client: &Client) -> CallError {
    let nobody = client.on_behalf_of(EntityUid::new("User", "nobody").unwrap());
    nobody.keys().describe(&key()).await.err().unwrap_or_else(|| panic!("nobody may see the key"))
}

/// Denials are recorded from their eighth of the reserve, then refused as what cannot be recorded.
async fn denials_are_limited(client: &Client) {
    for count in 0..1500 {
        let error = denied(client).await;
        if error.is_denied() {
            continue;
        }
        full(&error);
        println!("disk: {count} denials from the reserve");
        assert!(count > 50, "{count} denials from 128 KiB");
        return;
    }
    panic!("1500 denials were recorded, at most 1000 an identity may be");
}
