//! Who gives the file key: every holder is asked about every stanza, in the header's order.
//!
//! An answer that says no from what everybody can read (attributes that do not satisfy a policy, a part of a combination
//! that is for somebody else) leaves the question to the next holder and the next stanza. Every other answer decides:
//! a stanza that is ours and broken is a forgery or damage, and not to be passed over.

use crate::stanza::all;
use crate::{FileKey, OpenError, Stanza, StanzaKind, Unwrap, UnwrapError, WrappedKey};

/// The file key of these stanzas.
pub(crate) fn file_key(stanzas: &[Stanza], asked: &[&dyn Unwrap]) -> Result<FileKey, OpenError> {
    let answers = stanzas.iter().filter_map(|stanza| match stanza.kind() {
        StanzaKind::ALL_OF => all::open(stanza, asked),
        _ => holders(stanza, asked),
    });
    let answer = first(answers).ok_or(OpenError::NotForUs { count: stanzas.len() })?;
    Ok(answer?)
}

/// What these holders say of one stanza; `None` where it is for none of them.
pub(crate) fn holders(stanza: &Stanza, asked: &[&dyn Unwrap]) -> Option<Result<FileKey, UnwrapError>> {
    first(asked.iter().filter_map(|holder| holder.unwrap(stanza)))
}

/// The first answer that decides, else the first that does not.
fn first(answers: impl Iterator<Item = Result<FileKey, UnwrapError>>) -> Option<Result<FileKey, UnwrapError>> {
    let mut undecided = None;
    for answer in answers {
        match answer {
            Err(error) if error.leaves_it_to_others() => undecided = undecided.or(Some(Err(error))),
            decided => return Some(decided),
        }
    }
    undecided
}

/// The wrapped data keys among these stanzas, those of combinations included.
pub(crate) fn wrapped_keys(stanzas: &[Stanza]) -> impl Iterator<Item = WrappedKey> {
    let parts = |stanza: &Stanza| match all::AllOfStanza::read(stanza) {
        None => vec![stanza.clone()],
        Some(combined) => combined.map_or_else(|_| Vec::new(), |combined| combined.parts().to_vec()),
    };
    stanzas.iter().flat_map(parts).filter_map(|stanza| WrappedKey::read(&stanza)?.ok())
}

/// Puts a newly wrapped data key in the place of an old one, wherever it stands; whether it stands anywhere.
pub(crate) fn rewrap(stanzas: &mut [Stanza], old: &Stanza, new: &Stanza) -> bool {
    let mut found = false;
    for stanza in stanzas {
        let changed = match all::AllOfStanza::read(stanza) {
            None => (*stanza == *old).then(|| new.clone()),
            Some(combined) => combined.ok().and_then(|combined| combined.with_part(old, new)),
        };
        if let Some(changed) = changed {
            (*stanza, found) = (changed, true);
        }
    }
    found
}
