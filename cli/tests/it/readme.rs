//! The README as a newcomer reads it: every block of commands, from top to bottom, in one folder.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::abe::Ground;
use crate::binary::{code, stderr};
use crate::dev::Dev;

/// The blocks of commands, in their order.
fn blocks() -> Vec<&'static str> {
    let page = include_str!("../../../README.md");
    page.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
}

/// What a shell makes of a block, with the variables that `wardkeep dev` prints.
fn run(dev: &Dev, ground: &Ground, script: &str) -> Output {
    let bin = PathBuf::from(env!("CARGO_BIN_EXE_wardkeep")).parent().unwrap().to_owned();
    let admin = dev.admin();
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(ground.0.path());
    shell.env_clear().env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    shell.env("WARDKEEP_ADDRESS", dev.word("address")).env("WARDKEEP_CA", &admin.ca);
    shell.env("WARDKEEP_CERT", &admin.cert).env("WARDKEEP_KEY", &admin.key);
    shell.output().unwrap()
}

#[test]
fn every_block_runs_as_it_stands_one_after_the_other() {
    let (dev, ground) = (Dev::start(), Ground::bare());
    let enrol = dev.word("enrol");
    let mut ran = Vec::new();
    for block in blocks() {
        let first = block.lines().next().unwrap();
        // What builds, what serves until it is stopped, and what belongs to a machine of its own.
        if first.starts_with("cargo run") || first == "wardkeep dev --dir play" || first.contains("/var/lib") {
            continue;
        }
        let denied = block.contains("--to hers.txt");
        let script = block.replace("https://127.0.0.1:PORT", &enrol);
        let output = run(&dev, &ground, &script);
        assert_eq!(code(&output), if denied { 3 } else { 0 }, "{script}{}", stderr(&output));
        assert!(!denied || stderr(&output).contains("denied"), "{}", stderr(&output));
        ran.push(first);
    }
    assert_eq!(ran.len(), 5, "{ran:?}");
    for name in ["again.txt", "opened.txt", "third.txt"] {
        assert_eq!(ground.read(name), b"potassium 4.1 mmol/l\n", "{name}");
    }
    assert!(!ground.place("hers.txt").exists());
    // A second time nothing is overwritten, and the way out is named.
    let again = run(&dev, &ground, "wardkeep decrypt lab.txt.wk --to again.txt");
    assert!(code(&again) == 1 && stderr(&again).contains("--force"), "{}", stderr(&again));
}
