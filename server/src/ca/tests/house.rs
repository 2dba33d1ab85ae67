//! An authority over a store in memory, and the policy side as a stub that tests can turn.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use wardkeep_model::{AuditEvent, Clock, EntityUid, Identity, RequestId};
use wardkeep_store::{MemoryStore, Store, Work};

use crate::ca::authority::own_event;
use crate::ca::{
    Admission, Authority, AuthoritySettings, Enrolment, IssueError, Issued, IssuedToken, NewToken, RevokeError, Target,
};
use crate::config::CaSettings;
use crate::peer::{Peer, PeerRules};
use crate::revocation::Revoked;
use crate::system::SystemEntropy;
use crate::tls::forge::{DOMAIN, TestClock};

pub(super) const ANA: &str = "spiffe://clinic.test/user/ana";

/// Who exists and who is above whom.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) missing: Mutex<HashSet<String>>,
    pub(super) above: Mutex<HashSet<String>>,
}

impl Admission for Rules {
    fn entity_of(&self, identity: &Identity) -> Option<EntityUid> {
        let kind = match identity.kind() {
            "user" => "User",
            "service" => "Service",
            _ => return None,
        };
        EntityUid::new(kind, identity.name()).ok()
    }

    fn exists(&self, entity: &EntityUid) -> bool {
        !self.missing.lock().unwrap().contains(entity.id())
    }

    fn covers(&self, _issuer: &EntityUid, entity: &EntityUid) -> bool {
        !self.above.lock().unwrap().contains(entity.id())
    }

    fn may_issue(&self, issuer: &EntityUid, _entity: &EntityUid) -> bool {
        !self.missing.lock().unwrap().contains(issuer.id())
    }

    fn policy_version(&self) -> u64 {
        7
    }
}

pub(super) struct House {
    pub(super) authority: Arc<Authority>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) clock: Arc<TestClock>,
    pub(super) revoked: Arc<Revoked>,
    pub(super) rules: Rules,
}

pub(super) fn identity(uri: &str) -> Identity {
    Identity::parse(uri).unwrap()
}

pub(super) fn request() -> RequestId {
    RequestId::new("test").unwrap()
}

/// A PKCS#10 request in PEM, and its key.
pub(super) fn csr(params: CertificateParams) -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (params.serialize_request(&key).unwrap().pem().unwrap(), key)
}

pub(super) fn plain_csr() -> String {
    csr(CertificateParams::default()).0
}

impl House {
    pub(super) async fn new() -> Self {
        let clock = TestClock::new();
        let store = Arc::new(MemoryStore::new(clock.clone(), Arc::new(SystemEntropy)).unwrap());
        Authority::create(&*store, &*clock, &SystemEntropy).await.unwrap();
        Self::over(store, clock)
    }

    /// Another authority over the same store: a restart, or another node.
    pub(super) fn again(&self) -> Self {
        Self::over(self.store.clone(), self.clock.clone())
    }

    fn over(store: Arc<MemoryStore>, clock: Arc<TestClock>) -> Self {
        let revoked = Arc::new(Revoked::new());
        let settings = AuthoritySettings { trust_domain: DOMAIN.to_owned(), ca: CaSettings::default() };
        let opened = Authority::open(store.clone(), clock.clone(), Arc::new(SystemEntropy), settings, revoked.clone());
        Self { authority: Arc::new(opened.unwrap()), store, clock, revoked, rules: Rules::default() }
    }

    pub(super) fn event(&self) -> AuditEvent {
        let (now, founder) = (self.clock.now(), EntityUid::new("Wardkeep::System", "init").unwrap());
        own_event(now, founder, "IssueToken", request(), &identity(ANA))
    }

    pub(super) async fn token(&self, uri: &str) -> IssuedToken {
        let new = NewToken { identity: identity(uri), life_millis: None };
        self.authority.founding_token(self.event(), new).await.unwrap()
    }

    pub(super) async fn enrol(&self, token: &str, csr_pem: &str) -> Result<Issued, IssueError> {
        self.authority.enrol(Enrolment { token, csr_pem, request: request() }, &self.rules).await
    }

    pub(super) async fn enrolled(&self, uri: &str) -> Issued {
        let token = self.token(uri).await;
        self.enrol(&token.text, &plain_csr()).await.unwrap()
    }

    pub(super) async fn renewed(&self, parent: &Issued) -> Result<Issued, IssueError> {
        self.authority.renew(&peer(parent), &plain_csr(), request(), &self.rules).await
    }

    pub(super) fn refused(&self, issued: &Issued) -> bool {
        self.revoked.refuses(&peer(issued), self.clock.now()).is_some()
    }

    /// Plans a revocation, makes it durable and puts it into force, as the verb does; how many serials it took.
    pub(super) async fn cut(&self, target: Target) -> Result<usize, RevokeError> {
        let mut plan = self.authority.plan(target).await?;
        let (changes, count) = (plan.take_changes(), plan.serials().len());
        self.store.commit(Work { changes, events: vec![self.event()] }).await.unwrap();
        plan.apply();
        Ok(count)
    }

    /// The newest audit record as its line.
    pub(super) fn last_record(&self) -> String {
        self.store.audit(1, 10_000).unwrap().pop().unwrap().line
    }
}

/// The peer that a connection with this certificate has.
pub(super) fn peer(issued: &Issued) -> Peer {
    let der = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
    let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
    Peer::from_leaf(&der, &rules).unwrap()
}
