//! Ctrl-C and SIGTERM at the worst moment, sent to the real binary: nothing that was secret stays on the disk.
//!
//! The moment is made, not hoped for: the input is a pipe that the test holds open, so that the command waits in the
//! middle of its work for as long as the test likes.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::binary::{command, stderr};
use crate::dev::{Dev, end_of, signal, text, wait_for};

/// A signal and the exit code that follows.
const SIGNALS: [(&str, i32); 3] = [("-INT", 130), ("-TERM", 143), ("-HUP", 129)];

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A named pipe in place of the input, and its first bytes written; it stays open until the handle is dropped.
fn fed(place: &Path, bytes: Vec<u8>) -> std::thread::JoinHandle<std::fs::File> {
    assert!(Command::new("mkfifo").arg(place).status().unwrap().success());
    let place = place.to_owned();
    std::thread::spawn(move || {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(place).unwrap();
        // Whoever is stopped meanwhile does not read to the end.
        let _ = pipe.write_all(&bytes);
        pipe
    })
}

/// The passing file of a whole file, once it holds so many bytes.
fn passing(folder: &Path, least: u64) -> PathBuf {
    wait_for("a passing file with content", || {
        let name = names_in(folder).into_iter().find(|name| name.starts_with(".wardkeep-"))?;
        let place = folder.join(name);
        (std::fs::metadata(&place).ok()?.len() >= least).then_some(place)
    })
}

#[test]
fn decrypt_that_is_stopped_half_way_leaves_no_plaintext() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let plain = dev.file("plain", vec![b'x'; 2_000_000]);
    dev.json(&["encrypt", text(&plain), "--key", "notes/first"]);
    let sealed = std::fs::read(dev.place("plain.wk")).unwrap();
    for (at, (name, code)) in SIGNALS.into_iter().enumerate() {
        let folder = dev.place(&format!("out-{at}"));
        std::fs::create_dir(&folder).unwrap();
        let pipe = dev.place(&format!("pipe-{at}"));
        let feeding = fed(&pipe, sealed[..1_500_000].to_vec());
        let place = folder.join("opened");
        let mut child = spawn(&mut dev.command_as(&dev.admin(), &["decrypt", text(&pipe), "--to", text(&place)]));
        // Plaintext lies on the disk by now, in a file of another name that only its owner may read.
        let half = passing(&folder, 256 * 1024);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&half).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert!(!place.exists(), "the name is given at the end");
        signal(&child, name);
        let status = end_of(&mut child);
        assert_eq!((status.code(), status.signal()), (Some(code), None), "{name}");
        assert_eq!(names_in(&folder), Vec::<String>::new(), "{name}");
        let said = stderr(&child.wait_with_output().unwrap());
        assert!(said.contains("stopped") && !said.contains("xxxx"), "{said}");
        drop(feeding.join().unwrap());
    }
}

#[test]
fn a_file_that_stands_there_outlives_a_stopped_decrypt() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let plain = dev.file("plain", vec![b'x'; 1_000_000]);
    dev.json(&["encrypt", text(&plain), "--key", "notes/first"]);
    let sealed = std::fs::read(dev.place("plain.wk")).unwrap();
    let folder = dev.place("out");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("opened"), "yesterday's").unwrap();
    let pipe = dev.place("pipe");
    let feeding = fed(&pipe, sealed[..700_000].to_vec());
    let place = folder.join("opened");
    let mut child =
        spawn(&mut dev.command_as(&dev.admin(), &["decrypt", text(&pipe), "--to", text(&place), "--force"]));
    passing(&folder, 256 * 1024);
    signal(&child, "-TERM");
    assert_eq!(end_of(&mut child).code(), Some(143));
    assert_eq!(names_in(&folder), ["opened"]);
    assert_eq!(std::fs::read(&place).unwrap(), b"yesterday's");
    drop(feeding.join().unwrap());
}

#[test]
fn encrypt_that_is_stopped_leaves_no_half_envelope() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let folder = dev.place("out");
    std::fs::create_dir(&folder).unwrap();
    let pipe = dev.place("pipe");
    let feeding = fed(&pipe, vec![b'x'; 1_000_000]);
    let place = folder.join("sealed.wk");
    let args = ["encrypt", text(&pipe), "--key", "notes/first", "--to", text(&place)];
    let mut child = spawn(&mut dev.command_as(&dev.admin(), &args));
    passing(&folder, 256 * 1024);
    signal(&child, "-INT");
    assert_eq!(end_of(&mut child).code(), Some(130));
    assert_eq!(names_in(&folder), Vec::<String>::new());
    drop(feeding.join().unwrap());
}

/// Runs in a temporary folder of the test's own, so that what is left behind is seen.
fn in_a_place_of_its_own(args: &[&str]) -> (tempfile::TempDir, Child) {
    let place = tempfile::tempdir().unwrap();
    let child = spawn(command().args(args).env("TMPDIR", place.path()));
    (place, child)
}

#[test]
fn the_demo_takes_its_folder_along_whenever_it_is_stopped() {
    // From the first file to the middle of the records: a root key at once, records later.
    let marks: [(&str, &str, i32); 4] =
        [("root.key", "-INT", 130), ("data/state.db", "-TERM", 143), ("people", "-HUP", 129), ("records", "-INT", 130)];
    // More records than are done before the signal comes, however busy the machine is.
    let input = tempfile::tempdir().unwrap();
    let patients: Vec<_> = (0..4000)
        .map(|at| serde_json::json!({"resource": {"resourceType": "Patient", "id": format!("p{at}")}}))
        .collect();
    let bundle = input.path().join("many.json");
    let text_of_it = serde_json::json!({"resourceType": "Bundle", "entry": patients}).to_string();
    std::fs::write(&bundle, text_of_it).unwrap();
    for (mark, name, code) in marks {
        let (place, mut child) = in_a_place_of_its_own(&["demo", "--data", text(&bundle)]);
        wait_for(mark, || {
            let folder = std::fs::read_dir(place.path()).unwrap().flatten().next()?.path();
            folder.join(mark).exists().then_some(())
        });
        signal(&child, name);
        let status = end_of(&mut child);
        let said = stderr(&child.wait_with_output().unwrap());
        assert_eq!(status.code(), Some(code), "{mark}: {said}");
        assert_eq!(names_in(place.path()), Vec::<String>::new(), "stopped at `{mark}`: {said}");
        assert!(said.contains("stopped before it was done"), "{said}");
    }
}

#[test]
fn dev_takes_its_folder_along_even_while_it_is_made() {
    for mark in ["root.key", "data/state.db", "people/admin/cert.pem"] {
        let (place, mut child) = in_a_place_of_its_own(&["dev"]);
        wait_for(mark, || {
            let folder = std::fs::read_dir(place.path()).unwrap().flatten().next()?.path();
            folder.join(mark).exists().then_some(())
        });
        signal(&child, "-TERM");
        let status = end_of(&mut child);
        // In good order once it serves, stopped before.
        assert!(matches!(status.code(), Some(0 | 143)), "{mark}: {status}");
        assert_eq!(names_in(place.path()), Vec::<String>::new(), "stopped at `{mark}`");
    }
}

#[test]
fn a_server_ends_in_good_order_by_either_signal() {
    for name in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = spawn(&mut Dev::command(folder.path(), 0));
        wait_for("a ready file", || folder.path().join("ready.json").exists().then_some(()));
        signal(&child, name);
        assert_eq!(end_of(&mut child).code(), Some(0), "{name}");
        assert!(folder.path().join("dev").join("root.key").exists(), "a folder of the user's stays");
    }
}

/// Whoever reloads by SIGHUP does it from the moment the process is there: a server is not killed by coming up slowly.
#[test]
fn a_hang_up_does_not_end_a_server_however_early_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = spawn(&mut Dev::command(folder.path(), 0));
    // Its first file: the signals are listened for before there is any.
    wait_for("a first file", || folder.path().join("dev/unfinished").exists().then_some(()));
    for _ in 0..40 {
        signal(&child, "-HUP");
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    wait_for("a ready file", || folder.path().join("ready.json").exists().then_some(()));
    signal(&child, "-HUP");
    signal(&child, "-TERM");
    assert_eq!(end_of(&mut child).code(), Some(0));
}
