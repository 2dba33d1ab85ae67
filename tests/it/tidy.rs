//! The house rules that a machine can hold, each with a reasoned list of exceptions.

use std::collections::BTreeMap;

use wardkeep_tests::tree::{self, Source};

/// Where the one constructor of a permit may be named: its definition and the engine's decide path.
const MAKERS_OF_PERMITS: &[&str] = &["model/src/permit.rs", "policy/src/engine.rs"];

/// Test lines for a hundred production lines, at least.
const TESTS_TO_PRODUCTION_PERCENT: usize = 90;

/// Files that may be longer than the house allows, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

fn count<'a>(lines: impl IntoIterator<Item = &'a String>) -> usize {
    lines.into_iter().filter(|line| !line.trim().is_empty()).count()
}

/// Lines of a source that are code, not comment.
fn code(lines: &[String]) -> impl Iterator<Item = (usize, &str)> {
    let bare = |line: &str| !line.trim_start().starts_with("//");
    lines.iter().enumerate().map(|(at, line)| (at + 1, line.as_str())).filter(move |(_, line)| bare(line))
}

/// Every place in shipped code that makes a permit outside the decide path.
fn forgeries(sources: &[Source]) -> Vec<String> {
    let elsewhere = sources.iter().filter(|source| !MAKERS_OF_PERMITS.contains(&source.path.as_str()));
    // Tests count too: a test that forges its permit does not show that deciding gives one.
    elsewhere
        .flat_map(|source| {
            let lines = code(&source.production).chain(code(&source.tests));
            lines
                .filter(|(_, line)| line.contains("::assertion"))
                .map(|(at, line)| format!("{}:{at}: {line}", source.path))
        })
        .collect()
}

#[test]
fn permits_are_made_only_where_decisions_are_taken() {
    let found: Vec<_> =
        forgeries(&tree::sources()).into_iter().filter(|hit| !hit.starts_with("tests/it/tidy.rs")).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_planted_forgery_is_found() {
    let planted = "fn destroy() {\n    let p = Permit::<DestroyKey>::assertion(grant);\n}\n";
    let hits = forgeries(&[tree::split("kms/src/service/destroy.rs".into(), planted)]);
    assert_eq!(hits.len(), 1, "{hits:?}");
    let in_test = "#[cfg(test)]\nmod tests {\n    fn f() { Permit::assertion(g) }\n}\n";
    assert_eq!(forgeries(&[tree::split("server/src/state.rs".into(), in_test)]).len(), 1);
}

#[test]
fn what_is_declared_for_tests_alone_is_not_shipped() {
    let sources = tree::sources();
    let helper = sources.iter().find(|source| source.path == "server/src/testing.rs").unwrap();
    assert!(helper.production.is_empty() && !helper.tests.is_empty());
    let shipped = sources.iter().find(|source| source.path == "server/src/start.rs").unwrap();
    assert!(shipped.production.len() > 100, "what ships is held to the rules");
}

#[test]
fn private_rsa_keys_never_meet_the_crate_without_constant_time() {
    for source in tree::sources() {
        for (at, line) in code(&source.production) {
            assert!(!line.contains("RsaPrivateKey"), "{}:{at}: RUSTSEC-2023-0071: use aws-lc-rs", source.path);
        }
    }
}

#[test]
fn libraries_stay_in_their_rooms() {
    // (crate, the rooms whose shipped code may name it)
    let homes: &[(&str, &[&str])] = &[
        ("cedar_policy", &["policy/"]),
        ("axum", &["server/"]),
        // The error that its engine gave stands in the store's own as its source.
        ("rusqlite", &["store/src/sqlite", "store/src/error.rs"]),
        ("StatusCode", &["server/", "client/"]),
    ];
    for source in tree::sources() {
        for (name, rooms) in homes {
            if rooms.iter().any(|room| source.path.starts_with(room)) {
                continue;
            }
            for (at, line) in code(&source.production) {
                assert!(!line.contains(&format!("{name}::")), "{}:{at}: `{name}` stays in {rooms:?}", source.path);
            }
        }
    }
}

#[test]
fn leaves_do_no_io_and_read_no_clock() {
    let forbidden =
        ["std::fs", "std::net", "std::env", "SystemTime", "Instant::now", "tokio::", "async fn", "OsRng", "thread_rng"];
    for source in tree::sources() {
        if !["model/src/", "abe/src/", "envelope/src/", "api/src/"].iter().any(|leaf| source.path.starts_with(leaf)) {
            continue;
        }
        for (at, line) in code(&source.production) {
            for word in forbidden {
                assert!(!line.contains(word), "{}:{at}: a leaf uses `{word}`", source.path);
            }
        }
    }
}

#[test]
fn no_room_is_called_after_nothing() {
    for path in tree::files() {
        for name in ["utils", "util", "common", "helpers", "helper", "misc"] {
            let named = path.split('/').any(|part| part == name || part == format!("{name}.rs"));
            assert!(!named, "{path}: name the room after what it holds");
        }
    }
}

#[test]
fn public_types_reach_the_wire_only_from_api() {
    for source in tree::sources() {
        if source.path.starts_with("api/") || source.path.starts_with("cli/") {
            continue;
        }
        let lines: Vec<_> = code(&source.production).collect();
        for (index, (at, line)) in lines.iter().enumerate() {
            let derives = line.trim_start().starts_with("#[derive(")
                && line.contains("Serialize")
                && !line.contains("Deserialize)");
            let public = lines.iter().skip(index + 1).take(4).any(|(_, next)| {
                next.trim_start().starts_with("pub struct") || next.trim_start().starts_with("pub enum")
            });
            assert!(
                !(derives && public && line.contains(" Serialize")),
                "{}:{at}: a public type derives Serialize",
                source.path
            );
        }
    }
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    let registry = ["crates", ".io"].concat();
    let forbidden: Vec<String> = vec![
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
        ["index.", &registry].concat(),
        ["static.", &registry].concat(),
    ];
    for path in tree::files() {
        if path == "Cargo.lock" || path.ends_with("/Cargo.lock") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(tree::root().join(&path)) else { continue };
        for word in &forbidden {
            assert!(!text.contains(word.as_str()), "{path} names `{word}`");
        }
    }
}

#[test]
fn files_stay_small() {
    let mut sizes: Vec<(usize, String)> = tree::sources()
        .into_iter()
        .filter(|source| !source.production.is_empty())
        .map(|source| (count(&source.production), source.path))
        .collect();
    sizes.sort();
    let at = |share: usize| sizes[(sizes.len() - 1) * share / 100].0;
    println!("production lines a file: median {}, 95th percentile {}, longest {:?}", at(50), at(95), sizes.last());
    let long: Vec<_> =
        sizes.iter().filter(|(lines, path)| *lines > 600 && !LONG_FILES.iter().any(|(name, _)| name == path)).collect();
    assert!(long.is_empty(), "split these: {long:?}");
    assert!(at(50) <= 170, "median {}", at(50));
    assert!(at(95) <= 450, "95th percentile {}", at(95));
}

#[test]
fn the_map_names_only_what_exists() {
    for page in
        ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/operations.md", "docs/threat-model.md"]
    {
        let text = std::fs::read_to_string(tree::root().join(page)).unwrap();
        let folder = tree::root().join(page).parent().unwrap().to_owned();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http") && !link.starts_with('#')) {
            assert!(folder.join(link).exists(), "{page} links to `{link}`, which does not exist");
        }
        let words = text.split(|c: char| c.is_whitespace() || "`(),[]".contains(c));
        for path in words.filter(|word| word.contains("/src/") && (word.ends_with(".rs") || word.ends_with('/'))) {
            assert!(tree::root().join(path).exists(), "{page} names `{path}`, which does not exist");
        }
    }
}

#[test]
fn rooms_are_documented_and_tested() {
    let mut rooms: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut production, mut tests) = (0, 0);
    for source in tree::sources() {
        production += count(&source.production);
        tests += count(&source.tests);
        let Some((room, _)) = source.path.split_once("/src/") else { continue };
        let docs = source.production.iter().filter(|line| line.trim_start().starts_with("//")).count();
        let entry = rooms.entry(room.to_owned()).or_default();
        entry.0 += docs;
        entry.1 += count(&source.production);
    }
    for (room, (docs, lines)) in &rooms {
        if *lines == 0 {
            continue;
        }
        let share = docs * 100 / lines;
        let floor = if ["abe", "envelope", "kms", "policy"].contains(&room.as_str()) { 20 } else { 10 };
        println!("{room}: {lines} production lines, {share} % documentation");
        assert!(share >= floor, "{room} has {share} % documentation, {floor} % is the floor");
    }
    let percent = tests * 100 / production;
    println!("tests to production: {tests} to {production} lines, {percent} %");
    assert!(percent >= TESTS_TO_PRODUCTION_PERCENT, "{tests} lines of tests for {production} of production");
}
