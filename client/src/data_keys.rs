//! Data keys, one at a time or in batches.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wardkeep_api::data_key::{
    DataKey, GenerateDataKey, Recipient, RewrapDataKey, RewrappedDataKey, UnwrapDataKey, UnwrappedDataKey,
};
use wardkeep_api::page::{Batch, BatchAnswer, Outcome};
use wardkeep_model::{EncryptionContext, KeyId};

use crate::call::Call;
use crate::convert::context_to_wire;
use crate::error::ProtocolFault;
use crate::{CallError, Client, Refusal};

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    /// Most items; the server's default where it is absent.
    pub limit: Option<u32>,
    /// The `next` of the page before; absent for the first.
    pub cursor: Option<String>,
}

/// The verbs of data keys; see [`Client::data_keys`]. Nothing is cached here: [`Client::protect`] and
/// [`Client::read`] do that.
#[derive(Debug, Clone, Copy)]
pub struct DataKeys<'a>(&'a Client);

impl Client {
    /// Data keys.
    #[must_use]
    pub fn data_keys(&self) -> DataKeys<'_> {
        DataKeys(self)
    }
}

/// The question for a data key, plain and wrapped; set `plaintext` or `recipient` for another.
#[must_use]
pub fn new_data_key(key: &KeyId, context: &EncryptionContext) -> GenerateDataKey {
    GenerateDataKey {
        key: key.as_str().to_owned(),
        context: context_to_wire(context),
        recipient: None,
        plaintext: true,
    }
}

/// The question for what a wrapped data key holds, in the clear or sealed for a recipient.
#[must_use]
pub fn opened_data_key(wrapped: &[u8], context: &EncryptionContext, recipient: Option<Recipient>) -> UnwrapDataKey {
    UnwrapDataKey { wrapped: wrapped.into(), context: context_to_wire(context), recipient }
}

/// The question for a wrapped data key under the newest version of its key.
#[must_use]
pub fn renewed_data_key(wrapped: &[u8], context: &EncryptionContext) -> RewrapDataKey {
    RewrapDataKey { wrapped: wrapped.into(), context: context_to_wire(context) }
}

impl Paging {
    pub(crate) fn pairs(&self) -> [(&'static str, Option<String>); 2] {
        [("limit", self.limit.map(|limit| limit.to_string())), ("cursor", self.cursor.clone())]
    }
}

impl DataKeys<'_> {
    /// `POST /v1/data-keys`. Tried again where needed: a data key that nobody received protects nothing.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn generate(&self, request: &GenerateDataKey) -> Result<DataKey, CallError> {
        self.0.ask(Call::repeatable_post("/v1/data-keys").json(request)?).await
    }

    /// `POST /v1/data-keys/unwrap`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn unwrap(&self, request: &UnwrapDataKey) -> Result<UnwrappedDataKey, CallError> {
        self.0.ask(Call::repeatable_post("/v1/data-keys/unwrap").json(request)?).await
    }

    /// `POST /v1/data-keys/rewrap`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn rewrap(&self, request: &RewrapDataKey) -> Result<RewrappedDataKey, CallError> {
        self.0.ask(Call::repeatable_post("/v1/data-keys/rewrap").json(request)?).await
    }

    /// `POST /v1/data-keys/batch`: 1 to 100 items, each decided and answered on its own, in their order.
    ///
    /// # Errors
    /// [`CallError`] where the batch as a whole failed.
    pub async fn generate_batch(
        &self,
        items: Vec<GenerateDataKey>,
    ) -> Result<Vec<Result<DataKey, Refusal>>, CallError> {
        self.batch("/v1/data-keys/batch", items).await
    }

    /// `POST /v1/data-keys/unwrap/batch`: 1 to 100 items.
    ///
    /// # Errors
    /// [`CallError`] where the batch as a whole failed.
    pub async fn unwrap_batch(
        &self,
        items: Vec<UnwrapDataKey>,
    ) -> Result<Vec<Result<UnwrappedDataKey, Refusal>>, CallError> {
        self.batch("/v1/data-keys/unwrap/batch", items).await
    }

    /// `POST /v1/data-keys/rewrap/batch`: 1 to 100 items.
    ///
    /// # Errors
    /// [`CallError`] where the batch as a whole failed.
    pub async fn rewrap_batch(
        &self,
        items: Vec<RewrapDataKey>,
    ) -> Result<Vec<Result<RewrappedDataKey, Refusal>>, CallError> {
        self.batch("/v1/data-keys/rewrap/batch", items).await
    }

    async fn batch<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        items: Vec<Q>,
    ) -> Result<Vec<Result<A, Refusal>>, CallError> {
        let asked = items.len();
        let answer = self.0.send(&Call::repeatable_post(path).json(&Batch { items })?).await?;
        let request = answer.request();
        let outcomes = answer.json::<BatchAnswer<A>>()?.items;
        if outcomes.len() != asked {
            // Matched by place, an answer of another length would give one record another's key.
            let fault = ProtocolFault::BatchLength { asked, answered: outcomes.len() };
            return Err(CallError::Protocol { fault, request: request.clone() });
        }
        let result = |outcome| match outcome {
            Outcome::Result(result) => Ok(result),
            Outcome::Problem(problem) => Err(Refusal::from_problem(problem, Some(request))),
        };
        Ok(outcomes.into_iter().map(result).collect())
    }
}
