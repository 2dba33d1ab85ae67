//! `wardkeep encrypt` and `wardkeep decrypt`: whole files, in memory that does not grow with them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde::Serialize;

use super::remote::with_client;
use super::{CommandError, context};
use crate::args::content::{Decrypt, Encrypt};
use crate::error::FileError;
use crate::output::{self, Format};
use crate::progress;
use crate::stop::sweep_when_told;
use crate::whole_file::{Readers, WholeFile};

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
    let Encrypt { input, key, to, force, context, connection } = args;
    let place = to.unwrap_or_else(|| with_ending(&input));
    let context = context::of(&context)?;
    sweep_when_told()?;
    let source = Watched::open(&input, "encrypting")?;
    let target = Target::create(&place, Readers::Anyone, force)?;
    let done =
        with_client(
            &connection,
            |client| async move { Ok(client.protect_stream(&key, &context, source, target).await?) },
        )?;
    finish(format, done.output, place, done.bytes)
}

/// Opens a protected file. After any error nothing stands under the output's name.
pub(crate) fn decrypt(format: Format, args: Decrypt) -> Result<(), CommandError> {
    let Decrypt { input, to, force, connection } = args;
    let place = match to {
        Some(place) => place,
        None => without_ending(&input)?,
    };
    // Whatever ends it before its time, no plaintext stays.
    sweep_when_told()?;
    let source = Watched::open(&input, "decrypting")?;
    let target = Target::create(&place, Readers::Owner, force)?;
    let done = with_client(&connection, |client| async move { Ok(client.read_stream(source, target, None).await?) })?;
    finish(format, done.output, place, done.bytes)
}

fn finish(format: Format, target: Target, place: PathBuf, bytes: u64) -> Result<(), CommandError> {
    let file = target.0.into_inner().map_err(|error| FileError::at("write", &place)(error.into_error()))?;
    file.finish()?;
    Ok(output::show(format, &Done { file: place, bytes }, &[])?)
}

fn with_ending(input: &Path) -> PathBuf {
    let mut name = input.as_os_str().to_owned();
    name.push(".");
    name.push(ENDING);
    PathBuf::from(name)
}

fn without_ending(input: &Path) -> Result<PathBuf, CommandError> {
    match input.extension() {
        Some(ending) if ending == ENDING => Ok(input.with_extension("")),
        _ => Err(CommandError::NoName { path: input.to_owned() }),
    }
}

/// Where the output goes; a whole file only once [`finish`] was reached.
struct Target(BufWriter<WholeFile>);

impl Target {
    fn create(place: &Path, readers: Readers, force: bool) -> Result<Self, FileError> {
        Ok(Self(BufWriter::with_capacity(256 * 1024, WholeFile::create(place, readers, force)?)))
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

/// An input that moves a bar as it is read.
struct Watched {
    file: BufReader<File>,
    bar: ProgressBar,
}

impl Watched {
    fn open(path: &Path, what: &'static str) -> Result<Self, FileError> {
        let file = File::open(path).map_err(FileError::at("read", path))?;
        let known = file.metadata().map_err(FileError::at("read", path))?;
        if known.is_dir() {
            return Err(FileError::at("read", path)(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self { file: BufReader::with_capacity(256 * 1024, file), bar: progress::bytes(known.len(), what) })
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
        assert_eq!(with_ending(Path::new("a/scan.pdf")), Path::new("a/scan.pdf.wk"));
        assert_eq!(without_ending(Path::new("a/scan.pdf.wk")).unwrap(), Path::new("a/scan.pdf"));
        assert!(without_ending(Path::new("a/scan.pdf")).is_err());
    }

    #[test]
    fn a_folder_is_no_input() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Watched::open(folder.path(), "x").is_err());
    }
}
