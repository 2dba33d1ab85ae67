//! Opening with a user key: off line, and with the key service where the envelope asks for both.

use std::io::{Read, Write};

use wardkeep_envelope::{
    AbeReader, AbeStanza, AllOfStanza, DataKey, OpenError, Opener, Stanza, Unwrap, UnwrapError, WrappedKey,
};
use wardkeep_model::EncryptionContext;
use zeroize::Zeroizing;

use super::{AbeError, Key};
use crate::data_keys::opened_data_key;
use crate::records::{claimed_context, envelope_key, plain_key};
use crate::{AuthorityError, CallError, Client, RecordError};

/// Opens an envelope of this context, off line.
///
/// # Errors
/// [`AbeError`]: `Open(Unwrap(NotSatisfied))` where the key's attributes, its validity or its serial are not enough.
pub fn open(key: &Key, sealed: &[u8], context: &EncryptionContext) -> Result<Zeroizing<Vec<u8>>, AbeError> {
    opened(key, &[], Opener::from_bytes(sealed)?, context)
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
    let opener = Opener::from_reader(input)?;
    check_context(&opener, context)?;
    let (stanzas, claimed) = (opener.stanzas().to_vec(), opener.claimed_context().to_vec());
    let reader = reader(key)?;
    let plain = opener.reader(&[&reader], &claimed).map_err(|error| explained(error, &stanzas, key))?;
    let bytes = crate::streams::copy(plain, output)?;
    output.flush()?;
    Ok(bytes)
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
        let opener = Opener::from_bytes(sealed)?;
        check_context(&opener, context)?;
        let beside = beside(opener.stanzas(), &reader(key)?);
        let data_key: Option<DataKey> = match beside {
            Some(wrapped) => Some(self.asked_anew(&wrapped, context).await?),
            None => None,
        };
        let holders: Vec<&dyn Unwrap> = data_key.iter().map(|data_key| data_key as &dyn Unwrap).collect();
        opened(key, &holders, opener, context)
    }

    /// What a wrapped data key holds, past the cache.
    async fn asked_anew(&self, wrapped: &WrappedKey, context: &EncryptionContext) -> Result<DataKey, RecordError> {
        let question = opened_data_key(wrapped.wrapped(), context, None);
        let answer = self.data_keys().unwrap(&question).await?;
        let plain = plain_key(answer.plaintext).ok_or(RecordError::Answer)?;
        envelope_key(wrapped.key(), wrapped.wrapped(), &plain)
    }
}

fn opened(
    key: &Key,
    others: &[&dyn Unwrap],
    opener: Opener<&[u8]>,
    context: &EncryptionContext,
) -> Result<Zeroizing<Vec<u8>>, AbeError> {
    check_context(&opener, context)?;
    let (stanzas, claimed) = (opener.stanzas().to_vec(), opener.claimed_context().to_vec());
    let reader = reader(key)?;
    let mut holders: Vec<&dyn Unwrap> = vec![&reader];
    holders.extend(others);
    let plain = opener.open(&holders, &claimed).map_err(|error| explained(error, &stanzas, key))?;
    Ok(Zeroizing::new(plain))
}

/// That the envelope claims the expected context. The claim is checked with the header.
fn check_context<R: Read>(opener: &Opener<R>, context: &EncryptionContext) -> Result<(), AbeError> {
    if claimed_context(opener)? == *context { Ok(()) } else { Err(AbeError::Unexpected) }
}

/// A key and its parameters come out of one file, so they always belong together.
fn reader(key: &Key) -> Result<AbeReader<'_>, AbeError> {
    key.reader().map_err(|error| AuthorityError::from(error).into())
}

/// The wrapped data key that the key service is to be asked about: that of the first combination whose policy this reader
/// satisfies. `None` where the reader opens the envelope alone, or not at all.
fn beside(stanzas: &[Stanza], reader: &AbeReader<'_>) -> Option<WrappedKey> {
    let opens = |stanza: &Stanza| matches!(reader.unwrap(stanza), Some(Ok(_)));
    if stanzas.iter().any(opens) {
        return None;
    }
    let combined = stanzas.iter().filter_map(|stanza| AllOfStanza::read(stanza)?.ok());
    let mut satisfied = combined.filter(|combined| combined.parts().iter().any(opens));
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
