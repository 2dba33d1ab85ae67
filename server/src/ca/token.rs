//! One-time enrolment tokens: `wk1.<token>.<CA fingerprint>`.
//!
//! A token is 256 random bits. The store keeps its SHA-256, so that who reads the store can redeem nothing; the text
//! carries the CA's fingerprint, so that who enrols knows the server before it has any trust root.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wardkeep_model::action::{DescribeToken, IssueToken, RevokeToken};
use wardkeep_model::{AuditEvent, EntityUid, EventDetail, Identity, Permit, Timestamp};
use wardkeep_store::{Change, Table};
use zeroize::Zeroizing;

use super::book::off_thread;
use super::record::{self, TokenRow, hex};
use super::{Admission, Authority, AuthorityError, IssueError, TokenError, TokenRecord, TokenState};

const PREFIX: &str = "wk1";
const MAX_LIFE_MILLIS: u64 = 7 * 86_400_000;
const MIN_LIFE_MILLIS: u64 = 60_000;

/// A token's secret and the CA it pins. Wiped when dropped.
pub struct TokenText {
    secret: Zeroizing<[u8; 32]>,
    fingerprint: [u8; 32],
}

/// What a token is asked for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The identity that the certificate will name.
    pub identity: Identity,
    /// Life in milliseconds, 1 minute to 7 days; `None` for the configured one.
    pub life_millis: Option<u64>,
}

/// A new token. The text is shown once and stored nowhere.
pub struct IssuedToken {
    /// What it is called in lists.
    pub id: String,
    /// `wk1.<token>.<fingerprint>`
    pub text: Zeroizing<String>,
    /// Until when it may be redeemed.
    pub expires: Timestamp,
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, fingerprint } = self;
        f.debug_struct("TokenText").field("fingerprint", &hex(fingerprint)).finish_non_exhaustive()
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, text: _, expires } = self;
        f.debug_struct("IssuedToken").field("id", id).field("expires", expires).finish_non_exhaustive()
    }
}

impl TokenText {
    /// Reads the text form; surrounding white space is what pasting adds.
    ///
    /// # Errors
    /// [`IssueError::TokenForm`].
    pub fn parse(text: &str) -> Result<Self, IssueError> {
        let mut parts = text.trim().split('.');
        let (Some(PREFIX), Some(secret), Some(fingerprint), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(IssueError::TokenForm);
        };
        Ok(Self { secret: Zeroizing::new(decode(secret)?), fingerprint: decode(fingerprint)? })
    }

    /// SHA-256 of the CA certificate that the token pins.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    fn text(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.secret));
        Zeroizing::new(format!("{PREFIX}.{}.{}", *secret, URL_SAFE_NO_PAD.encode(self.fingerprint)))
    }

    fn digest(&self) -> String {
        hex(&Sha256::digest(*self.secret))
    }
}

/// Half of the digest names the token: enough to be unique, not enough to be compared against.
fn id_of(digest: &str) -> String {
    digest.chars().take(32).collect()
}

fn decode(text: &str) -> Result<[u8; 32], IssueError> {
    // 43 characters are 32 bytes; the bound keeps a long paste from being decoded at all.
    if text.len() != 43 {
        return Err(IssueError::TokenForm);
    }
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| IssueError::TokenForm)?);
    bytes.as_slice().try_into().map_err(|_| IssueError::TokenForm)
}

impl Authority {
    /// Issues a token under a decision about the identity's entity.
    ///
    /// Whether the issuer holds all roles of the identity is checked here and again when the token is redeemed.
    ///
    /// # Errors
    /// [`TokenError`]; refusals are recorded.
    pub async fn issue_token(
        &self,
        permit: Permit<IssueToken>,
        new: NewToken,
        admission: &dyn Admission,
    ) -> Result<IssuedToken, TokenError> {
        let resource = permit.resource().clone();
        let issuer = permit.actor().clone();
        let event = permit.into_event().with(EventDetail::About, new.identity.to_string());
        if admission.entity_of(&new.identity).as_ref() != Some(&resource) {
            self.record(event.with_outcome(TokenError::OtherIdentity.code())).await?;
            return Err(TokenError::OtherIdentity);
        }
        self.write_token(event, new, Some(issuer)).await
    }

    /// The first administrator's token. **Only for `server init` and `recover`**, which work on the data folder with
    /// the root key in hand and stand outside every decision; they make the event themselves.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn founding_token(&self, event: AuditEvent, new: NewToken) -> Result<IssuedToken, TokenError> {
        self.write_token(event, new, None).await
    }

    /// All tokens, newest first.
    ///
    /// # Errors
    /// [`TokenError`]: the store cannot be read or the record not written.
    pub async fn tokens(&self, permit: Permit<DescribeToken>) -> Result<Vec<TokenRecord>, TokenError> {
        let mut tokens = self.all_tokens().await?;
        tokens.sort_by(|one, other| other.0.created.cmp(&one.0.created).then_with(|| one.0.id.cmp(&other.0.id)));
        let event = permit.into_event().with(EventDetail::Count, tokens.len().to_string());
        self.record(event).await?;
        Ok(tokens.into_iter().map(|(record, _, _)| record).collect())
    }

    /// Takes an open token back.
    ///
    /// # Errors
    /// [`TokenError::Unknown`], [`TokenError::NotOpen`]; recorded.
    pub async fn revoke_token(&self, permit: Permit<RevokeToken>, id: &str) -> Result<(), TokenError> {
        let _turn = self.turn.lock().await;
        let event = permit.into_event().with(EventDetail::About, id.chars().take(64).collect::<String>());
        let found = match self.token_row(id)? {
            Some(found) if found.0.state == TokenState::Open => found,
            other => {
                let error = if other.is_some() { TokenError::NotOpen } else { TokenError::Unknown };
                self.record(event.with_outcome(error.code())).await?;
                return Err(error);
            }
        };
        Ok(self.settle(vec![void_change(found)?], event).await?)
    }

    /// Changes that void every open token of an identity, for the commit that grants it a role.
    pub(super) async fn voiding(&self, identity: &Identity) -> Result<Vec<Change>, AuthorityError> {
        let open = |found: &TokenRowFound| found.0.identity == *identity && found.0.state == TokenState::Open;
        self.all_tokens().await?.into_iter().filter(open).map(void_change).collect()
    }

    /// The row of a token that somebody presents. The whole digest is compared, not only the half that finds it.
    pub(super) fn presented(&self, token: &TokenText) -> Result<Option<TokenRowFound>, AuthorityError> {
        let digest = token.digest();
        let found = self.token_row(&id_of(&digest))?;
        Ok(found.filter(|(_, stored, _)| bool::from(stored.as_bytes().ct_eq(digest.as_bytes()))))
    }

    fn token_row(&self, id: &str) -> Result<Option<TokenRowFound>, AuthorityError> {
        let Some(row) = self.store.read(Table::Token, id)? else { return Ok(None) };
        let (record, digest) = TokenRow::read(&row.id, &row.value)?;
        Ok(Some((record, digest, row.sequence)))
    }

    async fn all_tokens(&self) -> Result<Vec<TokenRowFound>, AuthorityError> {
        let store = self.store.clone();
        off_thread(move || {
            let mut rows = Vec::new();
            store.scan(Table::Token, &mut |row| {
                rows.push(TokenRow::read(&row.id, &row.value).map(|(record, digest)| (record, digest, row.sequence)));
            })?;
            rows.into_iter().collect()
        })
        .await
    }

    async fn write_token(
        &self,
        event: AuditEvent,
        new: NewToken,
        issuer: Option<EntityUid>,
    ) -> Result<IssuedToken, TokenError> {
        let checked = self.check_new_token(&new);
        let (fingerprint, life) = match checked {
            Ok(checked) => checked,
            Err(error) => {
                self.record(event.with_outcome(error.code())).await?;
                return Err(error);
            }
        };
        let mut secret = Zeroizing::new([0_u8; 32]);
        self.entropy.fill(&mut *secret)?;
        let token = TokenText { secret, fingerprint };
        let created = self.clock.now();
        let digest = token.digest();
        let id = id_of(&digest);
        let expires = created.plus_millis(life);
        let record =
            TokenRecord { id: id.clone(), identity: new.identity, issuer, created, expires, state: TokenState::Open };
        let value = record::write(&TokenRow::of(&record, digest), "token record")?;
        let change = Change::Put { table: Table::Token, id: id.clone(), expected: None, value };
        self.settle(vec![change], event).await?;
        Ok(IssuedToken { id, text: token.text(), expires })
    }

    fn check_new_token(&self, new: &NewToken) -> Result<([u8; 32], u64), TokenError> {
        let fingerprint = self.fingerprint().ok_or(TokenError::NotOurs)?;
        if new.identity.trust_domain() != self.trust_domain {
            return Err(TokenError::TrustDomain { identity: new.identity.clone() });
        }
        let life = new.life_millis.unwrap_or(u64::from(self.ca.load().token_life_minutes) * 60_000);
        if !(MIN_LIFE_MILLIS..=MAX_LIFE_MILLIS).contains(&life) {
            return Err(TokenError::Life);
        }
        Ok((fingerprint, life))
    }
}

/// Record, digest and sequence of a token's row.
pub(super) type TokenRowFound = (TokenRecord, String, u64);

/// The change that gives a token its next state; two who race for it meet at the expected sequence.
pub(super) fn state_change(found: TokenRowFound, state: TokenState) -> Result<Change, AuthorityError> {
    let (record, digest, sequence) = found;
    let record = TokenRecord { state, ..record };
    let value = record::write(&TokenRow::of(&record, digest), "token record")?;
    Ok(Change::Put { table: Table::Token, id: record.id, expected: Some(sequence), value })
}

fn void_change(found: TokenRowFound) -> Result<Change, AuthorityError> {
    state_change(found, TokenState::Void)
}
