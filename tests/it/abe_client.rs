//! The client library against a real server: keys from the entity store, sealing by what the authority publishes, opening
//! with no server at all.
//!
//! Broke elsewhere: revocation that only the client library looked at; a key for somebody else that whoever asked could
//! open; an escrow of which one share was enough.

use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use wardkeep_abe::{Attributes, Authority, Grant, Seed, Serial, to_key_file};
use wardkeep_client::abe::{self, Bucket, Key};
use wardkeep_client::error::Side;
use wardkeep_client::settings::Renewal;
use wardkeep_client::user_keys::Wish;
use wardkeep_client::wire::authority::EscrowAuthority;
use wardkeep_client::{
    AbeError, AuthorityError, CallError, Client, EncryptionContext, EntityUid, KeyId, Paging, RsaHolder, Settings,
    UserKeyError,
};
use wardkeep_kms::escrow;
use wardkeep_tests::{House, Person, bundle};

const POLICY: &str = "group = writers and user = ann";

/// The authority `mine/abe`; `desk` has keys issued for people, `chat` acts for them only.
struct Scene {
    house: House,
    ann: Person,
    files: tempfile::TempDir,
}

fn authority() -> KeyId {
    KeyId::parse("mine/abe").unwrap()
}

fn user(name: &str) -> EntityUid {
    EntityUid::new("User", name).unwrap()
}

fn visit() -> EncryptionContext {
    EncryptionContext::new([("visit".to_owned(), "7".to_owned())].into(), None).unwrap()
}

fn private_key() -> RsaHolder {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa3072).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = key.as_der().unwrap();
    let text = wardkeep_tests::house::base64(der.as_ref());
    RsaHolder::from_pem(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n").as_bytes()).unwrap()
}

impl Scene {
    async fn set() -> Self {
        let rules = bundle::with_policy(
            bundle::tested(),
            r#"
            @id("services-act") permit (
                principal is Service, action == Wardkeep::Action::"actFor", resource is User)
            when { [Service::"desk", Service::"chat"].contains(principal) };
            @id("desk-issues") permit (
                principal == Service::"desk", action == Wardkeep::Action::"IssueUserKeyFor",
                resource in Wardkeep::Ring::"mine");
            "#,
        );
        let house = House::with(rules, |_| {}).await;
        house.ring("mine").await;
        let ann = house.user("ann", &["writers"]).await;
        let scene = Self { house, ann, files: tempfile::tempdir().unwrap() };
        let made = scene.client(&scene.house.admin).await.authorities().create(&authority()).await.unwrap();
        assert_eq!(made.versions.len(), 1);
        scene
    }

    /// The library, as somebody.
    async fn client(&self, who: &Person) -> Client {
        let credential = who.credential.as_ref().unwrap();
        let dir = tempfile::Builder::new().tempdir_in(self.files.path()).unwrap().keep();
        // The chain ends with the house's own CA.
        let begin = credential.chain_pem.rfind("-----BEGIN CERTIFICATE-----").unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let ca = file("ca.pem", &credential.chain_pem[begin..]);
        let (cert, key) = (file("cert.pem", &credential.chain_pem), file("key.pem", &credential.key_pem));
        let address = format!("https://localhost:{}", self.house.api().port());
        let mut settings = Settings::new(&address, ca, cert, key).unwrap();
        settings.renewal = Renewal::Elsewhere;
        settings.timeouts.request = Duration::from_secs(60);
        Client::connect(settings).await.unwrap()
    }

    async fn anns(&self) -> Client {
        self.client(&self.ann).await
    }
}

async fn issue(client: &Client) -> Key {
    client.user_keys().issue(&authority(), &Wish::default()).await.ok().unwrap().1
}

fn opens(key: &Key, sealed: &[u8]) -> bool {
    match abe::open(key, sealed, &visit()) {
        Ok(_) => true,
        Err(error) if error.side() == Side::Denied => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_opens_when_the_server_has_gone() {
    let mut scene = Scene::set().await;
    let client = scene.anns().await;
    let sealer = client.abe("mine/abe").await.unwrap();
    let sealed = sealer.seal(POLICY, &visit(), b"all is well").await.unwrap();
    let not_hers = sealer.seal("user = bob", &visit(), b"all is well").await.unwrap();
    let key = issue(&client).await;
    let sealed_key =
        client.user_keys().issue_sealed(&authority(), &Wish::default(), &private_key()).await.ok().unwrap();
    assert_eq!(sealed_key.0.attributes, "group = [writers], user = ann");
    scene.house.stop().await;
    for key in [&key, &sealed_key.1, &Key::from_bytes(&key.to_bytes()).unwrap()] {
        assert_eq!(abe::open(key, &sealed, &visit()).unwrap().as_slice(), b"all is well");
        assert!(!opens(key, &not_hers));
    }
    // A sealer goes on as long as its list is good; somebody who starts now cannot.
    let hasty = client.with_deadline(Duration::from_millis(500));
    let more = sealer.seal(POLICY, &visit(), b"more").await.unwrap();
    assert!(opens(&key, &more) && hasty.abe("mine/abe").await.is_ok(), "kept");
    // What was kept was decided for her own name, and for no subject of hers.
    assert!(hasty.on_behalf_of(user("ann")).abe("mine/abe").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_attributes_count_from_the_next_key_on() {
    let scene = Scene::set().await;
    let client = scene.anns().await;
    let before = issue(&client).await;
    let sealed = client.abe("mine/abe").await.unwrap().seal("group = leads", &visit(), b"x").await.unwrap();
    let groups = [("Group", "writers"), ("Group", "leads")];
    let _changed = scene.house.entity("User", "ann", &groups).await.ok();
    let after = issue(&client).await;
    assert!(!opens(&before, &sealed) && opens(&after, &sealed));
    // Taken away, the next key does not say it; the last one does until it ends or is revoked.
    let _changed = scene.house.entity("User", "ann", &[("Group", "writers")]).await.ok();
    assert!(!opens(&issue(&client).await, &sealed) && opens(&after, &sealed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_or_expired_key_opens_nothing_sealed_later() {
    let scene = Scene::set().await;
    let client = scene.anns().await;
    let (one, other) = (issue(&client).await, issue(&client).await);
    let before = client.abe("mine/abe").await.unwrap().seal(POLICY, &visit(), b"x").await.unwrap();
    let serial = one.serial().unwrap();
    let done = client.user_keys().revoke(&authority(), None, &[serial]).await.unwrap();
    assert_eq!((done.revoked, done.lists.len()), (1, 1));
    let again = client.user_keys().revoke(&authority(), Some(1), &[serial]).await.unwrap();
    assert_eq!(again.revoked, 0, "it is revoked already");
    // Another sealer, who asks for the list now.
    let fresh = scene.anns().await;
    let sealer = fresh.abe("mine/abe").await.unwrap();
    let after = sealer.seal(POLICY, &visit(), b"x").await.unwrap();
    assert!(opens(&one, &before) && !opens(&one, &after) && opens(&other, &after));
    let lenient = sealer.clone().without_revocations().seal(POLICY, &visit(), b"x").await.unwrap();
    assert!(opens(&one, &lenient));

    // The hour after its last.
    let terms = *other.parameters().terms();
    let last = terms.bucket_at(other.ends_at().unwrap() - 1).unwrap();
    let sealed = async |bucket: u32| {
        let sealer = sealer.clone().valid_from(Bucket::new(bucket));
        sealer.seal(POLICY, &visit(), b"x").await.unwrap()
    };
    assert!(opens(&other, &sealed(last.number()).await) && !opens(&other, &sealed(last.number() + 1).await));
    let listed = client.user_keys().list(Some(&authority()), Some(&user("ann")), &Paging::default()).await.unwrap();
    let revoked: Vec<bool> = listed.items.iter().map(|item| item.revoked.is_some()).collect();
    assert_eq!(revoked, [true, false]);
    let all = client.user_keys().revoke_all_of(&authority(), &user("ann")).await.unwrap();
    assert_eq!(all.revoked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_somebody_else_takes_the_further_right_and_opens_for_them_alone() {
    let scene = Scene::set().await;
    let (desk, chat) = (scene.house.service("desk", &[]).await, scene.house.service("chat", &[]).await);
    let (desk, chat) = (scene.client(&desk).await, scene.client(&chat).await);
    let wish = Wish::default();
    let for_ann = |client: &Client| client.on_behalf_of(user("ann"));
    let refused = for_ann(&desk).user_keys().issue_for_another(&authority(), &wish).await.unwrap_err();
    assert!(matches!(refused, UserKeyError::Call(CallError::Conflict(_))), "no public key yet: {refused}");

    let admin = scene.client(&scene.house.admin).await;
    let anns = private_key();
    let registered = admin.recipients().put(&user("ann"), anns.recipient(), None).await.unwrap();
    assert_eq!(registered.fingerprint, anns.fingerprint());
    assert_eq!(admin.recipients().get(&user("ann")).await.unwrap(), registered);
    let sealed = for_ann(&desk).user_keys().issue_for_another(&authority(), &wish).await.unwrap();
    assert_eq!(
        (sealed.recipient.as_str(), sealed.issued.attributes.as_str()),
        (anns.fingerprint().as_str(), "group = [writers], user = ann")
    );
    let key = sealed.open(&anns).ok().unwrap();
    assert!(sealed.open(&private_key()).is_err(), "nobody else's");
    let record = scene.anns().await.abe("mine/abe").await.unwrap().seal(POLICY, &visit(), b"x").await.unwrap();
    assert!(opens(&key, &record));

    // Without the right; with a key of the actor's own in the place of hers; in the clear.
    let refused = for_ann(&chat).user_keys().issue_for_another(&authority(), &wish).await.unwrap_err();
    assert_eq!(refused.side(), Side::Denied, "{refused}");
    let refused = for_ann(&desk).user_keys().issue_sealed(&authority(), &wish, &private_key()).await.err().unwrap();
    assert!(matches!(refused, UserKeyError::Call(CallError::Invalid(_))), "{refused}");
    let refused = for_ann(&desk).user_keys().issue(&authority(), &wish).await.err().unwrap();
    assert!(matches!(refused, UserKeyError::Sealed { .. }), "{refused}");
    // Registering is administration, in one's own name, and not everybody's.
    for client in [&for_ann(&desk), &desk] {
        assert!(client.recipients().put(&user("ann"), private_key().recipient(), None).await.is_err());
    }
    let stale = admin.recipients().delete(&user("ann"), Some(registered.revision + 1)).await.unwrap_err();
    assert!(matches!(stale, CallError::Precondition(_)), "{stale}");
    admin.recipients().delete(&user("ann"), Some(registered.revision)).await.unwrap();
    assert!(matches!(admin.recipients().get(&user("ann")).await, Err(CallError::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_a_decision_of_the_moment() {
    let scene = Scene::set().await;
    scene.house.key("mine/wrap", "aes-256-gcm", "wrap").await;
    let client = scene.anns().await;
    let key = issue(&client).await;
    let sealer = client.abe("mine/abe").await.unwrap().require_online(KeyId::parse("mine/wrap").unwrap());
    let sealed = sealer.seal(POLICY, &visit(), b"all is well").await.unwrap();
    assert!(matches!(abe::open(&key, &sealed, &visit()), Err(AbeError::NeedsServer)));
    assert_eq!(client.open_online(&key, &sealed, &visit()).await.unwrap().as_slice(), b"all is well");
    // She leaves the group: her key still says it, and the server no longer does.
    let _changed = scene.house.entity("User", "ann", &[]).await.ok();
    let refused = client.open_online(&key, &sealed, &visit()).await.unwrap_err();
    assert!(refused.side() == Side::Denied && refused.missing().is_empty(), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_signing_key_lets_nothing_through() {
    let scene = Scene::set().await;
    let client = scene.anns().await;
    client.authorities().pin(&authority(), &[1; 32]).unwrap();
    for refused in [
        client.authorities().parameters(&authority(), None).await.unwrap_err(),
        client.authorities().revocations(&authority(), Some(1)).await.unwrap_err(),
    ] {
        assert!(matches!(refused, AuthorityError::OtherSigner { .. }), "{refused}");
    }
    assert!(client.abe("mine/abe").await.is_err());
    let refused = client.user_keys().issue(&authority(), &Wish::default()).await.err().unwrap();
    assert!(matches!(refused, UserKeyError::Authority(AuthorityError::OtherSigner { .. })), "{refused}");
    // Versions share the signing key, so that a rotation changes no pin.
    let other = scene.anns().await;
    let first = other.authorities().parameters(&authority(), None).await.unwrap();
    scene.client(&scene.house.admin).await.authorities().rotate(&authority(), None).await.unwrap();
    let second = scene.anns().await;
    second.authorities().pin(&authority(), first.signing_key()).unwrap();
    assert_eq!(second.authorities().parameters(&authority(), None).await.unwrap().version(), 2);
    assert_eq!(
        second.authorities().parameters(&authority(), Some(1)).await.unwrap().fingerprint(),
        first.fingerprint()
    );
    let listed = second.authorities().list(None, &Paging::default()).await.unwrap();
    assert_eq!(listed.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_below_the_threshold_are_nothing_and_at_it_an_authority() {
    let scene = Scene::set().await;
    let admin = scene.client(&scene.house.admin).await;
    let client = scene.anns().await;
    let custodians = [private_key(), private_key(), private_key()];
    let recipients = custodians.iter().map(RsaHolder::recipient).collect();
    let asked = EscrowAuthority { threshold: 2, shares: 3, version: None, recipients, plain: false };
    let refused = client.authorities().escrow(&authority(), &asked).await.err().unwrap();
    assert!(refused.is_denied(), "who uses keys does not export them: {refused}");
    let made = admin.authorities().escrow(&authority(), &asked).await.ok().unwrap();
    assert!(made.packages.iter().all(|package| package.package.is_none()));
    let packages: Vec<Vec<u8>> = made
        .packages
        .iter()
        .zip(&custodians)
        .map(|(package, custodian)| {
            let sealed = package.sealed.as_ref().unwrap();
            let opener = wardkeep_envelope::Opener::from_bytes(sealed.envelope.as_bytes()).unwrap();
            opener.open(&[custodian], sealed.context.as_bytes()).unwrap()
        })
        .collect();
    assert!(matches!(escrow::combine(&packages[..1]), Err(escrow::EscrowError::TooFew { given: 1, threshold: 2 })));
    let found = escrow::combine(&packages[1..]).unwrap();
    assert_eq!((found.key, found.version.get()), (authority(), 1));
    // What came back issues keys that open what is sealed for the house's authority.
    let restored = Authority::from_bytes(found.authority.expose()).unwrap();
    let parameters = restored.parameters();
    let published = client.authorities().parameters(&authority(), None).await.unwrap();
    assert_eq!(parameters.fingerprint(), published.fingerprint());
    let attributes = Attributes::parse("group = [writers], user = ann", parameters.schema()).unwrap();
    let valid_until = parameters.terms().bucket_at(scene.house.app().clock.now().seconds() + 86_400);
    let grant = Grant { attributes: &attributes, valid_until, serial: Some(Serial::new(500)) };
    let key = restored.issue(&grant, Seed::new([3; 32])).unwrap();
    let key = Key::from_bytes(&to_key_file(parameters, &key)).unwrap();
    let sealed = client.abe("mine/abe").await.unwrap().seal(POLICY, &visit(), b"x").await.unwrap();
    assert!(opens(&key, &sealed));
}
