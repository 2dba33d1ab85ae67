//! What the tests of authorities share: issuing as the server does it, from one decision; and readers off line, who use
//! the library of attribute-based encryption alone.

use rsa::pkcs8::{DecodePublicKey, EncodePublicKey};
use wardkeep_abe::{AccessPolicy, Bucket, Ciphertext, PublicParameters, RevocationList, Seed, UserKey, from_key_file};
use wardkeep_model::action::IssueUserKey as MayIssue;
use wardkeep_model::{
    Action, Caller, Clock, EntityUid, EventDetail, KeyFacts, KeySpec, KeyUsage, KeyVersion, Permit, RequestId,
};
use wardkeep_policy::{EntityChange, Projected, Question, RECIPIENTS, Refusal, Resource, escrow_part};

use super::fixture::{Fixture, caller, id, user};
use crate::service::{
    Escrow, Escrowed, IssueUserKey, IssuedUserKey, KeyInfo, ListUserKeys, Precondition, RegisteredRecipient,
    RevocationInfo, Revoke, RevokedUserKeys, UserKeyInfo,
};
use crate::{KmsError, RecipientKey};

/// A public key of 3072 bits, and the private half behind it.
pub(super) fn reader() -> (rsa::RsaPrivateKey, RecipientKey) {
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::UnwrapErr(SystemChance), 3072).unwrap();
    let der = private.to_public_key().to_public_key_der().unwrap();
    let key = RecipientKey::from_spki_der(der.as_bytes()).unwrap();
    (private, key)
}

/// That a control verb's decision still stands.
pub(super) async fn stands(_: wardkeep_model::AuditEvent) -> Result<(), KmsError> {
    Ok(())
}

/// The same public key once more: a reader is no copy.
pub(super) fn again(key: &RecipientKey) -> RecipientKey {
    let _parses = rsa::RsaPublicKey::from_public_key_der(key.spki_der()).unwrap();
    RecipientKey::from_spki_der(key.spki_der()).unwrap()
}

/// The operating system's chance, for making keys in tests.
struct SystemChance;

impl rsa::rand_core::TryRng for SystemChance {
    type Error = rsa::rand_core::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        aws_lc_rs::rand::fill(out).unwrap();
        Ok(())
    }
}

impl rsa::rand_core::TryCryptoRng for SystemChance {}

/// Opens an envelope with a private key: as any reader of the format would.
pub(super) fn unseal(private: &rsa::RsaPrivateKey, envelope: &[u8], context: &str) -> Option<Vec<u8>> {
    struct Reader<'a>(&'a rsa::RsaPrivateKey);
    impl wardkeep_envelope::Unwrap for Reader<'_> {
        fn unwrap(
            &self,
            stanza: &wardkeep_envelope::Stanza,
        ) -> Option<Result<wardkeep_envelope::FileKey, wardkeep_envelope::UnwrapError>> {
            let rsa = wardkeep_envelope::RsaStanza::read(stanza)?.ok()?;
            let padding = rsa::Oaep::<sha2::Sha256>::new_with_label(wardkeep_envelope::OAEP_LABEL);
            let key = self.0.decrypt(padding, rsa.ciphertext).ok()?;
            wardkeep_envelope::FileKey::from_slice(&key).map(Ok)
        }
    }
    let opener = wardkeep_envelope::Opener::from_bytes(envelope).ok()?;
    opener.open(&[&Reader(private)], context.as_bytes()).ok()
}

/// A caller that acts for a user.
pub(super) fn acting(actor: &str, subject: &str) -> Caller {
    if actor == subject {
        return caller(subject);
    }
    let app = EntityUid::new("Service", actor).unwrap();
    Caller::itself(app, None, RequestId::new("request-1").unwrap()).on_behalf_of(user(subject))
}

/// A key file, as its holder reads it.
pub(super) fn read(issued: &IssuedUserKey) -> (PublicParameters, UserKey) {
    from_key_file(issued.plain.as_ref().unwrap().expose()).unwrap()
}

/// Seals under a formula for a moment, in seconds, as anybody does who has the parameters and, maybe, the list.
pub(super) fn seal(parameters: &PublicParameters, formula: &str, now: u64, list: Option<&[u8]>) -> Ciphertext {
    let bucket = parameters.terms().bucket_at(now).unwrap();
    let mut policy = AccessPolicy::parse(formula, parameters).unwrap().valid_from(bucket);
    if let Some(list) = list {
        let list = RevocationList::from_bytes(list, parameters).unwrap();
        policy = policy.excluding(&list, parameters, now).unwrap();
    }
    wardkeep_abe::seal(parameters, &policy, b"test", Seed::new([42; 32])).unwrap().0
}

/// Whether a holder opens what was sealed.
pub(super) fn opens(issued: &IssuedUserKey, sealed: &Ciphertext) -> bool {
    let (parameters, key) = read(issued);
    wardkeep_abe::open(&parameters, &key, sealed, b"test").is_ok()
}

pub(super) fn bucket_of(issued: &IssuedUserKey) -> Option<Bucket> {
    read(issued).1.valid_until()
}

impl Fixture {
    pub(super) async fn authority(&self, key: &str) -> KeyInfo {
        self.create(key, KeySpec::FabeoBls12381, KeyUsage::Issue).await
    }

    /// Decides as the server does.
    pub(super) fn decide_issue(
        &self,
        caller: &Caller,
        key: &str,
        recipient: Option<&RecipientKey>,
    ) -> Result<(Permit<MayIssue>, Projected), Refusal> {
        let (key, print) = (id(key), recipient.map(RecipientKey::fingerprint));
        let facts = self.kms.facts(&key);
        let resource = facts.as_ref().map_or(Resource::MissingKey(&key), Resource::Key);
        let recipient = print.as_ref();
        self.engine.decide_issue(&Question { caller, resource, context: None, recipient, compromised: false })
    }

    /// A permit, and the request that fits it.
    pub(super) fn prepared(
        &self,
        caller: &Caller,
        key: &str,
        recipient: Option<RecipientKey>,
    ) -> (Permit<MayIssue>, IssueUserKey) {
        let decided = self.decide_issue(caller, key, recipient.as_ref());
        let (permit, projected) = decided.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        let Projected { schema, terms, attributes, .. } = projected;
        let plan = crate::AuthorityPlan::new(schema, terms.bucket, terms.serial_bits).unwrap();
        let request = IssueUserKey { key: id(key), version: None, plan, attributes, valid_for: None, recipient };
        (permit, request)
    }

    /// A key for oneself, in the clear.
    pub(super) async fn issue(&self, who: &str, key: &str) -> Result<IssuedUserKey, KmsError> {
        let turn = self.kms.begin_issue(&id(key)).await;
        let (permit, request) = self.prepared(&caller(who), key, None);
        self.kms.issue_user_key(turn, permit, request).await
    }

    /// With a permit that was decided some time ago.
    pub(super) async fn issue_with(
        &self,
        permit: Permit<MayIssue>,
        request: IssueUserKey,
    ) -> Result<IssuedUserKey, KmsError> {
        let turn = self.kms.begin_issue(&request.key).await;
        self.kms.issue_user_key(turn, permit, request).await
    }

    /// A key that `app` has issued for somebody, as the server does it: looked up, decided on, held to.
    pub(super) async fn issue_for(&self, subject: &str, key: &str) -> Result<IssuedUserKey, KmsError> {
        let turn = self.kms.begin_issue(&id(key)).await;
        let registered = self.kms.registered_recipient(&user(subject)).unwrap();
        let (permit, request) = self.prepared(&acting("app", subject), key, registered);
        self.kms.issue_user_key(turn, permit, request).await
    }

    /// A control verb's permit: `root` has the rights.
    pub(super) fn control<A: Action>(&self, part: &str) -> Permit<A> {
        let (caller, resource) = (caller("root"), Resource::System(part));
        let question = Question { caller: &caller, resource, context: None, recipient: None, compromised: false };
        self.engine.decide(&question).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    pub(super) async fn escrow(
        &self,
        key: &str,
        threshold: u8,
        shares: u8,
        recipients: Vec<RecipientKey>,
    ) -> Result<Escrowed, KmsError> {
        let permit = self.control(&escrow_part(&id(key)));
        let plain = recipients.is_empty();
        let asked = Escrow { key: id(key), version: None, threshold, shares, recipients, plain };
        self.kms.escrow(permit, asked, stands).await
    }

    pub(super) async fn register(&self, subject: &str, key: &RecipientKey) -> Result<RegisteredRecipient, KmsError> {
        let (permit, any) = (self.control(RECIPIENTS), Precondition::default());
        self.kms.register_recipient(permit, (user(subject), again(key)), any, stands).await
    }

    pub(super) async fn list(&self, key: &str, version: Option<u32>) -> Result<RevocationInfo, KmsError> {
        let (key, version) = (id(key), version.and_then(KeyVersion::new));
        self.kms.revocations(self.permit(&key), &key, version).await
    }

    pub(super) async fn revoke(&self, key: &str, which: Revoke) -> Result<RevokedUserKeys, KmsError> {
        let key = id(key);
        self.kms.revoke_user_keys(self.permit(&key), &key, which).await
    }

    /// One page of what was issued, as somebody who may see all of it.
    pub(super) async fn issued(&self, list: &ListUserKeys) -> Result<crate::Page<UserKeyInfo>, KmsError> {
        let event = self.permit::<wardkeep_model::action::DescribeUserKey>(&id("ring/abe")).into_event();
        let mut may_see = |facts: &KeyFacts| self.decide("ana", &facts.id, None, None, false).ok();
        self.kms.list_user_keys(list, &mut may_see, event).await
    }

    /// Changes an entity, as an administrator would.
    pub(super) fn change(&self, change: EntityChange) {
        let now = self.engine.snapshot();
        self.engine.install(now.with_entities(&[change], now.version() + 1).unwrap());
    }

    /// Seconds since 1970.
    pub(super) fn seconds(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// A detail of the newest record.
    pub(super) fn last_detail(&self, field: EventDetail) -> Option<String> {
        self.last_event().detail.get(field.as_str()).cloned()
    }
}

pub(super) fn serials(version: Option<u32>, serials: &[u32]) -> Revoke {
    Revoke::Serials { version: version.and_then(KeyVersion::new), serials: serials.to_vec() }
}

pub(super) fn everything() -> ListUserKeys {
    ListUserKeys { key: None, subject: None, after: None, limit: 1000 }
}
