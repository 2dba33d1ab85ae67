//! A server that publishes what a real authority signs, and issues its user keys; each answer can be tampered with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use wardkeep_abe::{
    Attributes, Authority as Issuer, AuthorityId, Bucket, Dates, Grant, RevocationList, Schema, Seed, Serial, Terms,
    to_key_file,
};
use wardkeep_api::authority::{Parameters, Revocations, SealedSecret};
use wardkeep_api::data_key::Recipient;
use wardkeep_api::user_key::{IssueUserKey, IssuedUserKey};
use wardkeep_api::{Base64, Secret};
use wardkeep_envelope::{FileKey, RandomFailed, RsaRecipient, Sealer};
use wardkeep_model::{Entropy as _, KeyId, Timestamp};

use super::{Authority, Folder, ManualClock, Reply, Seen, Server, Vault};
use crate::Client;
use crate::authorities::hex;
use crate::system::SystemEntropy;

/// Where the clocks of these tests begin, in seconds since 1970: noon of a day.
pub(crate) const NOW: u64 = 20_000 * 86_400 + 43_200;

/// How an issued key is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Issue {
    /// Sealed if a recipient was sent, else in the clear.
    AsAsked,
    /// In the clear, whatever was asked.
    Plain,
    /// With a wrong word beside the key.
    Lying(&'static str),
}

/// What the server says now.
pub(crate) struct State {
    pub(crate) issuer: Issuer,
    /// An older version of it, to be asked for by number.
    pub(crate) former: Option<Issuer>,
    pub(crate) dates: Dates,
    pub(crate) revoked: BTreeMap<Serial, Bucket>,
    /// The number that lists have from the next but one on.
    pub(crate) restore: Option<u64>,
    pub(crate) max_age: u64,
    pub(crate) issue: Issue,
    /// The last bucket of keys that are issued.
    pub(crate) until: Bucket,
    /// What user keys say.
    pub(crate) attributes: &'static str,
    /// Instead of an answer.
    pub(crate) instead: Option<fn(&Seen) -> Option<Reply>>,
    /// On top of the answer.
    pub(crate) tamper: Option<fn(&mut Parameters)>,
    pub(crate) tamper_list: Option<fn(&mut Revocations)>,
    serial: u32,
}

/// A running fake with a client's files and clocks.
pub(crate) struct Publisher {
    pub(crate) server: Server,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) clock: Arc<ManualClock>,
    folder: Folder,
}

pub(crate) fn seed() -> Seed {
    Seed::draw(|out| SystemEntropy.fill(out)).unwrap()
}

fn today() -> Bucket {
    Terms::default().bucket_at(NOW).unwrap()
}

impl State {
    fn new() -> Self {
        let issuer = Issuer::generate(AuthorityId([7; 16]), Schema::default(), Terms::default(), seed());
        let dates = Dates { number: 1, issued_at: NOW, next_update: NOW + 7 * 86_400 };
        Self {
            issuer,
            former: None,
            dates,
            revoked: BTreeMap::new(),
            restore: None,
            max_age: 60,
            issue: Issue::AsAsked,
            until: today(),
            attributes: "role = doctor",
            instead: None,
            tamper: None,
            tamper_list: None,
            serial: 0,
        }
    }

    /// Begins a new version.
    pub(crate) fn rotate(&mut self) {
        let new = self.issuer.rotate(Schema::default(), Terms::default(), seed()).unwrap();
        self.former = Some(std::mem::replace(&mut self.issuer, new));
    }

    /// A new list with this serial revoked too.
    pub(crate) fn revoke(&mut self, serial: u32) {
        self.revoked.insert(Serial::new(serial), self.until);
        self.dates.number += 1;
    }

    pub(crate) fn list(&self) -> RevocationList {
        self.issuer.revocation_list(self.dates, self.revoked.clone()).unwrap()
    }

    fn answer(&mut self, seen: &Seen) -> Option<Reply> {
        if let Some(reply) = self.instead.and_then(|instead| instead(seen)) {
            return Some(reply);
        }
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let version: Option<u32> = query.strip_prefix("version=").map(|text| text.parse().unwrap());
        match path {
            "/v1/keys/clinic/abe/parameters" => Some(self.parameters(seen, version)),
            "/v1/keys/clinic/abe/revocations" => {
                let reply = self.revocations(seen);
                self.dates.number = self.restore.take().unwrap_or(self.dates.number);
                Some(reply)
            }
            "/v1/user-keys" if seen.method == "POST" => Some(self.issued(&seen.json())),
            _ => None,
        }
    }

    fn parameters(&self, seen: &Seen, version: Option<u32>) -> Reply {
        let of = |issuer: &Issuer| version.is_none_or(|version| version == issuer.parameters().version());
        let found = std::iter::once(&self.issuer).chain(&self.former).find(|issuer| of(issuer));
        let Some(found) = found.map(Issuer::parameters) else { return Reply::problem(404, "not-found") };
        let mut answer = Parameters {
            key: "clinic/abe".to_owned(),
            version: found.version(),
            parameters: Base64(found.to_bytes().to_vec()),
            fingerprint: hex(found.fingerprint()),
            authority: hex(&found.authority().0),
            signing_key: Base64(found.signing_key().to_vec()),
            schema: found.schema().to_text(),
            bucket_seconds: found.terms().bucket_length().seconds(),
            serial_bits: found.terms().serial_bits(),
        };
        if let Some(tamper) = self.tamper {
            tamper(&mut answer);
        }
        self.tagged(seen, &format!("\"{}\"", answer.fingerprint), &answer)
    }

    fn revocations(&self, seen: &Seen) -> Reply {
        let mut answer = Revocations {
            key: "clinic/abe".to_owned(),
            version: self.issuer.parameters().version(),
            number: self.dates.number,
            issued: String::new(),
            next_update: String::new(),
            cover_rows: 1,
            list: Base64(self.list().to_bytes().to_vec()),
        };
        if let Some(tamper) = self.tamper_list {
            tamper(&mut answer);
        }
        self.tagged(seen, &format!("\"{}\"", answer.number), &answer)
    }

    fn tagged(&self, seen: &Seen, tag: &str, answer: &impl serde::Serialize) -> Reply {
        let life = format!("private, max-age={}", self.max_age);
        let headers = vec![("etag", tag.to_owned()), ("cache-control", life)];
        match seen.header("if-none-match") == Some(tag) {
            true => Reply::Headers(304, headers, String::new()),
            false => Reply::Headers(200, headers, serde_json::to_string(answer).unwrap()),
        }
    }

    fn issued(&mut self, asked: &IssueUserKey) -> Reply {
        self.serial += 1;
        let parameters = self.issuer.parameters();
        let attributes = Attributes::parse(self.attributes, parameters.schema()).unwrap();
        let serial = Some(Serial::new(self.serial));
        let grant = Grant { attributes: &attributes, valid_until: Some(self.until), serial };
        let key = self.issuer.issue(&grant, seed()).unwrap();
        let file = to_key_file(parameters, &key);
        let mut answer = IssuedUserKey {
            key: asked.key.clone(),
            version: parameters.version(),
            parameters: hex(parameters.fingerprint()),
            serial: self.serial,
            attributes: self.attributes.to_owned(),
            valid_until: "2024-10-04T23:59:59Z".to_owned(),
            user_key: None,
            sealed: None,
        };
        match (&asked.recipient, self.issue) {
            (Some(Recipient::Spki(spki)), Issue::AsAsked | Issue::Lying(_)) => {
                let context = format!("wardkeep user key {}#{} {}", answer.key, answer.version, answer.serial);
                answer.sealed = Some(sealed(spki.as_bytes(), &context, &file));
            }
            _ => answer.user_key = Some(Secret::from(file)),
        }
        match self.issue {
            Issue::Lying("authority") => answer.key = "clinic/other".to_owned(),
            Issue::Lying("version") => answer.version += 1,
            Issue::Lying("serial") => answer.serial += 1,
            Issue::Lying("public parameters") => answer.parameters = "00".repeat(32),
            Issue::Lying("key") => (answer.user_key, answer.sealed) = (None, None),
            Issue::Lying("context") => answer.sealed.as_mut().unwrap().context.push('1'),
            Issue::Lying("recipient") => answer.sealed.as_mut().unwrap().recipient = "00".repeat(32),
            _ => {}
        }
        Reply::ok(&answer)
    }
}

fn sealed(spki: &[u8], context: &str, file: &[u8]) -> SealedSecret {
    let mut random = |out: &mut [u8]| SystemEntropy.fill(out).map_err(|_| RandomFailed);
    let file_key = FileKey::random(&mut random).unwrap();
    let recipient = RsaRecipient::from_spki_der(spki).unwrap();
    let sealer = Sealer::new(&file_key, &[&recipient], context.as_bytes(), &mut random).unwrap();
    let print = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, spki);
    SealedSecret {
        envelope: Base64(sealer.seal(file).unwrap()),
        context: context.to_owned(),
        recipient: hex(print.as_ref()),
    }
}

impl Publisher {
    pub(crate) async fn start() -> Self {
        let ca = Authority::new("ca");
        let (state, vault) = (Arc::new(Mutex::new(State::new())), Vault::default());
        let answering = state.clone();
        let answer = move |seen: &Seen| answering.lock().unwrap().answer(seen).unwrap_or_else(|| vault.answer(seen));
        let server = Server::start(&ca, answer).await;
        let folder = Folder::new(&ca, &ca.client("spiffe://example/service/web"));
        let clock = Arc::new(ManualClock::default());
        clock.set(Timestamp::from_millis(NOW * 1000));
        Self { server, state, clock, folder }
    }

    pub(crate) fn client(&self) -> Client {
        let settings = self.folder.settings(self.server.port);
        Client::assemble(settings, self.clock.clone(), self.clock.clone(), Arc::new(SystemEntropy)).unwrap()
    }

    /// Changes what the server says from now on.
    pub(crate) fn say(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// How many calls came to that path, whatever its query.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.server.seen().iter().filter(|seen| seen.path.split('?').next() == Some(path)).count()
    }

    pub(crate) fn key() -> KeyId {
        KeyId::parse("clinic/abe").unwrap()
    }
}
