//! User keys of attribute-based encryption: issued, listed, revoked.
//!
//! What a key says is decided by the server: the attributes of the subject's entity, never anything of the caller's. In a
//! view of [`Client::on_behalf_of`] the key is somebody else's, and comes sealed for the public key registered for them
//! ([`UserKeys::issue_for_another`]); everybody else's comes inside the answer, or sealed for a key of the caller's own.

use std::time::Duration;

use http::Method;
use wardkeep_abe::{DecodeError, UserKey as Secret};
use wardkeep_api::Page;
use wardkeep_api::authority::SealedSecret;
use wardkeep_api::data_key::Recipient;
use wardkeep_api::user_key::{IssueUserKey, IssuedUserKey, RevokeUserKeys, RevokedUserKeys, UserKey};
use wardkeep_envelope::{OpenError, Opener};
use wardkeep_model::{EntityUid, KeyId};
use zeroize::Zeroizing;

use crate::abe::Key;
use crate::authorities::hex;
use crate::call::{Call, query};
use crate::convert::entity_to_wire;
use crate::data_keys::Paging;
use crate::error::Side;
use crate::{AuthorityError, CallError, Client, RsaHolder};

const USER_KEYS: &str = "/v1/user-keys";

/// The verbs of user keys; see [`Client::user_keys`].
#[derive(Debug, Clone, Copy)]
pub struct UserKeys<'a>(&'a Client);

/// What may be wished for of a user key. Not its attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// How long it is to be valid, rounded up to the end of a time bucket; the server's own bound where it is absent.
    pub valid_for: Option<Duration>,
    /// The version that has to be the authority's newest.
    pub version: Option<u32>,
}

/// What was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The authority.
    pub key: KeyId,
    /// Its version.
    pub version: u32,
    /// The key's number in the version, for revocation.
    pub serial: u32,
    /// The attributes it carries.
    pub attributes: String,
    /// When it ends (RFC 3339): it opens nothing that is sealed from then on.
    pub valid_until: String,
    /// SHA-256 of the public parameters it belongs to, in hexadecimal.
    pub parameters: String,
}

/// A user key that only the holder of an RSA private key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// What it is.
    pub issued: Issued,
    /// The envelope with the key file.
    pub envelope: Vec<u8>,
    /// SHA-256 of the public key (DER SubjectPublicKeyInfo) that it is sealed for, in hexadecimal.
    pub recipient: String,
}

/// A user key in the form in which it was answered.
pub enum Answered {
    /// The key itself: it was for the caller.
    Open(Issued, Key),
    /// Sealed for the public key that is registered for its holder.
    Sealed(SealedKey),
}

/// Why no user key was had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserKeyError {
    /// The server refused or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The key is of another authority than the one that was pinned.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The bytes are no key file.
    #[error("the user key cannot be used: {0}")]
    Decode(#[from] DecodeError),
    /// The envelope does not open.
    #[error("the sealed user key does not open: {0}")]
    Open(#[from] OpenError),
    /// It came sealed.
    #[error("the user key came sealed for {recipient}: have it issued with `issue_sealed` or `issue_for_another`")]
    Sealed {
        /// The fingerprint of that public key.
        recipient: String,
    },
    /// It was to come sealed and did not.
    #[error("the user key of serial {serial} was to come sealed and came in the clear: revoke it, and do not use it")]
    Unsealed {
        /// The key's serial.
        serial: u32,
    },
    /// It was sealed for another key than the caller's.
    #[error("the user key was sealed for {found}, and the public key that was sent is {sent}")]
    OtherRecipient {
        /// Fingerprint of the public key it is sealed for.
        found: String,
        /// Fingerprint of the one that was sent.
        sent: String,
    },
    /// The answer and the key in it do not say the same.
    #[error("the user key is not the one that the answer speaks of: its {part} differs")]
    Mismatch {
        /// What differs.
        part: &'static str,
    },
}

impl UserKeyError {
    /// On which side it lies.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Call(error) => error.side(),
            Self::Authority(error) => error.side(),
            Self::Open(_) | Self::Decode(_) => Side::Local,
            _ => Side::Remote,
        }
    }
}

impl Client {
    /// User keys of attribute-based encryption.
    #[must_use]
    pub fn user_keys(&self) -> UserKeys<'_> {
        UserKeys(self)
    }
}

impl UserKeys<'_> {
    /// A user key for oneself, inside the answer of the mutual-TLS connection.
    ///
    /// Not tried again once it may have arrived: every issue takes a serial.
    ///
    /// # Errors
    /// [`UserKeyError`]: `Call(Denied)` where the policies give the caller none.
    pub async fn issue(&self, key: &KeyId, wish: &Wish) -> Result<(Issued, Key), UserKeyError> {
        let answer = self.ask(key, wish, None).await?;
        let issued = self.issued(key, wish, &answer)?;
        let opened = self.opened(&issued, answer)?;
        Ok((issued, opened))
    }

    /// A user key for oneself, sealed for `holder`, so that not even the end of the TLS connection sees it; opened here.
    ///
    /// The holder may be a key that exists in memory alone: [`RsaHolder::generate`].
    ///
    /// # Errors
    /// [`UserKeyError`]: `Unsealed` where the server sent it in the clear all the same.
    pub async fn issue_sealed(
        &self,
        key: &KeyId,
        wish: &Wish,
        holder: &RsaHolder,
    ) -> Result<(Issued, Key), UserKeyError> {
        let answer = self.ask(key, wish, Some(holder.recipient())).await?;
        let issued = self.issued(key, wish, &answer)?;
        let sealed = sealed(issued, answer)?;
        let sent = holder.fingerprint();
        if sealed.recipient != sent {
            return Err(UserKeyError::OtherRecipient { found: sealed.recipient, sent });
        }
        let opened = sealed.open(holder)?;
        self.check(&sealed.issued, &opened)?;
        Ok((sealed.issued, opened))
    }

    /// A user key for the subject of a view of [`Client::on_behalf_of`], sealed for the public key registered for them.
    /// It takes the further right `IssueUserKeyFor`, and is opened by that subject alone.
    ///
    /// # Errors
    /// [`UserKeyError`]: `Call(Conflict)` where no public key is registered for the subject.
    pub async fn issue_for_another(&self, key: &KeyId, wish: &Wish) -> Result<SealedKey, UserKeyError> {
        let answer = self.ask(key, wish, None).await?;
        let issued = self.issued(key, wish, &answer)?;
        sealed(issued, answer)
    }

    /// A user key for the subject, whoever that is: sealed for somebody else ([`UserKeys::issue_for_another`]), in the clear
    /// where the subject is the caller, as the server knows and the caller need not. For a program whose subject comes
    /// from a setting.
    ///
    /// # Errors
    /// [`UserKeyError`].
    pub async fn issue_for_subject(&self, key: &KeyId, wish: &Wish) -> Result<Answered, UserKeyError> {
        let answer = self.ask(key, wish, None).await?;
        let issued = self.issued(key, wish, &answer)?;
        if answer.sealed.is_some() {
            return sealed(issued, answer).map(Answered::Sealed);
        }
        let opened = self.opened(&issued, answer)?;
        Ok(Answered::Open(issued, opened))
    }

    /// `GET /v1/user-keys`: one page of what was issued, of one authority or subject or of all that the caller may see.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(
        &self,
        key: Option<&KeyId>,
        subject: Option<&EntityUid>,
        paging: &Paging,
    ) -> Result<Page<UserKey>, CallError> {
        let [limit, cursor] = paging.pairs();
        let pairs =
            [("key", key.map(ToString::to_string)), ("subject", subject.map(ToString::to_string)), limit, cursor];
        self.0.ask(Call::get(query(USER_KEYS, &pairs))).await
    }

    /// Revokes user keys of one version by their serials; without a version, of the newest. What was sealed before
    /// stays open to them.
    ///
    /// Tried again where needed: a key that is revoked twice is revoked, though the second answer counts none.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn revoke(
        &self,
        key: &KeyId,
        version: Option<u32>,
        serials: &[u32],
    ) -> Result<RevokedUserKeys, CallError> {
        let serials = Some(serials.to_vec());
        self.revoking(&RevokeUserKeys { key: key.to_string(), version, serials, subject: None }).await
    }

    /// Revokes all user keys of a subject, of every version.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn revoke_all_of(&self, key: &KeyId, subject: &EntityUid) -> Result<RevokedUserKeys, CallError> {
        let subject = Some(entity_to_wire(subject));
        self.revoking(&RevokeUserKeys { key: key.to_string(), version: None, serials: None, subject }).await
    }

    async fn revoking(&self, what: &RevokeUserKeys) -> Result<RevokedUserKeys, CallError> {
        self.0.ask(Call::repeatable_post(format!("{USER_KEYS}/revoke")).json(what)?).await
    }

    async fn ask(&self, key: &KeyId, wish: &Wish, recipient: Option<Recipient>) -> Result<IssuedUserKey, CallError> {
        let valid_for_seconds = wish.valid_for.map(|life| life.as_secs());
        let question = IssueUserKey { key: key.to_string(), version: wish.version, valid_for_seconds, recipient };
        self.0.ask(Call::once(Method::POST, USER_KEYS).json(&question)?).await
    }

    fn issued(&self, key: &KeyId, wish: &Wish, answer: &IssuedUserKey) -> Result<Issued, UserKeyError> {
        let IssuedUserKey { key: named, version, parameters, serial, attributes, valid_until, .. } = answer;
        if named != key.as_str() {
            return Err(UserKeyError::Mismatch { part: "authority" });
        }
        if wish.version.is_some_and(|wanted| wanted != *version) {
            return Err(UserKeyError::Mismatch { part: "version" });
        }
        Ok(Issued {
            key: key.clone(),
            version: *version,
            serial: *serial,
            attributes: attributes.clone(),
            valid_until: valid_until.clone(),
            parameters: parameters.clone(),
        })
    }

    /// The key that an answer holds in the clear.
    fn opened(&self, issued: &Issued, answer: IssuedUserKey) -> Result<Key, UserKeyError> {
        match (answer.user_key, answer.sealed) {
            (Some(file), None) => {
                let opened = Key::from_bytes(file.expose())?;
                self.check(issued, &opened)?;
                Ok(opened)
            }
            (_, Some(SealedSecret { recipient, .. })) => Err(UserKeyError::Sealed { recipient }),
            (None, None) => Err(UserKeyError::Mismatch { part: "key" }),
        }
    }

    /// That the key is what the answer says, of the authority whose signing key is pinned; pins it where none is.
    fn check(&self, issued: &Issued, opened: &Key) -> Result<(), UserKeyError> {
        issued.describes(opened)?;
        Ok(self.0.authorities().pin(&issued.key, opened.parameters().signing_key())?)
    }
}

impl Issued {
    fn describes(&self, opened: &Key) -> Result<(), UserKeyError> {
        let secret: &Secret = opened.secret();
        let part = if secret.version() != self.version {
            "version"
        } else if secret.serial().map(|serial| serial.number()) != Some(self.serial) {
            "serial"
        } else if hex(opened.parameters().fingerprint()) != self.parameters {
            "public parameters"
        } else {
            return Ok(());
        };
        Err(UserKeyError::Mismatch { part })
    }

    /// The context that it is sealed under; `docs/formats.md`, *Sealed user key*.
    fn context(&self) -> String {
        let Self { key, version, serial, .. } = self;
        format!("wardkeep user key {key}#{version} {serial}")
    }
}

impl SealedKey {
    /// Opens it with the private key that it was sealed for. Whose authority it is of, is told by
    /// [`Key::parameters`]: hold it against the signing key that you know ([`Key::check_signer`]).
    ///
    /// # Errors
    /// [`UserKeyError`].
    pub fn open(&self, holder: &RsaHolder) -> Result<Key, UserKeyError> {
        let opened = unseal(&self.envelope, Some(&self.issued.context()), holder)?;
        self.issued.describes(&opened)?;
        Ok(opened)
    }
}

/// Opens an envelope with a user key, of this context where one is named. Where none is, any user key that was sealed for
/// the holder opens.
///
/// # Errors
/// [`UserKeyError`].
pub fn unseal(envelope: &[u8], context: Option<&str>, holder: &RsaHolder) -> Result<Key, UserKeyError> {
    let opener = Opener::from_bytes(envelope)?;
    let claimed = opener.claimed_context().to_vec();
    if !claimed.starts_with(b"wardkeep user key ") {
        return Err(UserKeyError::Open(OpenError::OtherContext));
    }
    let file = Zeroizing::new(opener.open(&[holder], context.map_or(&claimed, |context| context.as_bytes()))?);
    Ok(Key::from_bytes(&file)?)
}

fn sealed(issued: Issued, answer: IssuedUserKey) -> Result<SealedKey, UserKeyError> {
    if answer.user_key.is_some() {
        return Err(UserKeyError::Unsealed { serial: issued.serial });
    }
    let SealedSecret { envelope, context, recipient } =
        answer.sealed.ok_or(UserKeyError::Mismatch { part: "envelope" })?;
    if context != issued.context() {
        return Err(UserKeyError::Mismatch { part: "context" });
    }
    Ok(SealedKey { issued, envelope: envelope.0, recipient })
}

#[cfg(test)]
mod tests;
