//! The client itself: one connection pool, one cache, and views of it for different people.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use wardkeep_api::whoami::WhoAmI;
use wardkeep_model::{Clock, EntityUid, Entropy, RequestId};

use crate::authorities::Published;
use crate::cache::{Cache, Holder};
use crate::call::{Answer, Call, Sender};
use crate::connect::Link;
use crate::credential::{CertificateInfo, CredentialError};
use crate::error::CallError;
use crate::renew;
use crate::settings::{Address, Settings};
use crate::system::{Steady, SystemClock, SystemEntropy, SystemSteady};

/// A connection to Wardkeep. Cheap to clone; every clone and view shares pool, certificate and cache.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    subject: Option<EntityUid>,
    idempotency_key: Option<Arc<str>>,
    request: Option<RequestId>,
    limit: Duration,
}

/// What all views of a client share.
pub(crate) struct Shared {
    pub(crate) link: Link,
    pub(crate) cache: Cache,
    pub(crate) published: Published,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Client {
    /// Reads the credential files and starts to look after them. Needs a Tokio runtime.
    ///
    /// Nothing is sent: a server that is away does not keep an application from starting. To know at once
    /// whether server and certificates fit, call [`Client::whoami`].
    ///
    /// # Errors
    /// [`CredentialError`] where a file is missing, is not PEM, or certificate and key do not belong together.
    pub async fn connect(settings: Settings) -> Result<Self, CredentialError> {
        // `async` although nothing is awaited: it spawns, so it has to be called inside a runtime.
        Self::assemble(settings, Arc::new(SystemClock), Arc::new(SystemSteady::start()), Arc::new(SystemEntropy))
    }

    /// A client over clocks and a source of chance of the caller's own.
    pub(crate) fn assemble(
        settings: Settings,
        clock: Arc<dyn Clock>,
        steady: Arc<dyn Steady>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, CredentialError> {
        let cache = Cache::new(settings.cache, clock.clone(), steady.clone());
        let published = Published::new(clock.clone(), steady);
        let limit = settings.timeouts.request;
        let shared = Arc::new(Shared { link: Link::new(settings)?, cache, published, clock, entropy });
        // The keeper ends with the last clone: it holds the client only while it looks at it.
        tokio::spawn(renew::keep(Arc::downgrade(&shared)));
        Ok(Self { shared, subject: None, idempotency_key: None, request: None, limit })
    }

    /// A view whose calls are made for somebody else. The server decides whether this client may (`actFor`), and
    /// refuses the view's calls of [`crate::admin`]: administration is always in one's own name.
    #[must_use]
    pub fn on_behalf_of(&self, subject: EntityUid) -> Self {
        Self { subject: Some(subject), ..self.clone() }
    }

    /// A view whose changes go under this idempotency key: the server carries out the first and answers the
    /// others like it. For *one* call and its repetitions, also after a restart; 1 to 64 visible characters.
    #[must_use]
    pub fn with_idempotency_key(&self, key: &str) -> Self {
        Self { idempotency_key: Some(key.into()), ..self.clone() }
    }

    /// A view whose calls go under this request id instead of fresh ones, so that one name leads from the caller's
    /// own log to the server's and to the audit records. For *one* call: ids are only of use while they are unique.
    #[must_use]
    pub fn with_request_id(&self, request: RequestId) -> Self {
        Self { request: Some(request), ..self.clone() }
    }

    /// A view whose calls end after `limit`, retries included.
    #[must_use]
    pub fn with_deadline(&self, limit: Duration) -> Self {
        Self { limit, ..self.clone() }
    }

    /// For whom the calls of this view are made; `None` for the client itself.
    #[must_use]
    pub fn subject(&self) -> Option<&EntityUid> {
        self.subject.as_ref()
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.shared.link.settings().address
    }

    /// The certificate that is shown to the server now.
    #[must_use]
    pub fn certificate(&self) -> CertificateInfo {
        self.shared.link.live().certificate.clone()
    }

    /// Takes up changed credential files now; `true` if there were any. Broken ones change nothing.
    ///
    /// # Errors
    /// [`CredentialError`], with the files that were in use still in use.
    pub fn reload(&self) -> Result<bool, CredentialError> {
        self.shared.link.reload_if_changed(self.shared.clock.now())
    }

    /// Forgets every cached data key now, and keeps none whose question was asked before now.
    pub fn forget_data_keys(&self) {
        self.shared.cache.clear();
    }

    /// `GET /v1/whoami`: who the server takes this client for.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn whoami(&self) -> Result<WhoAmI, CallError> {
        self.ask(Call::get("/v1/whoami")).await
    }

    /// `GET /v1/openapi.json`: the API's description, as JSON text.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn openapi(&self) -> Result<String, CallError> {
        self.send(&Call::get("/v1/openapi.json")).await?.text()
    }

    /// Sends a call and reads its answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, CallError> {
        self.send(&call).await?.json()
    }

    /// Sends a call whose answer says nothing.
    pub(crate) async fn tell(&self, call: Call) -> Result<(), CallError> {
        self.send(&call).await.map(drop)
    }

    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, CallError> {
        // The credentials of this moment, for all tries: a reload meanwhile does not close them under us.
        let live = self.shared.link.live();
        let sender = Sender {
            pool: &live.pool,
            address: self.address(),
            subject: self.subject.as_ref(),
            idempotency_key: self.idempotency_key.as_deref(),
            request: self.request.as_ref(),
            entropy: self.shared.entropy.as_ref(),
            limit: self.limit,
        };
        sender.send(call).await
    }

    /// Whose data keys this view may find in the cache.
    pub(crate) fn holder(&self) -> Holder {
        Holder { actor: self.certificate().identity, subject: self.subject.clone() }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[cfg(test)]
    pub(crate) fn shared_for_test(self) -> Arc<Shared> {
        self.shared
    }
}

impl Shared {
    /// A client of its own over the same parts, for the keeper.
    pub(crate) fn client(self: &Arc<Self>) -> Client {
        let limit = self.link.settings().timeouts.request;
        Client { shared: self.clone(), subject: None, idempotency_key: None, request: None, limit }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { shared: _, subject, idempotency_key: _, request: _, limit: _ } = self;
        f.debug_struct("Client").field("address", self.address()).field("subject", subject).finish_non_exhaustive()
    }
}
