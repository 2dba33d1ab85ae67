//! The whole command line, walked.

use clap::CommandFactory as _;

use super::*;

mod bad_values;

fn walk(command: &clap::Command, path: &str, visit: &mut dyn FnMut(&str, &clap::Command)) {
    visit(path, command);
    for sub in command.get_subcommands() {
        walk(sub, &format!("{path} {}", sub.get_name()), visit);
    }
}

#[test]
fn the_tree_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_has_a_twin_in_the_environment_and_help() {
    let mut flags = 0;
    walk(&Cli::command(), "wardkeep", &mut |path, command| {
        let mut twins = std::collections::BTreeMap::new();
        assert!(command.get_about().is_some(), "`{path}` says nothing about itself");
        for arg in command.get_arguments().filter(|arg| arg.get_long().is_some()) {
            let long = arg.get_long().unwrap();
            if matches!(long, "help" | "version") {
                continue;
            }
            flags += 1;
            let twin = arg.get_env().map(|name| name.to_string_lossy().into_owned());
            let twin = twin.unwrap_or_else(|| panic!("`{path} --{long}` has no twin"));
            assert!(twin.starts_with("WARDKEEP_") && !twin.starts_with("WARDKEEP__"), "{path} --{long}: {twin}");
            assert!(arg.get_help().is_some(), "`{path} --{long}` has no help");
            assert!(twins.insert(twin.clone(), long.to_owned()).is_none(), "`{path}` uses {twin} twice");
        }
    });
    assert!(flags > 100, "{flags}");
}

#[test]
fn no_flag_takes_a_secret_in_place() {
    for bad in [
        vec!["wardkeep", "cert", "enroll", "--address", "https://x:1", "--token", "hunter2", "--dir", "d"],
        vec!["wardkeep", "data-key", "unwrap", "aGVsbG8=", "--plaintext-file", "x"],
    ] {
        let refusal = Cli::try_parse_from(bad).unwrap_err().to_string();
        assert!(refusal.contains("standard input"), "{refusal}");
    }
}

#[test]
fn names_are_checked_before_anything_is_sent() {
    for bad in [
        vec!["wardkeep", "ring", "describe", "../x"],
        vec!["wardkeep", "key", "describe", "no-slash"],
        vec!["wardkeep", "key", "create", "r/k", "--spec", "rsa-2048", "--usage", "wrap"],
        vec!["wardkeep", "key", "schedule-deletion", "r/k", "--days", "6"],
        vec!["wardkeep", "entity", "get", "User"],
        vec!["wardkeep", "random", "1025"],
        vec!["wardkeep", "cert", "revoke"],
        vec!["wardkeep", "demo", "--jobs", "0"],
    ] {
        assert!(Cli::try_parse_from(&bad).is_err(), "{bad:?}");
    }
    assert!(Cli::try_parse_from(["wardkeep", "server", "--config", "x", "init"]).is_err());
    assert!(Cli::try_parse_from(["wardkeep", "server", "init", "--data", "d", "--head", "h"]).is_ok());
}

#[test]
fn a_key_file_has_one_name_everywhere() {
    for line in [
        &["abe", "local", "open", "--in", "i", "--out", "o"][..],
        &["abe", "local", "delegate", "--out", "o"],
        &["abe", "explain", "--policy", "a = b"],
        &["abe", "open", "--in", "i", "--out", "o"],
        &["decrypt", "i"],
    ] {
        let line = [&["wardkeep"], line, &["--key-file", "k"]].concat();
        assert!(Cli::try_parse_from(&line).is_ok(), "{line:?}");
    }
    // A switch here, a key there: two names.
    let seal = ["wardkeep", "abe", "seal", "--key", "r/k", "--policy", "a = b", "--in", "i", "--out", "o"];
    assert!(Cli::try_parse_from([&seal[..], &["--online-key", "r/wrap"]].concat()).is_ok());
    assert!(Cli::try_parse_from([&seal[..], &["--online-key"]].concat()).is_err());
}
