//! Public keys registered for people, for whom somebody else has user keys issued.

use http::Method;
use wardkeep_api::data_key::Recipient;
use wardkeep_api::recipient::{PutRecipient, RegisteredRecipient};
use wardkeep_model::EntityUid;

use crate::call::{Call, segment};
use crate::{CallError, Client};

/// The verbs of registered public keys; see [`Client::recipients`].
///
/// They are verbs of administration: in one's own name alone. `revision` makes a change only if the registration still
/// has it.
#[derive(Debug, Clone, Copy)]
pub struct Recipients<'a>(&'a Client);

impl Client {
    /// Registered public keys.
    #[must_use]
    pub fn recipients(&self) -> Recipients<'_> {
        Recipients(self)
    }
}

impl Recipients<'_> {
    /// `PUT /v1/recipients/{type}/{id}`: from now on user keys that others have issued for `subject` are sealed for this
    /// RSA public key.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn put(
        &self,
        subject: &EntityUid,
        recipient: Recipient,
        revision: Option<u64>,
    ) -> Result<RegisteredRecipient, CallError> {
        let call = Call::once(Method::PUT, place(subject)).if_revision(revision);
        self.0.ask(call.json(&PutRecipient { recipient })?).await
    }

    /// `GET /v1/recipients/{type}/{id}`
    ///
    /// # Errors
    /// [`CallError`]: `NotFound` where there is none.
    pub async fn get(&self, subject: &EntityUid) -> Result<RegisteredRecipient, CallError> {
        self.0.ask(Call::get(place(subject))).await
    }

    /// `DELETE /v1/recipients/{type}/{id}`: nobody else has user keys issued for them any more.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete(&self, subject: &EntityUid, revision: Option<u64>) -> Result<(), CallError> {
        self.0.tell(Call::once(Method::DELETE, place(subject)).if_revision(revision)).await
    }
}

fn place(subject: &EntityUid) -> String {
    format!("/v1/recipients/{}/{}", segment(subject.kind()), segment(subject.id()))
}
