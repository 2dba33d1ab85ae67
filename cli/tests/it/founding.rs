//! Beginnings that are cut short, at whatever moment, and the words that come after one.
//!
//! Broke here: a `dev --dir` that was killed between its first commit and its administrator's enrolment never started
//! again and did not say why; a `server init` that was killed before its first head wanted `--accept-rollback`, which
//! is the word for an attack.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binary::{code, command, run, run_with, stderr, stdout};
use crate::configured::Configured;
use crate::dev::{Dev, end_of, text, wait_for};

/// A configuration for a server of its own, and its places.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let toml = format!(
            "[storage]\ndata = {:?}\nhead = {:?}\naudit_reserve_bytes = 1048576\n[root_key]\nfile = {:?}\n\
             [listen]\napi = \"127.0.0.1:0\"\nenrol = \"127.0.0.1:0\"\nops = \"127.0.0.1:0\"\n",
            site.place("data"),
            site.place("head/head"),
            site.place("root.key")
        );
        std::fs::write(site.config(), toml).unwrap();
        site
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.place("wardkeep.toml")
    }

    fn init(&self) -> Command {
        let mut command = command();
        command.args(["server", "init", "--output", "json", "--config"]).arg(self.config());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts, enrols with this token, and verifies the log.
    fn assert_good(&self, token: &str) {
        let server = Configured::start(&self.config());
        let dir = self.place("first");
        let args = ["cert", "enroll", "--address", &server.enrol, "--token", "-", "--dir", text(&dir)];
        let enrolled = run_with(&args, token.as_bytes(), &[]);
        assert_eq!(code(&enrolled), 0, "{}", stderr(&enrolled));
        let file = |name: &str| dir.join(name).display().to_string();
        let (ca, cert, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
        let variables = [
            ("WARDKEEP_ADDRESS", &*server.api),
            ("WARDKEEP_CA", &ca),
            ("WARDKEEP_CERT", &cert),
            ("WARDKEEP_KEY", &key),
        ];
        let verified = run_with(&["audit", "verify", "--output", "json"], b"", &variables);
        assert!(stdout(&verified).contains("\"verified\""), "{}{}", stdout(&verified), stderr(&verified));
    }
}

/// Looks closely: the moment matters here.
fn watch_for(mut look: impl FnMut() -> bool) {
    wait_for("the moment", || {
        for _ in 0..50 {
            if look() {
                return Some(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    });
}

fn token_of(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    answer["token"].as_str().unwrap().to_owned()
}

#[test]
fn an_initialisation_killed_at_any_moment_is_run_again_and_needs_no_accepting() {
    let (mut whole, mut cut) = (0, 0);
    for step in 0..14_u64 {
        let site = Site::new();
        let mut child = site.init().spawn().unwrap();
        // Moments of the work, as far as the machine lets one choose them: each next file, then a little later.
        let marks =
            ["root.key", "data", "data/unfinished", "data/state.db", "data/state.db-wal", "head/head", "data/reserve"];
        let mark = marks[usize::try_from(step).unwrap() % marks.len()];
        watch_for(|| site.place(mark).exists() || child.try_wait().unwrap().is_some());
        std::thread::sleep(Duration::from_millis(step * 3));
        let _ = child.kill();
        let ended = child.wait_with_output().unwrap();
        if ended.status.success() {
            whole += 1;
            site.assert_good(&token_of(&stdout(&ended)));
            continue;
        }
        cut += 1;
        if site.place("data/unfinished").exists() {
            let refused = run(&["server", "--config", text(&site.config())]);
            let said = stderr(&refused);
            assert_eq!(code(&refused), 1, "{mark}: {said}");
            assert!(said.contains("server init") && said.contains("begins anew"), "{mark}: {said}");
            assert!(!said.contains("rollback"), "{mark}: {said}");
            let recovered = run(&["recover", "--config", text(&site.config()), "--administrator", "x"]);
            assert!(code(&recovered) == 1 && stderr(&recovered).contains("server init"), "{}", stderr(&recovered));
        }
        let again = site.init().output().unwrap();
        if site.place("data/state.db").exists() && !again.status.success() {
            // Killed between the last act and the exit: it was whole, and its token was printed.
            assert!(stderr(&again).contains("already"), "{mark}: {}", stderr(&again));
            continue;
        }
        assert_eq!(code(&again), 0, "{mark}: {}", stderr(&again));
        assert!(!site.place("data/unfinished").exists());
        site.assert_good(&token_of(&stdout(&again)));
    }
    println!("{whole} were whole, {cut} were cut");
    assert!(cut > 0, "nothing was cut: the moments are too late");
}

/// The very moment in question, made by hand: the rows are there, the first head is not.
#[test]
fn a_store_without_its_first_head_begins_anew() {
    let site = Site::new();
    let first = token_of(&stdout(&site.init().output().unwrap()));
    let key = std::fs::read(site.place("root.key")).unwrap();
    std::fs::remove_file(site.place("head/head")).unwrap();
    // Without the mark it is a head that somebody took away: that stays a matter for people.
    let refused = run(&["server", "--config", text(&site.config())]);
    assert!(stderr(&refused).contains("--accept-rollback"), "{}", stderr(&refused));
    assert_eq!(code(&site.init().output().unwrap()), 1, "and a store is not made anew over it");

    std::fs::write(site.place("data/unfinished"), site.place("head/head").display().to_string()).unwrap();
    let refused = run(&["server", "--config", text(&site.config())]);
    assert!(stderr(&refused).contains("begins anew") && !stderr(&refused).contains("rollback"), "{}", stderr(&refused));
    let again = site.init().output().unwrap();
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    let second = token_of(&stdout(&again));
    assert_ne!(first, second);
    assert_eq!(std::fs::read(site.place("root.key")).unwrap(), key, "a root key is never drawn over another");
    site.assert_good(&second);
}

/// A mark says what may be cleared away. Somebody else's head at another place is not that.
#[test]
fn clearing_away_takes_only_what_the_mark_names() {
    let site = Site::new();
    std::fs::create_dir_all(site.place("data")).unwrap();
    std::fs::create_dir_all(site.place("head")).unwrap();
    std::fs::write(site.place("head/head"), "another's").unwrap();
    std::fs::write(site.place("data/notes.txt"), "mine").unwrap();
    let refused = site.init().output().unwrap();
    assert_eq!(code(&refused), 1);
    assert_eq!(std::fs::read_to_string(site.place("head/head")).unwrap(), "another's");
    std::fs::write(site.place("data/unfinished"), "").unwrap();
    let refused = site.init().output().unwrap();
    assert_eq!(code(&refused), 1, "the head is there still");
    assert_eq!(std::fs::read_to_string(site.place("head/head")).unwrap(), "another's");
    assert_eq!(std::fs::read_to_string(site.place("data/notes.txt")).unwrap(), "mine");
}

/// What failed before anything was made leaves no mark: the next initialisation would clear away what was put there.
#[test]
fn an_initialisation_that_makes_nothing_marks_nothing() {
    let site = Site::new();
    std::fs::write(site.place("root.key"), [7; 31]).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(site.place("root.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let refused = site.init().output().unwrap();
    assert!(code(&refused) == 1 && stderr(&refused).contains("root key"), "{}", stderr(&refused));
    assert!(!site.place("data/unfinished").exists());
    std::fs::remove_file(site.place("root.key")).unwrap();
    let made = site.init().output().unwrap();
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    site.assert_good(&token_of(&stdout(&made)));
}

#[test]
fn a_running_initialisation_is_not_cleared_away_by_another() {
    let site = Site::new();
    std::fs::create_dir_all(site.place("data")).unwrap();
    std::fs::write(site.place("data/unfinished"), "").unwrap();
    std::fs::write(site.place("data/state.db"), "rows").unwrap();
    let lock = std::fs::File::create(site.place("data/lock")).unwrap();
    lock.try_lock().unwrap();
    let refused = site.init().output().unwrap();
    assert!(code(&refused) == 1 && stderr(&refused).contains("in use by another process"), "{}", stderr(&refused));
    assert_eq!(std::fs::read_to_string(site.place("data/state.db")).unwrap(), "rows");
}

#[test]
fn what_comes_next_holds_no_token_and_works_as_it_is_printed() {
    let site = Site::new();
    let made: Value = serde_json::from_str(&stdout(&site.init().output().unwrap())).unwrap();
    let (token, next) = (made["token"].as_str().unwrap(), made["next"].as_str().unwrap());
    assert!(!next.contains(token) && !next.contains("printf") && !next.contains("TOKEN"), "{next}");
    assert!(next.contains("--token - ") && next.contains("paste the token"), "{next}");

    let site = Site::new();
    let place = site.place("first.token");
    let output = site.init().arg("--to").arg(&place).output().unwrap();
    let said = stdout(&output);
    let token = std::fs::read_to_string(&place).unwrap();
    assert!(token.starts_with("wk1.") && !said.contains(&token) && !stderr(&output).contains(&token), "{said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&place.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let made: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(made["token"], format!("@{}", place.display()));
    assert!(made["next"].as_str().unwrap().contains(&format!("--token @{}", place.display())), "{made}");
    site.assert_good(&token);

    // A place that is taken is found out before anything is made.
    let site = Site::new();
    std::fs::write(site.place("taken"), "mine").unwrap();
    let refused = site.init().arg("--to").arg(site.place("taken")).output().unwrap();
    assert!(code(&refused) == 1 && stderr(&refused).contains("exists already"), "{}", stderr(&refused));
    assert!(!site.place("data").exists() && !site.place("root.key").exists());
    assert_eq!(std::fs::read_to_string(site.place("taken")).unwrap(), "mine");
}

#[test]
fn a_token_file_that_exists_is_found_before_the_token_is_issued() {
    let dev = Dev::start();
    let entities = dev.file("e.json", r#"[{"uid":{"type":"User","id":"ana"},"attrs":{},"parents":[]}]"#);
    dev.json(&["entity", "put", text(&entities)]);
    let (taken, ana) = (dev.file("taken", "mine"), Dev::identity("user", "ana"));
    let unwritable = dev.place("no-such-folder").join("t");
    let open = || {
        let all = dev.json(&["cert", "tokens"]);
        all.as_array().unwrap().iter().filter(|token| token["identity"] == ana.as_str()).count()
    };
    for place in [&taken, &unwritable] {
        let refused = dev.run(&["cert", "token", &ana, "--to", text(place)]);
        assert_eq!(code(&refused), 1, "{}", stderr(&refused));
        assert!(stderr(&refused).contains(text(place)), "{}", stderr(&refused));
        assert_eq!(open(), 0, "no token lies about that nobody has");
    }
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine");
    let place = dev.place("ana.token");
    let issued = dev.json(&["cert", "token", &ana, "--to", text(&place)]);
    assert_eq!(issued["token"], format!("@{}", place.display()));
    assert_eq!(open(), 1);
    assert_eq!(
        std::fs::read_dir(dev.folder.path())
            .unwrap()
            .flatten()
            .filter(|entry| { entry.file_name().to_string_lossy().starts_with(".wardkeep-") })
            .count(),
        0,
        "no passing file is left"
    );
}

/// Kills `dev` when that file appears, and starts it again in the same folder.
fn killed_at(mark: &str, later: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Dev::command(folder.path(), 0).spawn().unwrap();
    let place = folder.path().join("dev").join(mark);
    watch_for(|| place.exists() || child.try_wait().unwrap().is_some());
    std::thread::sleep(later);
    let _ = child.kill();
    let _ = child.wait();
    let dev = Dev::start_in(folder, 0);
    assert!(!dev.place("dev/unfinished").exists(), "{mark}");
    let who = dev.json(&["ring", "create", "notes"]);
    assert_eq!(who["name"], "notes", "{mark}");
    assert_eq!(dev.json(&["role", "list"])[0]["members"][0]["id"], "admin", "{mark}: one administrator, the same name");
    let folder = dev.stop();
    let again = Dev::start_in(folder, 0);
    assert_eq!(again.json(&["ring", "list"])[0]["name"], "notes", "{mark}: what was made stays");
}

#[test]
fn dev_killed_while_its_folder_is_made_begins_anew() {
    for mark in
        ["unfinished", "root.key", "data", "data/state.db", "data/reserve", "people/admin", "people/admin/key.pem"]
    {
        killed_at(mark, Duration::ZERO);
    }
    killed_at("data/state.db", Duration::from_millis(30));
    killed_at("people/admin/cert.pem", Duration::ZERO);
}

#[test]
fn a_folder_whose_administrator_is_gone_is_named_and_left_alone() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    let folder = dev.stop();
    let people = folder.path().join("dev/people");
    std::fs::rename(&people, folder.path().join("away")).unwrap();
    let mut child = Dev::command(folder.path(), 0).spawn().unwrap();
    let status = end_of(&mut child);
    let said = stderr(&child.wait_with_output().unwrap());
    assert_eq!(status.code(), Some(1), "{said}");
    let words = ["administrator's certificate", "people/admin", "put that folder back", "start anew"];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    std::fs::rename(folder.path().join("away"), &people).unwrap();
    let dev = Dev::start_in(folder, 0);
    assert_eq!(dev.json(&["ring", "list"])[0]["name"], "notes");
}

#[test]
fn a_folder_that_is_being_made_by_another_is_not_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("dev/data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(folder.path().join("dev/unfinished"), "").unwrap();
    std::fs::write(data.join("state.db"), "rows").unwrap();
    let lock = std::fs::File::create(data.join("lock")).unwrap();
    lock.try_lock().unwrap();
    let mut child = Dev::command(folder.path(), 0).spawn().unwrap();
    assert_eq!(end_of(&mut child).code(), Some(1));
    assert!(stderr(&child.wait_with_output().unwrap()).contains("in use by another process"));
    assert!(Path::new(&data).join("state.db").exists());
}
