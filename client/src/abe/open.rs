//! Opening with a user key: off line, and with the key service where the envelope asks for both.

use std::io::{Read, Write};

use wardkeep_envelope::batch::{BatchOpener, BatchReader};
use wardkeep_envelope::{
    AbeReader, AbeStanza, AllOfStanza, DataKey, OpenError, OpenReader, Opener, Stanza, StanzaKind, Unwrap, UnwrapError,
    WrappedKey,
};
use wardkeep_model::EncryptionContext;
use zeroize::Zeroizing;

use super::{AbeError, Key};
use crate::data_keys::opened_data_key;
use crate::records::{context_of, envelope_key, plain_key};
use crate::streams::{Streamed, copy};
use crate::{AuthorityError, CallError, Client, RecordError};

/// Opens an envelope of this context, off line.
///
/// # Errors
/// [`AbeError`]: `Open(Unwrap(NotSatisfied))` where the key's attributes, its validity or its serial are not enough.
pub fn open(key: &Key, sealed: &[u8], context: &EncryptionContext) -> Result<Zeroizing<Vec<u8>>, AbeError> {
    Opening::read(sealed)?.expecting(context)?.whole(key, None)
}

/// Opens the envelope that `input` gives to `output`, off line and in constant memory; how many bytes there were.
///
/// Every byte that is written was authenticated, but that the end was not cut off shows only at the end: **after an
/// error, discard what was written**.
///
/// # Errors
/// [`AbeError`].
pub fn open_stream(
    key: &Key,
    input: impl Read,
    output: &mut impl Write,
    context: &EncryptionContext,
) -> Result<u64, AbeError> {
    let plain = Opening::read(input)?.expecting(context)?.reader(key, None)?;
    let bytes = copy(plain, output)?;
    output.flush()?;
    Ok(bytes)
}

/// Reads the header of a batch of this context, off line. The reader opens the batch's boxes, in any order and as often
/// as there are any; it costs what one opening costs.
///
/// # Errors
/// As [`open`].
pub fn open_batch(key: &Key, header: &[u8], context: &EncryptionContext) -> Result<BatchReader, AbeError> {
    let opener = BatchOpener::from_bytes(header)?;
    if context_of(opener.claimed_context())? != *context {
        return Err(AbeError::Unexpected);
    }
    let (claimed, reader) = (opener.claimed_context(), reader(key)?);
    opener.reader(&[&reader], claimed).map_err(|error| explained(error, opener.stanzas(), key))
}

/// An envelope whose header was read and of which nothing was opened yet: what it asks for can be asked, and a server
/// only where that is needed.
///
/// For one whose context is known and that is opened in one go there are [`open`], [`open_stream`],
/// [`Client::open_online`] and [`Client::open_online_stream`].
#[derive(Debug)]
pub struct Opening<R> {
    opener: Opener<R>,
}

impl<R: Read> Opening<R> {
    /// Reads a header, and nothing behind it.
    ///
    /// # Errors
    /// [`AbeError::Open`]: no envelope, or one that ends within its header.
    pub fn read(input: R) -> Result<Self, AbeError> {
        Ok(Self { opener: Opener::from_reader(input)? })
    }

    /// That the envelope claims this context. The claim is checked when it is opened.
    ///
    /// # Errors
    /// [`AbeError::Unexpected`].
    pub fn expecting(self, context: &EncryptionContext) -> Result<Self, AbeError> {
        if self.claimed()? == *context { Ok(self) } else { Err(AbeError::Unexpected) }
    }

    /// Whether it takes a decision of the key service beside this key ([`Client::released`]). Public data alone says so;
    /// never where the key's attributes are not enough, so that nobody is asked in vain.
    ///
    /// # Errors
    /// [`AbeError`].
    pub fn needs_server(&self, key: &Key) -> Result<bool, AbeError> {
        Ok(beside(self.opener.stanzas(), &reader(key)?).is_some())
    }

    /// The plaintext, in constant memory. An envelope that was cut short is an error where it ends: whoever stops reading
    /// early has not seen a whole one.
    ///
    /// # Errors
    /// [`AbeError`]: `NeedsServer` without the data key that it takes.
    pub fn reader(self, key: &Key, released: Option<&DataKey>) -> Result<OpenReader<R>, AbeError> {
        let stanzas = self.opener.stanzas().to_vec();
        self.unlocked(key, released, |opener, holders, claimed| opener.reader(holders, claimed))
            .map_err(|error| explained(error, &stanzas, key))
    }

    fn unlocked<T>(
        self,
        key: &Key,
        released: Option<&DataKey>,
        open: impl FnOnce(Opener<R>, &[&dyn Unwrap], &[u8]) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        // A key and its parameters come out of one file, so they always belong together.
        let reader = key.reader().map_err(|_| OpenError::NotForUs { count: self.opener.stanzas().len() })?;
        let mut holders: Vec<&dyn Unwrap> = vec![&reader];
        holders.extend(released.map(|data_key| data_key as &dyn Unwrap));
        let claimed = self.opener.claimed_context().to_vec();
        open(self.opener, &holders, &claimed)
    }

    fn claimed(&self) -> Result<EncryptionContext, AbeError> {
        Ok(context_of(self.opener.claimed_context())?)
    }
}

impl Opening<&[u8]> {
    fn whole(self, key: &Key, released: Option<&DataKey>) -> Result<Zeroizing<Vec<u8>>, AbeError> {
        let stanzas = self.opener.stanzas().to_vec();
        self.unlocked(key, released, |opener, holders, claimed| opener.open(holders, claimed).map(Zeroizing::new))
            .map_err(|error| explained(error, &stanzas, key))
    }
}

impl Client {
    /// Opens an envelope of this context with a user key, and asks the key service where the envelope demands both: only
    /// once the attributes are known to be enough, and every time anew, for a data key that was kept would be a
    /// decision that was.
    ///
    /// # Errors
    /// [`AbeError`]: `Record(Call(Denied))` where the key service says no.
    pub async fn open_online(
        &self,
        key: &Key,
        sealed: &[u8],
        context: &EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, AbeError> {
        let opening = Opening::read(sealed)?.expecting(context)?;
        let released = self.released(&opening, key).await?;
        opening.whole(key, released.as_ref())
    }

    /// The same for what `input` gives, to `output` and in constant memory; of the context `expected` where one is named.
    ///
    /// Every byte that is written was authenticated, but that the end was not cut off shows only at the end:
    /// **after an error, discard what was written** (write to a new file and rename it when this returns).
    ///
    /// # Errors
    /// As [`Client::open_online`].
    pub async fn open_online_stream<R, W>(
        &self,
        key: &Key,
        input: R,
        output: W,
        expected: Option<&EncryptionContext>,
    ) -> Result<Streamed<W>, AbeError>
    where
        R: Read + Send + 'static,
        W: Write + Send + 'static,
    {
        let mut opening = super::on_a_thread(move || Opening::read(input)).await?;
        if let Some(expected) = expected {
            opening = opening.expecting(expected)?;
        }
        let context = opening.claimed()?;
        let released = self.released(&opening, key).await?;
        let plain = opening.reader(key, released.as_ref())?;
        super::on_a_thread(move || {
            let mut output = output;
            let bytes = copy(plain, &mut output)?;
            output.flush()?;
            Ok(Streamed { output, bytes, context })
        })
        .await
    }

    /// The data key that an envelope takes beside this user key, asked for anew; `None` where it takes none, and nobody is
    /// asked.
    ///
    /// # Errors
    /// [`AbeError`]: `Record(Call(Denied))` where the key service says no.
    pub async fn released<R: Read>(&self, opening: &Opening<R>, key: &Key) -> Result<Option<DataKey>, AbeError> {
        match beside(opening.opener.stanzas(), &reader(key)?) {
            Some(wrapped) => Ok(Some(self.asked_anew(&wrapped, &opening.claimed()?).await?)),
            None => Ok(None),
        }
    }

    /// What a wrapped data key holds, past the cache.
    async fn asked_anew(&self, wrapped: &WrappedKey, context: &EncryptionContext) -> Result<DataKey, RecordError> {
        let question = opened_data_key(wrapped.wrapped(), context, None);
        let answer = self.data_keys().unwrap(&question).await?;
        let plain = plain_key(answer.plaintext).ok_or(RecordError::Answer)?;
        envelope_key(wrapped.key(), wrapped.wrapped(), &plain)
    }
}

fn reader(key: &Key) -> Result<AbeReader<'_>, AbeError> {
    key.reader().map_err(|error| AuthorityError::from(error).into())
}

/// The wrapped data key that the key service is to be asked about: that of the first combination whose policy this reader
/// satisfies. `None` where the reader opens the envelope alone, or not at all. Nothing is opened to tell.
fn beside(stanzas: &[Stanza], reader: &AbeReader<'_>) -> Option<WrappedKey> {
    if !stanzas.iter().any(|stanza| stanza.kind() == StanzaKind::ALL_OF) {
        return None;
    }
    let satisfied = |stanza: &Stanza| reader.satisfies(stanza);
    if stanzas.iter().any(satisfied) {
        return None;
    }
    let combined = stanzas.iter().filter_map(|stanza| AllOfStanza::read(stanza)?.ok());
    let mut satisfied = combined.filter(|combined| combined.parts().iter().any(satisfied));
    satisfied.find_map(|combined| combined.parts().iter().find_map(|part| WrappedKey::read(part)?.ok()))
}

/// Says more of a refusal than the envelope's room can: whose key it would take.
fn explained(error: OpenError, stanzas: &[Stanza], key: &Key) -> AbeError {
    match error {
        OpenError::NotForUs { .. } => {
            let (authority, version) = (key.secret().authority(), key.secret().version());
            let of = |found: AbeStanza| (found.ciphertext().authority(), found.ciphertext().version());
            let sealed: Vec<_> = policies(stanzas).map(of).collect();
            match (sealed.iter().find(|(found, _)| *found == authority), sealed.first()) {
                (Some(&(_, found)), _) => AbeError::OtherVersion { found, held: version },
                (None, Some(&(found, _))) => AbeError::OtherAuthority { found, held: authority },
                (None, None) => AbeError::NoPolicy,
            }
        }
        OpenError::Unwrap(UnwrapError::PartMissing { .. }) => AbeError::NeedsServer,
        other => AbeError::Open(other),
    }
}

/// The policies of an envelope, those in combinations included.
fn policies(stanzas: &[Stanza]) -> impl Iterator<Item = AbeStanza> {
    let parts = |stanza: &Stanza| match AllOfStanza::read(stanza) {
        Some(Ok(combined)) => combined.parts().to_vec(),
        _ => vec![stanza.clone()],
    };
    stanzas.iter().flat_map(parts).filter_map(|stanza| AbeStanza::read(&stanza)?.ok())
}

impl From<CallError> for AbeError {
    fn from(error: CallError) -> Self {
        Self::Authority(error.into())
    }
}
