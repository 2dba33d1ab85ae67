//! `wardkeep doctor`: looks at what usually goes wrong, and says what to do about it.

use std::path::Path;

use serde::Serialize;
use wardkeep_client::Client;
use wardkeep_model::Clock as _;
use wardkeep_server::config::Config;
use wardkeep_server::system::SystemClock;

use super::CommandError;
use super::remote::{runtime, settings};
use crate::args::connection::Connection;
use crate::args::local::Doctor;
use crate::error::with_causes;
use crate::output::{self, Format};

/// A certificate with less life than this is worth a word: the client renews at two thirds.
const SHORT_LIFE_MILLIS: u64 = 6 * 3_600_000;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Good,
    Warning,
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    what: &'static str,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

/// Looks at everything that was named; a fault is exit code 1.
pub(crate) fn run(format: Format, args: &Doctor) -> Result<(), CommandError> {
    let mut findings = Vec::new();
    if let Some(path) = &args.config {
        configuration(path, &mut findings);
    }
    connection(&args.connection, &mut findings)?;
    output::show(format, &findings, &["level", "what", "found", "advice"])?;
    match findings.iter().filter(|finding| finding.level == Level::Fault).count() {
        0 => Ok(()),
        count => Err(CommandError::Findings { count }),
    }
}

fn configuration(path: &Path, findings: &mut Vec<Finding>) {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            let advice = "correct it; `wardkeep config check` repeats only this";
            return findings.push(fault("configuration", with_causes(&error), advice));
        }
    };
    findings.push(good("configuration", path.display().to_string()));
    let data = &config.storage.data;
    findings.push(match std::fs::metadata(data) {
        Ok(found) if !found.is_dir() => fault("data folder", format!("`{}` is a file", data.display()), "move it away"),
        Ok(found) if open_to_others(&found) => {
            fault("data folder", format!("`{}` is open to others", data.display()), "chmod 700 it")
        }
        Ok(_) => good("data folder", data.display().to_string()),
        Err(error) => fault("data folder", format!("`{}`: {error}", data.display()), "run `wardkeep server init`"),
    });
    findings.push(head(&config));
    if let Some(file) = &config.root_key.file {
        findings.push(root_key(file));
    }
}

fn head(config: &Config) -> Finding {
    let Some(head) = &config.storage.head else {
        let advice = "set `storage.head` to a path outside the data folder, best on another disk";
        return warning("audit head", "none: a database put back from yesterday would not be noticed".into(), advice);
    };
    if head.starts_with(&config.storage.data) {
        let advice = "move it elsewhere: who puts the folder back would put the head back with it";
        return fault("audit head", format!("`{}` lies in the data folder", head.display()), advice);
    }
    match head.try_exists() {
        Ok(true) => good("audit head", head.display().to_string()),
        _ => fault(
            "audit head",
            format!("`{}` is missing", head.display()),
            "put the file back; without it the server does not start",
        ),
    }
}

fn root_key(file: &Path) -> Finding {
    match std::fs::metadata(file) {
        Ok(found) if open_to_others(&found) => fault(
            "root key",
            format!("`{}` is open to others", file.display()),
            "chmod 600 it, and think of who read it",
        ),
        Ok(_) => good("root key", file.display().to_string()),
        Err(error) => {
            fault("root key", format!("`{}`: {error}", file.display()), "put the file back: without it nothing opens")
        }
    }
}

fn connection(connection: &Connection, findings: &mut Vec<Finding>) -> Result<(), CommandError> {
    let settings = match settings(connection) {
        Ok(settings) => settings,
        Err(error) => {
            findings.push(warning("connection", error.to_string(), "set the four, or leave it at that"));
            return Ok(());
        }
    };
    runtime()?.block_on(async {
        match Client::connect(settings).await {
            Ok(client) => {
                findings.push(certificate(&client));
                findings.push(server(&client).await);
            }
            Err(error) => {
                findings.push(fault("certificate", with_causes(&error), "enrol anew: `wardkeep cert enroll`"))
            }
        }
    });
    Ok(())
}

fn certificate(client: &Client) -> Finding {
    let info = client.certificate();
    let now = SystemClock.now();
    let until = format!("good until {}", info.not_after);
    if now < info.not_before {
        let advice = "set this machine's clock";
        return fault("certificate", format!("good only from {}", info.not_before), advice);
    }
    match info.not_after.millis_since(now) {
        0 => fault("certificate", format!("ended {}", info.not_after), "enrol anew: `wardkeep cert enroll`"),
        left if left < SHORT_LIFE_MILLIS => warning("certificate", until, "renew it: `wardkeep cert renew`"),
        _ => good("certificate", until),
    }
}

async fn server(client: &Client) -> Finding {
    match client.whoami().await {
        Ok(who) => good("server", format!("{} answers {}", client.address(), who.identity)),
        Err(error) => fault("server", with_causes(&error), "check address, CA, both clocks, and the server's log"),
    }
}

#[cfg(unix)]
fn open_to_others(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

fn good(what: &'static str, found: String) -> Finding {
    Finding { level: Level::Good, what, found, advice: None }
}

fn warning(what: &'static str, found: String, advice: &'static str) -> Finding {
    Finding { level: Level::Warning, what, found, advice: Some(advice) }
}

fn fault(what: &'static str, found: String, advice: &'static str) -> Finding {
    Finding { level: Level::Fault, what, found, advice: Some(advice) }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_root_key_that_others_read_is_a_fault_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("root.key");
        assert_eq!(root_key(&file).level, Level::Fault);
        std::fs::write(&file, [0; 32]).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(root_key(&file).advice.unwrap().contains("chmod 600"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(root_key(&file).level, Level::Good);
    }

    #[test]
    fn a_head_inside_the_data_folder_is_a_fault() {
        let mut config = Config::default();
        config.storage.head = Some(config.storage.data.join("head"));
        assert_eq!(head(&config).level, Level::Fault);
        config.storage.head = None;
        assert_eq!(head(&config).level, Level::Warning);
    }
}
