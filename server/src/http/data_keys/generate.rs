//! `POST /v1/data-keys` and its batch.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::data_key::{DataKey, GenerateDataKey};
use wardkeep_api::page::{Batch, BatchAnswer};
use wardkeep_api::{Base64, Secret};
use wardkeep_kms as kms;
use wardkeep_model::{KeyId, action};

use super::replay;
use crate::http::batch;
use crate::http::extract::{Asker, KeyedAsker, Use};
use crate::http::json::{HashedJson, LargeJson};
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Makes a data key under a wrapping key, and for the record that the context names.
#[utoipa::path(post, path = "/v1/data-keys", tag = "data keys", request_body = GenerateDataKey,
    responses((status = 200, body = DataKey)))]
pub async fn generate_data_key(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    body: HashedJson<GenerateDataKey>,
) -> Result<Json<DataKey>, Fault> {
    let asked = parse(body.value)?;
    match keyed.idempotency("generate-data-key", "", body.hash) {
        None => Ok(Json(answer(generate(&app, &keyed.asker, asked).await?))),
        Some(idempotency) => Ok(Json(replay::once(&app, &keyed.asker, asked, idempotency).await?)),
    }
}

/// Makes up to 100 data keys, each decided and recorded by itself.
#[utoipa::path(post, path = "/v1/data-keys/batch", tag = "data keys", request_body = Batch<GenerateDataKey>,
    responses((status = 200, body = BatchAnswer<DataKey>)))]
pub async fn generate_data_keys(
    State(app): State<Arc<App>>,
    asker: Asker,
    LargeJson(items): LargeJson<Batch<GenerateDataKey>>,
) -> Result<Json<BatchAnswer<DataKey>>, Fault> {
    let one = async |app: Arc<App>, asker: &Asker, item| Ok(answer(generate(&app, asker, parse(item)?).await?));
    Ok(Json(batch::each(app, asker, items, one).await?))
}

fn parse(wire: GenerateDataKey) -> Result<kms::GenerateDataKey, Fault> {
    let GenerateDataKey { key, context, recipient, plaintext } = wire;
    let key = KeyId::parse(&key)?;
    let (context, recipient) = (wire::context(context)?, wire::recipient(recipient)?);
    Ok(kms::GenerateDataKey { key, context, plaintext: plaintext && recipient.is_none(), recipient })
}

/// Decides and generates.
pub(super) async fn generate(app: &App, asker: &Asker, asked: kms::GenerateDataKey) -> Result<Made, Fault> {
    let recipient = asked.recipient.as_ref().map(kms::RecipientKey::fingerprint);
    let used =
        Use { key: &asked.key, context: Some(&asked.context), recipient: recipient.as_ref(), compromised: false };
    let permit = asker.permit_use::<action::GenerateDataKey>(used).await?;
    let key = asked.key.clone();
    Ok(Made { key, made: app.kms.generate_data_key(permit, asked).await? })
}

/// A data key and the key that wraps it.
pub(super) struct Made {
    pub(super) key: KeyId,
    pub(super) made: kms::DataKey,
}

pub(super) fn answer(made: Made) -> DataKey {
    let Made { key, made } = made;
    let kms::DataKey { wrapped, plaintext, for_recipient, version } = made;
    DataKey {
        key: key.to_string(),
        version: version.get(),
        wrapped: Base64(wrapped),
        plaintext: plaintext.map(|secret| Secret::new(secret.expose().to_vec())),
        for_recipient: for_recipient.map(Base64),
    }
}
