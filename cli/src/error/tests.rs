//! Exit codes, and the words beside them.

use wardkeep_client::Side;

use super::*;
use crate::secret::SecretError;

/// `ExitCode` shows its number only to people who look.
fn number(blame: Blame) -> String {
    format!("{:?}", ExitCode::from(blame))
}

#[test]
fn codes_are_those_of_the_help() {
    let wanted = |code: u8| format!("{:?}", ExitCode::from(code));
    for (blame, code) in [
        (Blame::Local, 1),
        (Blame::Remote, 2),
        (Blame::Denied, 3),
        (Blame::Signal(Told::HangUp), 129),
        (Blame::Signal(Told::Interrupt), 130),
        (Blame::Signal(Told::Terminate), 143),
    ] {
        assert_eq!(number(blame), wanted(code), "{blame:?}");
    }
    for (side, blame) in [(Side::Local, Blame::Local), (Side::Remote, Blame::Remote), (Side::Denied, Blame::Denied)] {
        assert_eq!(Blame::from(side), blame);
    }
}

#[test]
fn faults_are_blamed_on_whoever_can_mend_them() {
    use wardkeep_client::{EnrolError, RecordError, RenewError};
    let io = || std::io::Error::other("x");
    for (error, blame) in [
        (CommandError::NoConfig, Blame::Local),
        (CommandError::BadSignature, Blame::Local),
        (CommandError::Secret(SecretError::Empty), Blame::Local),
        (CommandError::AuditBroken { detail: String::new() }, Blame::Remote),
        (CommandError::Record(RecordError::Unexpected), Blame::Local),
        (CommandError::Record(RecordError::Answer), Blame::Remote),
        (CommandError::Record(RecordError::NoServerKey), Blame::Local),
        (CommandError::Enrol(EnrolError::Token), Blame::Local),
        (CommandError::Renew(RenewError::Busy), Blame::Local),
        (CommandError::Renew(RenewError::Write(io())), Blame::Local),
        (CommandError::Stopped(Told::Interrupt), Blame::Signal(Told::Interrupt)),
        (CommandError::Temporary(io()), Blame::Local),
    ] {
        assert_eq!(error.blame(), blame, "{error}");
        let said = error.to_string();
        assert!(said.starts_with(|c: char| c.is_lowercase() || c == '`'), "{said}");
    }
}

#[test]
fn a_reader_that_went_away_is_not_worth_a_word() {
    assert_eq!(format!("{:?}", finish(Ok(()))), format!("{:?}", ExitCode::SUCCESS));
    let closed = CommandError::Output(OutputError::Closed);
    assert_eq!(format!("{:?}", finish(Err(closed))), format!("{:?}", ExitCode::SUCCESS));
}

#[derive(Debug, thiserror::Error)]
#[error("{said}")]
struct Link {
    said: &'static str,
    source: Option<Box<Link>>,
}

#[test]
fn causes_are_told_once_each() {
    let link = |said, source: Option<Link>| Link { said, source: source.map(Box::new) };
    let chain = link("cannot read", Some(link("cannot read", Some(link("no such file", Some(link("file", None)))))));
    assert_eq!(with_causes(&chain), "cannot read: no such file");
    assert_eq!(with_causes(&link("alone", None)), "alone");
}

#[test]
fn a_file_error_says_what_was_tried_where_and_why() {
    let error = FileError::at("rename", "a b")(std::io::Error::other("busy"));
    assert_eq!(error.to_string(), "could not rename `a b`: busy");
}
