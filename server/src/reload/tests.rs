//! What only a restart takes is kept, and said by name: a bound that somebody believes to be in force and is not.

mod folder;

use super::*;

fn config(text: &str) -> Config {
    Config::from_toml(text).unwrap()
}

#[test]
fn each_size_that_needs_a_restart_is_kept_and_named() {
    let old = Limits::default();
    type Change = fn(&mut Limits);
    let cases: [(&str, Change, u64, u64); 6] = [
        ("limits.connections", |l| l.connections = 7, 4_096, 7),
        ("limits.body_bytes", |l| l.body_bytes = 2_048, 1_048_576, 2_048),
        ("limits.large_body_bytes", |l| l.large_body_bytes = 4_096, 8_388_608, 4_096),
        ("limits.json_depth", |l| l.json_depth = 9, 32, 9),
        ("limits.strings", |l| l.strings = 17, 1_000, 17),
        ("limits.large_strings", |l| l.large_strings = 18, 100_000, 18),
    ];
    for (setting, change, was, asked) in cases {
        let mut new = old.clone();
        change(&mut new);
        assert_eq!(keep_sizes(&mut new, &old), [Fixed { setting, was, asked }]);
        assert_eq!(new, old, "{setting}");
        assert_eq!(keep_sizes(&mut new, &old), [], "what is in force is not warned about again");
    }
}

#[test]
fn what_is_read_anew_for_each_connection_goes_through() {
    let old = Limits::default();
    let mut new = Limits {
        handshake_millis: 11,
        first_byte_millis: 12,
        headers_millis: 13,
        body_millis: 14,
        request_millis: 15,
        idle_millis: 16,
        connection_age_millis: 17,
        drain_millis: 18,
        handshakes: 19,
        connections_per_address: 20,
        streams: 21,
        header_bytes: 9_000,
        ..old.clone()
    };
    let asked = new.clone();
    assert_eq!(keep_sizes(&mut new, &old), []);
    assert_eq!(new, asked);
}

#[test]
fn sections_that_need_a_restart_stay_and_the_rest_is_taken() {
    let old = config("");
    for changed in [
        "[storage]\ndata = \"/elsewhere\"\n",
        "[root_key]\nfile = \"/elsewhere\"\n",
        "[listen]\napi = \"127.0.0.1:9\"\n",
        "[identity]\ntrust_domain = \"other.test\"\n",
        "[pools]\ncheap = 7\n",
        "[rate_limit]\nburst = 7\n",
        "[log]\nfilter = \"debug\"\n",
        "[ca]\ncertificate_file = \"/ca.crt\"\ncrl_files = [\"/ca.crl\"]\n",
    ] {
        let text = format!("{changed}\n[limits]\nbody_millis = 77\nconnections = 5\n");
        let now = at_runtime(config(&text), &old);
        let expected = Config { limits: Limits { body_millis: 77, ..Limits::default() }, ..old.clone() };
        assert_eq!(now, expected, "{changed}");
    }
    let lives = at_runtime(config("[ca]\ncrl_life_hours = 5\n"), &old);
    assert_eq!(lives.ca.crl_life_hours, 5, "lives of what is issued are read anew");
}

#[test]
fn what_changed_is_told_by_presence_name_and_content() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let all = [one.clone(), other.clone()];
    let mut seen = vec![digest(&all)];
    let mut changed = |what: &str| {
        let now = digest(&all);
        assert!(!seen.contains(&now), "{what}");
        assert_eq!(now, digest(&all), "{what}: reading changes nothing");
        seen.push(now);
    };
    std::fs::write(&one, "").unwrap();
    changed("an empty file is not a missing one");
    std::fs::write(&one, "ab").unwrap();
    changed("content");
    std::fs::write(&one, "a").unwrap();
    std::fs::write(&other, "b").unwrap();
    changed("the same bytes over two files");
    std::fs::remove_file(&one).unwrap();
    changed("one is gone");
}

#[test]
fn a_file_without_a_folder_lies_in_this_one() {
    for (path, expected) in [("wardkeep.toml", "."), ("/etc/wardkeep.toml", "/etc"), ("a/b", "a"), ("/", ".")] {
        assert_eq!(folder(Path::new(path)), Path::new(expected), "{path}");
    }
}
