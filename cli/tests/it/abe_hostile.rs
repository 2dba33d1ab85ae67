//! `wardkeep abe` with files that are broken, of somebody else, or readable by others; and with texts made to hurt.

use std::os::unix::fs::PermissionsExt as _;
use wardkeep_abe::{Authority, Dates};
use wardkeep_model::Clock as _;
use wardkeep_server::system::SystemClock;

use crate::abe::Ground;

/// An authority, a doctor's key, and a file sealed for doctors.
fn clinic() -> Ground {
    let ground = Ground::new();
    ground.write("plain", "potassium 4.1 mmol/l");
    ground.issue("role = doctor", "key", &["--days", "30", "--serial", "auto"]);
    ground.seal("role = doctor", "sealed", &[]);
    ground.ok(&["abe", "local", "revocations", "--dir", "authority", "--out", "list"]);
    ground
}

fn owner_only(ground: &Ground, name: &str) {
    std::fs::set_permissions(ground.place(name), std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_missing_or_wrong_file_is_said_by_name() {
    let ground = clinic();
    let issue = |dir: &str| {
        let args = ["abe", "local", "issue", "--dir", dir, "--attributes", "a = b", "--out", "k"];
        ground.refused(1, &args)
    };
    assert!(issue("nowhere").contains("`nowhere` holds no authority"));
    std::fs::create_dir(ground.place("empty")).unwrap();
    assert!(issue("empty").contains("setup"));
    for verb in ["revoke", "rotate", "revocations"] {
        let more: &[&str] = match verb {
            "revoke" => &["--serial", "0"],
            "revocations" => &["--out", "l"],
            _ => &[],
        };
        ground.refused(1, &[&["abe", "local", verb, "--dir", "nowhere"][..], more].concat());
        assert!(!ground.place("nowhere").exists(), "{verb}");
    }
    assert!(ground.refused(1, &["abe", "local", "setup", "--dir", "authority"]).contains("already"));
    let seal = ["abe", "local", "seal", "--policy", "a = b", "--in", "plain", "--out", "s"];
    ground.refused(1, &[&seal[..], &["--dir", "nowhere"]].concat());
    ground.refused(1, &[&seal[..], &["--parameters", "nowhere"]].concat());
    ground.refused(1, &seal);
    // Every kind of file in the place of every other.
    for file in ["key", "authority/authority.key", "sealed", "plain", "list"] {
        let said = ground.refused(1, &[&seal[..], &["--parameters", file]].concat());
        assert!(said.contains(file) && said.contains("public parameters"), "{said}");
    }
    for file in ["authority/authority.key", "authority/parameters.wkpp", "sealed", "plain", "list"] {
        owner_only(&ground, file);
        let said = ground.refused(1, &Ground::open(file, "sealed", "o"));
        assert!(said.contains(file) && said.contains("key file"), "{said}");
    }
    for file in ["key", "authority/parameters.wkpp", "plain", "list"] {
        let said = ground.refused(1, &Ground::open("key", file, "o"));
        assert!(said.contains("not a Wardkeep envelope"), "{said}");
    }
    for file in ["key", "authority/parameters.wkpp", "plain", "sealed"] {
        ground.refused(1, &[&seal[..], &["--dir", "authority", "--revocations", file]].concat());
    }
    ground.refused(1, &Ground::open("key", "no-such-file", "o"));
    ground.refused(1, &Ground::open("no-such-file", "sealed", "o"));
    ground.refused(1, &Ground::open("key", "authority", "o"));
    assert!(!ground.place("s").exists() && !ground.place("o").exists() && !ground.place("k").exists());
}

#[test]
fn every_truncation_and_a_flip_at_each_place_is_refused_without_a_panic() {
    let ground = clinic();
    for name in ["key", "sealed", "list", "authority/parameters.wkpp"] {
        let whole = ground.read(name);
        let step = whole.len() / 9;
        let damaged = (1..9).flat_map(|part| {
            let mut flipped = whole.clone();
            flipped[part * step] ^= 0x10;
            [whole[..part * step].to_vec(), flipped]
        });
        for (at, bytes) in damaged.chain([Vec::new(), [whole.as_slice(), b"x"].concat()]).enumerate() {
            ground.write("damaged", &bytes);
            owner_only(&ground, "damaged");
            let seal = ["abe", "local", "seal", "--policy", "a = b", "--in", "plain", "--out", "o"];
            let args = match name {
                "key" => Ground::open("damaged", "sealed", "o").to_vec(),
                "sealed" => Ground::open("key", "damaged", "o").to_vec(),
                "list" => [&seal[..], &["--dir", "authority", "--revocations", "damaged"]].concat(),
                _ => [&seal[..], &["--parameters", "damaged"]].concat(),
            };
            let output = ground.run(&args);
            let said = crate::binary::stderr(&output);
            // Damage in the policy's text may read as another policy, which the key does not satisfy: public data.
            let allowed: &[i32] = if name == "sealed" { &[1, 3] } else { &[1] };
            assert!(allowed.contains(&crate::binary::code(&output)), "{name} {at}: {said}");
            assert!(!said.contains("panicked") && !ground.place("o").exists(), "{name} {at}: {said}");
        }
    }
}

#[test]
fn a_foreign_authority_s_key_opens_nothing() {
    let ground = clinic();
    ground.ok(&["abe", "local", "setup", "--dir", "foreign"]);
    let args = ["abe", "local", "issue", "--dir", "foreign", "--attributes", "role = doctor", "--out", "foreign.key"];
    ground.ok(&args);
    let said = ground.refused(1, &Ground::open("foreign.key", "sealed", "o"));
    assert!(said.contains("under authority") && said.contains("of that authority"), "{said}");
    let list = ["abe", "local", "seal", "--dir", "foreign", "--policy", "a = b", "--in", "plain", "--out", "o"];
    assert!(ground.refused(1, &[&list[..], &["--revocations", "list"]].concat()).contains("another authority"));
    assert!(!ground.place("o").exists());
}

#[test]
fn keys_that_others_can_read_are_refused_and_new_ones_are_not_readable() {
    let ground = clinic();
    let mode = |name: &str| std::fs::metadata(ground.place(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("authority"), mode("authority/authority.key"), mode("key")), (0o700, 0o600, 0o600));
    ground.ok(&Ground::open("key", "sealed", "opened"));
    assert_eq!(mode("opened"), 0o600);
    for bad in [0o640, 0o604, 0o660] {
        for name in ["key", "authority/authority.key"] {
            std::fs::set_permissions(ground.place(name), std::fs::Permissions::from_mode(bad)).unwrap();
        }
        let said = ground.refused(1, &Ground::open("key", "sealed", "o"));
        assert!(said.contains(&format!("{bad:04o}")) && said.contains("chmod 600"), "{said}");
        let args = ["abe", "local", "issue", "--dir", "authority", "--attributes", "a = b", "--out", "k"];
        assert!(ground.refused(1, &args).contains("authority.key"));
        ground.refused(1, &["abe", "inspect", "key"]);
        // Sealing needs no secret.
        ground.seal("role = doctor", "again", &["--force"]);
    }
}

#[test]
fn hostile_policies_and_attributes_are_refused_in_a_moment() {
    let ground = clinic();
    let million = 1 << 20;
    let texts = [
        "(".repeat(million),
        "a = b or ".repeat(million / 9),
        "a = b and ".repeat(million / 10),
        "x".repeat(million),
        format!("a = {}", "9".repeat(million)),
        format!("a = \"{}\"", "\\u{e9}".repeat(million / 6)),
        format!("a in [{}]", "b, ".repeat(million / 3)),
        "1 of (".repeat(million / 6),
        "\0".repeat(million),
        "e\u{301}".repeat(million / 3),
    ];
    for (at, text) in texts.iter().enumerate() {
        ground.write("hostile", text);
        let begun = SystemClock.elapsed_millis();
        let seal =
            ["abe", "local", "seal", "--dir", "authority", "--policy", "@hostile", "--in", "plain", "--out", "o"];
        ground.refused(1, &seal);
        ground.refused(1, &["abe", "explain", "--policy", "@hostile"]);
        let issue = ["abe", "local", "issue", "--dir", "authority", "--attributes", "@hostile", "--out", "o"];
        ground.refused(1, &issue);
        ground.refused(1, &["abe", "local", "setup", "--dir", "new", "--schema", "hostile"]);
        let took = SystemClock.elapsed_millis() - begun;
        assert!(took < 20_000, "text {at}: {took} ms for four commands");
        assert!(!ground.place("o").exists() && !ground.place("new/authority.key").exists());
    }
    // What a message repeats of such a text is short.
    ground.write("hostile", "x".repeat(million));
    let said = ground.refused(1, &["abe", "explain", "--policy", "@hostile"]);
    assert!(said.len() < 2000, "{} bytes", said.len());
    ground.write("hostile", vec![0xff; 100]);
    ground.refused(1, &["abe", "explain", "--policy", "@hostile"]);
}

#[test]
fn a_serial_is_never_given_twice() {
    let ground = Ground::new();
    // Eight at once, all numbered.
    let issue = |at: usize| {
        let out = format!("key-{at}");
        let args =
            ["abe", "local", "issue", "--dir", "authority", "--attributes", "a = b", "--serial", "auto", "--out", &out];
        ground.ok(&args)["serial"].as_u64().unwrap()
    };
    let mut given: Vec<u64> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..8).map(|at| scope.spawn(move || issue(at))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    given.sort_unstable();
    assert_eq!(given, (0..8).collect::<Vec<_>>());
    // A place that cannot be written to costs no serial; one that fails later does, and is not given again.
    let args = ["abe", "local", "issue", "--dir", "authority", "--attributes", "a = b", "--serial", "auto", "--out"];
    ground.refused(1, &[&args[..], &["no/such/folder/key"]].concat());
    ground.refused(1, &[&args[..], &["key-0"]].concat());
    assert_eq!(issue(8), 8);
    // A ledger that was lost or damaged stops everything.
    let ledger = ground.read("authority/serials.json");
    for bad in [b"".as_slice(), &ledger[..ledger.len() / 2], b"{}"] {
        ground.write("authority/serials.json", bad);
        let said = ground.refused(1, &[&args[..], &["key-9"]].concat());
        assert!(said.contains("serials.json") && said.contains("copy"), "{said}");
    }
    std::fs::remove_file(ground.place("authority/serials.json")).unwrap();
    ground.refused(1, &[&args[..], &["key-9"]].concat());
    ground.write("authority/serials.json", ledger);
    assert_eq!(issue(9), 9);
}

#[test]
fn a_rotation_that_was_cut_short_goes_on() {
    let ground = Ground::new();
    ground.issue("a = b", "one", &["--serial", "auto"]);
    let (ledger, parameters) = (ground.read("authority/serials.json"), ground.read("authority/parameters.wkpp"));
    ground.ok(&["abe", "local", "rotate", "--dir", "authority"]);
    let new = ground.read("authority/parameters.wkpp");
    // As a crash behind the new master key leaves it: ledger and parameters are the former version's.
    ground.write("authority/serials.json", &ledger);
    ground.write("authority/parameters.wkpp", &parameters);
    let key = ground.issue("a = b", "two", &["--serial", "auto"]);
    assert_eq!((&key["version"], &key["serial"]), (&2.into(), &0.into()));
    assert_eq!(ground.read("authority/parameters.wkpp"), new, "put right on the way");
    // A ledger of a later version is another authority's, or this master key is an old copy: nothing is guessed.
    let text = String::from_utf8(ledger).unwrap().replace("\"version\":1", "\"version\":9");
    ground.write("authority/serials.json", text);
    let args = ["abe", "local", "issue", "--dir", "authority", "--attributes", "a = b", "--out", "three"];
    assert!(ground.refused(1, &args).contains("version 9"));
}

#[test]
fn a_list_that_is_stale_from_the_future_or_not_the_authority_s_seals_nothing() {
    let ground = clinic();
    let authority = Authority::from_bytes(&ground.read("authority/authority.key")).unwrap();
    let now = SystemClock.now().seconds();
    let seal = |list: &str| {
        let args = ["abe", "local", "seal", "--dir", "authority", "--policy", "a = b", "--in", "plain", "--out", "o"];
        let said = ground.refused(1, &[&args[..], &["--revocations", list]].concat());
        assert!(!ground.place("o").exists());
        said
    };
    for (issued_at, next_update, word) in [
        (now - 900, now - 1, "due for renewal"),
        (now + 4000, now + 9000, "check the clock"),
        (0, 1, "fetch the newest"),
        // Moments as people write them.
        (0, 2, "renewal at 1970-01-01T00:00:02Z"),
    ] {
        let list = authority.revocation_list(Dates { number: 1, issued_at, next_update }, [].into()).unwrap();
        ground.write("dated", list.to_bytes());
        assert!(seal("dated").contains(word), "{word}");
    }
    // Its life made longer by somebody else's hand.
    let mut list = ground.read("list");
    let next_update = 7 + 1 + 16 + 4 + 16;
    list[next_update] ^= 1;
    ground.write("forged", list);
    assert!(seal("forged").contains("signature"));
}
