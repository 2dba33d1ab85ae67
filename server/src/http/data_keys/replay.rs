//! Generating once: what happens under an `Idempotency-Key`.
//!
//! Every replay is decided anew, as the verb it then is. One that gives plaintext out, or a form for a recipient,
//! *unwraps* the stored wrapped key and needs the rights to do so: who may generate but not unwrap gets 403, with the
//! advice to generate under a new idempotency key.

use std::sync::Arc;

use wardkeep_api::Base64;
use wardkeep_api::Secret;
use wardkeep_api::data_key::DataKey;
use wardkeep_kms::{self as kms, Idempotency, RecipientKey};
use wardkeep_model::{AuditEvent, EventDetail, Permit, action};

use super::generate::{answer, generate};
use super::unwrap::unwrap;
use crate::http::extract::{Asker, Use};
use crate::http::idempotency::{Kept, keep, kept};
use crate::http::problem::{Fault, place};
use crate::state::App;

/// Generates, or answers with what the same request generated before.
///
/// # Errors
/// Those of generating; [`Fault::ReplayDenied`] where the caller may not unwrap what it asks to see again.
pub(super) async fn once(
    app: &Arc<App>,
    asker: &Asker,
    asked: kms::GenerateDataKey,
    idempotency: Idempotency,
) -> Result<DataKey, Fault> {
    let shows = asked.plaintext || asked.recipient.is_some();
    match kept(&*app.store, &idempotency, app.clock.now()) {
        Ok(None) => {}
        Ok(Some(found)) => return again(app, asker, asked, found, shows).await,
        Err(fault) => return spoilt(asker, asked, fault).await,
    }
    let (key, context, plaintext) = (asked.key.clone(), asked.context.clone(), asked.plaintext);
    let recipient = asked.recipient.as_ref().map(|key| RecipientKey::from_spki_der(key.spki_der())).transpose()?;
    let made = generate(app, asker, asked).await?;
    let mine = Kept { version: made.made.version, wrapped: made.made.wrapped.clone() };
    let first = keep(&*app.store, &idempotency, mine.clone(), app.clock.now()).await?;
    if first == mine {
        return Ok(answer(made));
    }
    // Another request with the same key was first: its data key is the answer, and mine was never seen by anybody.
    again(app, asker, kms::GenerateDataKey { key, context, recipient, plaintext }, first, shows).await
}

/// That the key was used with another body is told to who may generate, and to nobody else.
async fn spoilt(asker: &Asker, asked: kms::GenerateDataKey, fault: Fault) -> Result<DataKey, Fault> {
    let print = asked.recipient.as_ref().map(RecipientKey::fingerprint);
    let used = Use { key: &asked.key, context: Some(&asked.context), recipient: print.as_ref(), compromised: false };
    let permit: Permit<action::GenerateDataKey> = asker.permit_use(used).await?;
    asker.note(permit.into_event().with_outcome(place(&fault).1)).await?;
    Err(fault)
}

async fn again(
    app: &App,
    asker: &Asker,
    asked: kms::GenerateDataKey,
    found: Kept,
    shows: bool,
) -> Result<DataKey, Fault> {
    let kms::GenerateDataKey { key, context, recipient, plaintext: _ } = asked;
    let print = recipient.as_ref().map(RecipientKey::fingerprint);
    let used = Use { key: &key, context: Some(&context), recipient: print.as_ref(), compromised: false };
    let permit: Permit<action::GenerateDataKey> = asker.permit_use(used).await?;
    let event: AuditEvent = permit.into_event().with(EventDetail::Reason, "replay").with_outcome("ok");
    asker.note(event.with(EventDetail::KeyVersion, found.version.to_string())).await?;
    let mut again = DataKey {
        key: key.to_string(),
        version: found.version.get(),
        wrapped: Base64(found.wrapped.clone()),
        plaintext: None,
        for_recipient: None,
    };
    if shows {
        let asked = kms::UnwrapDataKey { wrapped: found.wrapped, context, recipient };
        let opened = unwrap(app, asker, asked).await.map_err(|fault| match fault {
            Fault::Denied { .. } => Fault::ReplayDenied,
            other => other,
        })?;
        again.plaintext = opened.plaintext.map(|secret| Secret::new(secret.expose().to_vec()));
        again.for_recipient = opened.for_recipient.map(Base64);
    }
    Ok(again)
}
