//! Protect and read long files in constant memory.
//!
//! The copying runs on a thread for blocking work, so that reader and writer may be files or pipes.

use std::io::{Read, Write};

use wardkeep_envelope::{CHUNK, Opener};
use wardkeep_model::{EncryptionContext, KeyId};
use zeroize::Zeroizing;

use crate::records::{claimed_context, renewable};
use crate::{Client, RecordError};

/// A stream that was read to its end.
#[derive(Debug)]
pub struct Streamed<W> {
    /// Where the bytes went; flushed.
    pub output: W,
    /// How many bytes of plaintext there were.
    pub bytes: u64,
    /// The context that the stream was protected with; authenticated.
    pub context: EncryptionContext,
}

impl Client {
    /// Encrypts everything that `input` gives into an envelope on `output`. The data key is always a new one.
    ///
    /// # Errors
    /// [`crate::RecordError`]. What was written until then is no envelope: it does not open.
    pub async fn protect_stream<R, W>(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        input: R,
        output: W,
    ) -> Result<Streamed<W>, RecordError>
    where
        R: Read + Send + 'static,
        W: Write + Send + 'static,
    {
        let data_key = self.protecting_key(key, context, None).await?;
        let sealer = self.sealer(&data_key, context, &[])?;
        let context = context.clone();
        on_a_thread(move || {
            let mut writer = sealer.writer(output)?;
            let bytes = copy(input, &mut writer)?;
            let mut output = writer.finish()?;
            output.flush()?;
            Ok(Streamed { output, bytes, context })
        })
        .await
    }

    /// Decrypts the envelope that `input` gives to `output`, of the context `expected` where one is named.
    ///
    /// Every byte that is written was authenticated, but that the end was not cut off shows only at the end:
    /// **after an error, discard what was written** (write to a new file and rename it when this returns).
    ///
    /// # Errors
    /// [`crate::RecordError`].
    pub async fn read_stream<R, W>(
        &self,
        input: R,
        output: W,
        expected: Option<&EncryptionContext>,
    ) -> Result<Streamed<W>, RecordError>
    where
        R: Read + Send + 'static,
        W: Write + Send + 'static,
    {
        let opener = on_a_thread(move || Ok(Opener::from_reader(input)?)).await?;
        let context = claimed_context(&opener)?;
        if expected.is_some_and(|expected| *expected != context) {
            return Err(RecordError::Unexpected);
        }
        let data_key = self.reading_key(&opener, &context).await?;
        on_a_thread(move || {
            let claimed = opener.claimed_context().to_vec();
            let reader = opener.reader(&[&data_key], &claimed)?;
            let mut output = output;
            let bytes = copy(reader, &mut output)?;
            output.flush()?;
            Ok(Streamed { output, bytes, context })
        })
        .await
    }

    /// Copies the envelope that `input` gives to `output`, its data key wrapped under the newest version.
    ///
    /// # Errors
    /// [`crate::RecordError`]. After one, discard what was written.
    pub async fn rewrap_stream<R, W>(&self, input: R, output: W) -> Result<W, RecordError>
    where
        R: Read + Send + 'static,
        W: Write + Send + 'static,
    {
        let opener = on_a_thread(move || Ok(Opener::from_reader(input)?)).await?;
        let context = claimed_context(&opener)?;
        let old = renewable(&opener)?;
        let question = crate::data_keys::renewed_data_key(old.wrapped(), &context);
        let new = self.data_keys().rewrap(&question).await?;
        on_a_thread(move || {
            let mut output = output;
            opener.rewrap(&old, new.wrapped.0, &mut output)?;
            output.flush()?;
            Ok(output)
        })
        .await
    }
}

/// `io::copy` with a buffer that holds a few chunks and is zeroed afterwards, for it holds plaintext.
pub(crate) fn copy(mut input: impl Read, output: &mut impl Write) -> Result<u64, RecordError> {
    let mut buffer = Zeroizing::new(vec![0; 4 * CHUNK]);
    let mut total = 0;
    loop {
        let len = match input.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(len) => len,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        output.write_all(buffer.get(..len).unwrap_or_default())?;
        total += len as u64;
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, RecordError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(RecordError::Stopped))
}
