//! Escrow: an authority leaves the service, as shares for custodians and in no other form.
//!
//! A control verb of its own, decided on the actor alone. That the authority left is part of its state for ever, and
//! durable before the shares are given out: policies see it as `exportable`.

use std::collections::BTreeSet;
use std::sync::Arc;

use wardkeep_model::action::ExportAuthority;
use wardkeep_model::{AuditEvent, EventDetail, Fingerprint, KeyId, KeyVersion, Permit};
use wardkeep_store::Table;

use crate::error::KmsError;
use crate::escrow::{self, Package, Terms};
use crate::keyring::{Key, version_row};
use crate::lifecycle::Verb;
use crate::material::Material;
use crate::recipient::RecipientKey;
use crate::sealed::{escrow_context, seal_for};
use crate::secret::SecretBytes;
use crate::service::guard::{fits, version_for};
use crate::service::record::{Asked, Edit, note};
use crate::service::user_key::Sealed;
use crate::service::{Inner, Kms};

/// Asks for an authority's escrow.
#[derive(Debug)]
pub struct Escrow {
    /// The authority.
    pub key: KeyId,
    /// The version; the newest where none is named.
    pub version: Option<KeyVersion>,
    /// How many shares open it.
    pub threshold: u8,
    /// How many shares there are.
    pub shares: u8,
    /// The custodians' public keys, one a share in their order; or none, and `plain`.
    pub recipients: Vec<RecipientKey>,
    /// All shares in the clear, to whoever asks: one person then holds the authority. To be said, and recorded.
    pub plain: bool,
}

/// An authority as shares.
#[derive(Debug)]
pub struct Escrowed {
    /// The authority.
    pub key: KeyId,
    /// The version.
    pub version: KeyVersion,
    /// How many shares open it.
    pub threshold: u8,
    /// One package a custodian.
    pub packages: Vec<EscrowPackage>,
}

/// What one custodian gets: the sealed authority and a share of its key.
#[derive(Debug)]
pub struct EscrowPackage {
    /// Which share, from 1.
    pub share: u8,
    /// The package, where no public key was given for it.
    pub plain: Option<SecretBytes>,
    /// The package in an envelope, where one was.
    pub sealed: Option<Sealed>,
}

impl Kms {
    /// Exports an authority version as shares, of which `threshold` open it ([`crate::escrow::combine`]).
    ///
    /// `hold` is asked right before it is made durable that the authority left: whether what the decision rested on still
    /// stands. What it gives is kept until then, and must keep it from changing.
    ///
    /// # Errors
    /// What `hold` says: [`KmsError::PermitStale`]; [`KmsError::PermitMismatch`], [`KmsError::EscrowShares`], [`KmsError::EscrowForm`], [`KmsError::EscrowRecipients`],
    /// [`KmsError::EscrowRecipientTwice`]; the errors of state; [`KmsError::Busy`]; or what the store says.
    pub async fn escrow<H, G>(
        &self,
        permit: Permit<ExportAuthority>,
        request: Escrow,
        hold: impl FnOnce(AuditEvent) -> H + Send + 'static,
    ) -> Result<Escrowed, KmsError>
    where
        H: Future<Output = Result<G, KmsError>> + Send,
        G: Send + 'static,
    {
        let part = format!("escrow/{}", request.key);
        let checked = fits(permit.resource(), "Wardkeep::System", &part).and_then(|()| check(&request));
        let mut event = permit.into_event();
        let prints: Vec<String> = prints(&request).map(|print| print.to_string()).collect();
        note(&mut event, EventDetail::Threshold, || request.threshold.to_string());
        note(&mut event, EventDetail::Count, || request.shares.to_string());
        if request.plain {
            note(&mut event, EventDetail::Reason, || "plain shares".to_owned());
        }
        if !prints.is_empty() {
            note(&mut event, EventDetail::Recipient, || prints.join(","));
        }
        if let Err(error) = checked {
            return self.inner.record(event, Err(error)).await;
        }
        let inner = Arc::clone(&self.inner);
        let work = {
            let event = event.clone();
            async move { inner.escrow(event, request, hold).await }
        };
        self.inner.carry_out(event, work).await
    }
}

fn prints(request: &Escrow) -> impl Iterator<Item = Fingerprint> {
    request.recipients.iter().map(RecipientKey::fingerprint)
}

/// What is wrong with the request itself.
fn check(request: &Escrow) -> Result<(), KmsError> {
    escrow::check(request.threshold, request.shares)?;
    let given = request.recipients.len();
    if (given == 0) != request.plain {
        return Err(KmsError::EscrowForm);
    }
    if given != 0 && given != usize::from(request.shares) {
        return Err(KmsError::EscrowRecipients { given, shares: request.shares });
    }
    let different: BTreeSet<[u8; 32]> = prints(request).map(|print| *print.as_bytes()).collect();
    if different.len() == given { Ok(()) } else { Err(KmsError::EscrowRecipientTwice) }
}

impl Inner {
    /// The work of the verb: the state first, then the shares.
    async fn escrow<H, G>(
        self: &Arc<Self>,
        mut event: AuditEvent,
        request: Escrow,
        hold: impl FnOnce(AuditEvent) -> H + Send,
    ) -> Result<Escrowed, KmsError>
    where
        H: Future<Output = Result<G, KmsError>> + Send,
        G: Send,
    {
        let Escrow { key: id, version, threshold, shares, recipients, plain: _ } = request;
        let key = self.key(&id)?;
        let newest = key.newest().ok_or(KmsError::RowUnreadable)?.number;
        let version = version_for(&key, Verb::Escrow, version.unwrap_or(newest), false)?.number;
        note(&mut event, EventDetail::KeyVersion, || version.to_string());
        let (inner, terms) = (Arc::clone(self), Terms { key: id.clone(), version, threshold });
        let job = move || inner.packages(&terms, shares, recipients);
        let packages = self.rsa.run(job).await?;
        let _held = hold(event.clone()).await?;
        let edit = move |key: &Key, now| {
            // Once more, on the state that the change is made to.
            version_for(key, Verb::Escrow, version, false)?;
            let mut edit = Edit::of(key);
            edit.body.escrowed.get_or_insert(now);
            Ok(edit)
        };
        self.change_key(event, id.clone(), Asked::default(), edit).await?;
        Ok(Escrowed { key: id, version, threshold, packages })
    }

    /// The shares, in the form their custodians get them.
    fn packages(
        &self,
        terms: &Terms,
        shares: u8,
        recipients: Vec<RecipientKey>,
    ) -> Result<Vec<EscrowPackage>, KmsError> {
        let found = self.store.read(Table::Material, &version_row(&terms.key, terms.version));
        let row = found.map_err(|_| KmsError::StoreUnreadable)?.ok_or(KmsError::KeyDestroyed)?;
        let made = escrow::split(terms, shares, Material::authority_secret(&row.value)?, self.entropy.as_ref())?;
        let mut readers = recipients.into_iter();
        let package = |Package { number, bytes }: Package| {
            let Some(reader) = readers.next() else {
                return Ok(EscrowPackage { share: number, plain: Some(SecretBytes::new(bytes)), sealed: None });
            };
            let context = escrow_context(&terms.key, terms.version, number);
            let envelope = seal_for(&reader, &context, &bytes, self.entropy.as_ref())?;
            let sealed = Sealed { envelope, context, recipient: reader.fingerprint() };
            Ok(EscrowPackage { share: number, plain: None, sealed: Some(sealed) })
        };
        made.into_iter().map(package).collect()
    }
}
