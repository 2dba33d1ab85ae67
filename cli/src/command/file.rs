//! `wardkeep encrypt` and `wardkeep decrypt`: whole files, in memory that does not grow with them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde::Serialize;
use wardkeep_client::RecordError;
use wardkeep_envelope::{AllOfStanza, CHUNK, OpenError, Opener, Stanza, StanzaKind};
use zeroize::Zeroizing;

use super::abe::AbeError;
use super::abe::mixed::{self, Places, Sealing};
use super::remote::with_client;
use super::{CommandError, context};
use crate::args::content::{Decrypt, Encrypt, Input};
use crate::error::FileError;
use crate::output::{self, Format, OutputError};
use crate::progress;
use crate::stop::sweep_when_told;
use crate::whole_file::{self, Readers, WholeFile};

/// What is added to a protected file's name.
const ENDING: &str = "wk";

/// What was done.
#[derive(Serialize)]
struct Done {
    file: PathBuf,
    bytes: u64,
}

/// Protects a file.
pub(crate) fn encrypt(format: Format, args: Encrypt) -> Result<(), CommandError> {
    let Encrypt { input, key, under, to, force, context, connection } = args;
    let input = named(input);
    let place = to.map_or_else(|| with_ending(&input), Ok)?;
    let context = context::of(&context)?;
    if let (Some(policy), Some(parameters)) = (under.policy, under.parameters) {
        let (demands, require_online, signing_key) = (under.demands, under.require_online, under.signing_key);
        let sealing = Sealing { parameters, signing_key, policy, demands, key, require_online, context };
        return mixed::encrypt(format, &sealing, Places { input, place, force }, &connection);
    }
    let key = key.ok_or(CommandError::OneOf { flags: "`--key`, or `--policy` and `--parameters`" })?;
    sweep_when_told()?;
    let source = Watched::open_or_stdin(&input, "encrypting")?;
    let target = Target::create_or_stdout(&place, Readers::Anyone, force)?;
    let done =
        with_client(
            &connection,
            |client| async move { Ok(client.protect_stream(&key, &context, source, target).await?) },
        )?;
    finish(format, done.output, place, done.bytes)
}

/// Opens a protected file. After any error nothing stands under the output's name.
pub(crate) fn decrypt(format: Format, args: Decrypt) -> Result<(), CommandError> {
    let Decrypt { input, abe_key, to, force, connection } = args;
    let input = named(input);
    let place = match to {
        Some(place) => place,
        None => without_ending(&input)?,
    };
    if let Some(key) = abe_key {
        return mixed::decrypt(format, &key, Places { input, place, force }, &connection);
    }
    Target::check(&place, force)?;
    // Whatever ends it before its time, no plaintext stays.
    sweep_when_told()?;
    let source = for_the_server(Watched::open_or_stdin(&input, "decrypting")?)?;
    let target = Target::create_or_stdout(&place, Readers::Owner, force)?;
    let done = with_client(&connection, |client| async move { Ok(client.read_stream(source, target, None).await?) })?;
    finish(format, done.output, place, done.bytes)
}

/// The whole input again, once its header was looked at: what the key service cannot open alone is not sent to it. It
/// would put a decision on record, and release a data key that is of no use.
fn for_the_server(mut source: Watched) -> Result<impl Read + Send + use<>, CommandError> {
    let mut seen = Vec::new();
    let read = Opener::from_reader(Noted { source: &mut source, seen: &mut seen });
    let stanzas = read.map_err(RecordError::from)?.stanzas().to_vec();
    let under_policy = |stanza: &Stanza| match AllOfStanza::read(stanza) {
        Some(Ok(combined)) => combined.parts().iter().any(|part| part.kind() == StanzaKind::ABE),
        _ => stanza.kind() == StanzaKind::ABE,
    };
    match stanzas.iter().any(|stanza| matches!(stanza.kind(), StanzaKind::KMS)) {
        true => {}
        false if stanzas.iter().any(under_policy) => return Err(AbeError::NeedsKey.into()),
        false if stanzas.iter().any(|stanza| stanza.kind() == StanzaKind::ALL_OF) => {}
        false => return Err(AbeError::NoVerb.into()),
    }
    Ok(io::Cursor::new(seen).chain(source))
}

/// A reader that notes what was read.
struct Noted<'a> {
    source: &'a mut Watched,
    seen: &'a mut Vec<u8>,
}

impl Read for Noted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(out)?;
        self.seen.extend_from_slice(out.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// The input, wherever on the command line it stands; it takes exactly one of the two.
fn named(input: Input) -> PathBuf {
    input.place.or(input.named).unwrap_or_default()
}

/// Ends a whole file and says so. On standard output the file itself is the answer.
pub(super) fn finish(format: Format, target: Target, place: PathBuf, bytes: u64) -> Result<(), CommandError> {
    let sink = target.0.into_inner().map_err(|error| FileError::at("write", &place)(error.into_error()))?;
    match sink {
        Sink::File(file) => file.finish()?,
        Sink::Stdout(mut out) => return Ok(out.flush().map_err(OutputError::from)?),
    }
    Ok(output::show(format, &Done { file: place, bytes }, &[])?)
}

/// Copies everything, with a buffer that holds a few chunks and is zeroed afterwards, for it holds plaintext.
pub(super) fn pour(
    mut input: impl Read,
    output: &mut impl Write,
    (from, to): (&Path, &Path),
) -> Result<u64, CommandError> {
    let mut buffer = Zeroizing::new(vec![0; 4 * CHUNK]);
    let mut total = 0;
    loop {
        let len = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // What a reader of envelopes says of the body, said as it is.
                return Err(match error.downcast::<OpenError>() {
                    Ok(refusal) => AbeError::from(refusal).into(),
                    Err(error) => FileError::at("read", from)(error).into(),
                });
            }
        };
        output.write_all(buffer.get(..len).unwrap_or_default()).map_err(|error| written(error, to))?;
        total += len as u64;
    }
    output.flush().map_err(|error| written(error, to))?;
    Ok(total)
}

/// A reader of standard output that went away is no fault of anybody's.
fn written(error: io::Error, to: &Path) -> CommandError {
    if to == Path::new("-") { OutputError::from(error).into() } else { FileError::at("write", to)(error).into() }
}

fn with_ending(input: &Path) -> Result<PathBuf, CommandError> {
    if input == Path::new("-") {
        return Err(CommandError::Nameless);
    }
    let mut name = input.as_os_str().to_owned();
    name.push(".");
    name.push(ENDING);
    Ok(PathBuf::from(name))
}

fn without_ending(input: &Path) -> Result<PathBuf, CommandError> {
    match input.extension() {
        Some(ending) if ending == ENDING => Ok(input.with_extension("")),
        None if input == Path::new("-") => Err(CommandError::Nameless),
        _ => Err(CommandError::NoName { path: input.to_owned() }),
    }
}

/// Where the output goes; a whole file only once [`finish`] was reached.
pub(super) struct Target(BufWriter<Sink>);

enum Sink {
    File(WholeFile),
    Stdout(io::Stdout),
}

impl Target {
    pub(super) fn create(place: &Path, readers: Readers, force: bool) -> Result<Self, FileError> {
        Ok(Self::of(Sink::File(WholeFile::create(place, readers, force)?)))
    }

    /// The same, where `-` is standard output.
    pub(super) fn create_or_stdout(place: &Path, readers: Readers, force: bool) -> Result<Self, FileError> {
        if place == Path::new("-") {
            Ok(Self::of(Sink::Stdout(io::stdout())))
        } else {
            Self::create(place, readers, force)
        }
    }

    /// That it can be created there, before anybody is asked for anything.
    pub(super) fn check(place: &Path, force: bool) -> Result<(), FileError> {
        if place == Path::new("-") { Ok(()) } else { whole_file::check_free(place, force) }
    }

    fn of(sink: Sink) -> Self {
        Self(BufWriter::with_capacity(256 * 1024, sink))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(out) => out.flush(),
        }
    }
}

/// An input that moves a bar as it is read.
pub(super) struct Watched {
    file: BufReader<Tap>,
    bar: ProgressBar,
}

enum Tap {
    File(File),
    Stdin(io::Stdin),
}

impl Watched {
    pub(super) fn open(path: &Path, what: &'static str) -> Result<Self, FileError> {
        let file = File::open(path).map_err(FileError::at("read", path))?;
        let known = file.metadata().map_err(FileError::at("read", path))?;
        if known.is_dir() {
            return Err(FileError::at("read", path)(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self::of(Tap::File(file), progress::bytes(known.len(), what)))
    }

    /// The same, where `-` is standard input.
    pub(super) fn open_or_stdin(path: &Path, what: &'static str) -> Result<Self, FileError> {
        if path == Path::new("-") {
            Ok(Self::of(Tap::Stdin(io::stdin()), ProgressBar::hidden()))
        } else {
            Self::open(path, what)
        }
    }

    fn of(tap: Tap, bar: ProgressBar) -> Self {
        Self { file: BufReader::with_capacity(256 * 1024, tap), bar }
    }
}

impl Read for Tap {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(out),
            Self::Stdin(input) => input.read(out),
        }
    }
}

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(out)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_outputs_follow_those_of_inputs() {
        assert_eq!(with_ending(Path::new("a/scan.pdf")).unwrap(), Path::new("a/scan.pdf.wk"));
        assert_eq!(without_ending(Path::new("a/scan.pdf.wk")).unwrap(), Path::new("a/scan.pdf"));
        assert!(without_ending(Path::new("a/scan.pdf")).is_err());
        assert!(with_ending(Path::new("-")).is_err() && without_ending(Path::new("-")).is_err());
    }

    #[test]
    fn a_folder_is_no_input() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Watched::open(folder.path(), "x").is_err());
    }
}
