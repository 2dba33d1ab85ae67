//! Long files through `wardkeep abe local`: constant memory, pipes, and ends at the worst moment.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::abe::Ground;
use crate::binary::{code, command, stderr};
use crate::dev::{end_of, signal, wait_for};

const LENGTH: u64 = 300 << 20;

/// An authority, a doctor's key, and a short file.
fn clinic() -> Ground {
    let ground = Ground::new();
    ground.issue("role = doctor", "key", &[]);
    ground.write("plain", vec![b'x'; 2_000_000]);
    ground
}

/// The binary with so many KiB of address space: a whole file of 300 MiB has no room in it.
fn confined(ground: &Ground, kib: u64, args: &[&str]) -> Command {
    let line = format!("ulimit -v {kib}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &line, "sh", env!("CARGO_BIN_EXE_wardkeep")]).args(args).current_dir(ground.0.path());
    // One arena: every other reserves address space that nobody uses.
    command.env_clear().env("MALLOC_ARENA_MAX", "1").env("WARDKEEP_OUTPUT", "json");
    command
}

#[test]
fn three_hundred_mebibytes_pass_through_a_few_chunks() {
    let ground = clinic();
    std::fs::File::create(ground.place("plain")).unwrap().set_len(LENGTH).unwrap();
    let seal =
        ["abe", "local", "seal", "--dir", "authority", "--policy", "role = doctor", "--in", "plain", "--out", "sealed"];
    let sealed = confined(&ground, 250_000, &seal).output().unwrap();
    assert_eq!(code(&sealed), 0, "{}", stderr(&sealed));
    let opened = confined(&ground, 250_000, &Ground::open("key", "sealed", "opened")).output().unwrap();
    assert_eq!(code(&opened), 0, "{}", stderr(&opened));
    let mut file = std::fs::File::open(ground.place("opened")).unwrap();
    assert_eq!(file.metadata().unwrap().len(), LENGTH);
    let mut part = vec![1; 1 << 20];
    while let Ok(count @ 1..) = file.read(&mut part) {
        assert!(part[..count].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn pipes_carry_a_file_there_and_back() {
    let ground = clinic();
    let pass = |args: &[&str], input: &[u8]| {
        let mut command = command();
        command.args(args).current_dir(ground.0.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        output
    };
    let plain = ground.read("plain");
    let seal = ["abe", "local", "seal", "--dir", "authority", "--policy", "role = doctor", "--in", "-", "--out", "-"];
    let sealed = pass(&seal, &plain);
    assert_eq!(code(&sealed), 0, "{}", stderr(&sealed));
    let opened = pass(&Ground::open("key", "-", "-"), &sealed.stdout);
    assert_eq!(code(&opened), 0, "{}", stderr(&opened));
    assert!(opened.stdout == plain);
    let cut = pass(&Ground::open("key", "-", "-"), &sealed.stdout[..sealed.stdout.len() - 1]);
    assert_eq!(code(&cut), 1, "what came out is not all, and the exit code says so");
}

#[test]
fn a_file_that_is_there_is_kept_unless_told_otherwise() {
    let ground = clinic();
    ground.seal("role = doctor", "sealed", &[]);
    ground.write("opened", "yesterday's");
    let said = ground.refused(1, &Ground::open("key", "sealed", "opened"));
    assert!(said.contains("exists already"), "{said}");
    // Damage shows in the second chunk, after plaintext was written: nothing of it takes the file's place.
    let mut sealed = ground.read("sealed");
    let at = sealed.len() - 100_000;
    sealed[at] ^= 1;
    ground.write("damaged", sealed);
    let said = ground.refused(1, &[&Ground::open("key", "damaged", "opened")[..], &["--force"]].concat());
    assert!(said.contains("chunk"), "{said}");
    assert_eq!(ground.read("opened"), b"yesterday's");
    ground.ok(&[&Ground::open("key", "sealed", "opened")[..], &["--force"]].concat());
    assert!(ground.read("opened") == ground.read("plain"));
    let left: Vec<_> = std::fs::read_dir(ground.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".wardkeep-")), "{left:?}");
}

#[test]
fn whoever_stops_it_half_way_leaves_no_plaintext() {
    let ground = clinic();
    ground.seal("role = doctor", "sealed", &[]);
    let sealed = ground.read("sealed");
    std::fs::create_dir(ground.place("out")).unwrap();
    let mut command = command();
    command.args(Ground::open("key", "-", "out/opened")).current_dir(ground.0.path()).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&sealed[..1_500_000]).unwrap();
    let names =
        || std::fs::read_dir(ground.place("out")).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    wait_for("plaintext in a passing file", || {
        names().into_iter().find(|path| std::fs::metadata(path).is_ok_and(|known| known.len() >= 256 * 1024))
    });
    signal(&child, "-INT");
    assert_eq!(end_of(&mut child).code(), Some(130));
    assert!(names().is_empty(), "{:?}", names());
}
