//! `wardkeep policy decide`: decides requests off line, with the engine that the server uses.
//!
//! One request a line in, one answer a line out, in the same order; memory holds one of each. Findings of
//! validation go to standard error.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wardkeep_policy::offline::{OfflineEngine, OfflineError, OfflineUid};
use wardkeep_policy::{OnError as Meaning, PolicyErrors};

use crate::args::rules::{Decide, OnError};
use crate::error::FileError;
use crate::output::{self, Format, OutputError};

/// Longest request, in bytes.
const MAX_LINE: u64 = 8 * 1024 * 1024;

/// Why requests could not be decided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecideError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The schema, the policies or the entities do not hold together.
    #[error(transparent)]
    Policies(#[from] PolicyErrors),
    /// Validation found something, and `--strict` was given.
    #[error("validation found {count} faults: correct them, or leave out `--strict`")]
    Strict { count: usize },
    /// A line is no request.
    #[error(
        "{place}, line {line}: not a request (`{{\"principal\":{{\"type\",\"id\"}},\"action\":{{..}},\"resource\":{{..}},\"context\":{{}}}}`): {error}"
    )]
    Line { place: String, line: u64, error: serde_json::Error },
    /// A request cannot be decided.
    #[error("{place}, line {line}: {error}")]
    Request { place: String, line: u64, error: OfflineError },
    /// A line without end.
    #[error("{place}, line {line} is longer than {MAX_LINE} bytes")]
    TooLong { place: String, line: u64 },
    /// An answer could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// One line of input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    principal: Uid,
    action: Uid,
    resource: Uid,
    #[serde(default = "empty")]
    context: Value,
}

/// A request without a context has an empty one.
fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uid {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

impl Uid {
    fn offline(&self) -> OfflineUid<'_> {
        OfflineUid { kind: &self.kind, id: &self.id }
    }
}

/// One line of output.
#[derive(Serialize)]
struct Answer<'a> {
    decision: &'static str,
    reasons: &'a [String],
    errors: Vec<Fault<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    policy: &'a str,
    message: &'a str,
}

/// Decides every line of the requests.
pub(crate) fn run(format: Format, args: &Decide) -> Result<(), DecideError> {
    let engine = engine(args)?;
    let place = args.requests.display().to_string();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut input = open(&args.requests)?;
    let mut text = Vec::new();
    let mut line = 0;
    let decided = loop {
        line += 1;
        text.clear();
        let read = input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut text);
        match read.map_err(FileError::at("read", &args.requests)) {
            Err(error) => break Err(error.into()),
            Ok(0) => break Ok(()),
            Ok(read) if read as u64 > MAX_LINE => break Err(DecideError::TooLong { place: place.clone(), line }),
            Ok(_) if text.trim_ascii().is_empty() => {}
            Ok(_) => {
                if let Err(error) = decide(&engine, args, &text, format, &mut out, (&place, line)) {
                    break Err(error);
                }
            }
        }
    };
    // What was answered before a bad line still stands.
    out.flush().map_err(OutputError::from)?;
    decided
}

fn decide(
    engine: &OfflineEngine,
    args: &Decide,
    text: &[u8],
    format: Format,
    out: &mut impl Write,
    (place, line): (&str, u64),
) -> Result<(), DecideError> {
    let fault = |error| DecideError::Line { place: place.to_owned(), line, error };
    let request: Request = serde_json::from_slice(text).map_err(fault)?;
    let answer = engine
        .decide(
            request.principal.offline(),
            request.action.offline(),
            request.resource.offline(),
            &request.context,
            !args.no_validate_requests,
        )
        .map_err(|error| DecideError::Request { place: place.to_owned(), line, error })?;
    let errors = answer.errors.iter().map(|(policy, message)| Fault { policy, message }).collect();
    let decision = if answer.allow { "allow" } else { "deny" };
    Ok(write(out, format, &Answer { decision, reasons: &answer.reasons, errors })?)
}

fn write(out: &mut impl Write, format: Format, answer: &Answer<'_>) -> Result<(), OutputError> {
    match format {
        Format::Json => {
            serde_json::to_writer(&mut *out, answer)?;
            out.write_all(b"\n")?;
        }
        Format::Yaml => write!(out, "---\n{}", serde_norway::to_string(answer)?)?,
        Format::Table => {
            let errors: Vec<_> =
                answer.errors.iter().map(|fault| format!("{}: {}", fault.policy, fault.message)).collect();
            writeln!(out, "{:<5}  {}  {}", answer.decision, answer.reasons.join(", "), errors.join("; "))?;
        }
    }
    Ok(())
}

fn engine(args: &Decide) -> Result<OfflineEngine, DecideError> {
    let schema = args.schema.as_deref().map(text).transpose()?;
    let policies = args.policies.iter().map(|file| text(file)).collect::<Result<Vec<_>, _>>()?.join("\n");
    let entities = args.entities.as_deref().map(text).transpose()?;
    let on_error = match args.on_error {
        OnError::Deny => Meaning::Deny,
        OnError::Skip => Meaning::Skip,
    };
    let engine = OfflineEngine::new(schema.as_deref(), &policies, entities.as_deref(), on_error)?;
    for finding in engine.findings() {
        output::remark(&finding.to_string());
    }
    match engine.findings().len() {
        count if args.strict && count > 0 => Err(DecideError::Strict { count }),
        _ => Ok(engine),
    }
}

fn text(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(FileError::at("read", path))
}

fn open(path: &PathBuf) -> Result<Box<dyn BufRead>, FileError> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    Ok(Box::new(BufReader::with_capacity(64 * 1024, File::open(path).map_err(FileError::at("read", path))?)))
}
