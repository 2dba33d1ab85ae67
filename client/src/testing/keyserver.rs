//! A key server of a few lines that speaks the real wire types: it keeps each data key beside the context it was
//! made for, and lets the subjects `mallory` read nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use wardkeep_api::data_key::{
    DataKey, GenerateDataKey, Recipient, RewrapDataKey, RewrappedDataKey, UnwrapDataKey, UnwrappedDataKey,
};
use wardkeep_api::page::{Batch, BatchAnswer, Outcome};
use wardkeep_api::{Base64, Context, Problem, Secret};

use super::{Authority, Folder, Reply, Seen, Server};
use crate::{Client, Settings};

/// A data key: the key that wrapped it, the plain key, the context.
type Kept = (String, [u8; 32], Context);

/// What the fake knows, by wrapped key.
#[derive(Default)]
pub(crate) struct Vault {
    keys: Mutex<HashMap<Vec<u8>, Kept>>,
}

/// A running fake with a client's files.
pub(crate) struct KeyServer {
    pub(crate) server: Server,
    pub(crate) vault: Arc<Vault>,
    folder: Folder,
}

impl KeyServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// One that does something with each request once its answer stands, before it leaves.
    pub(crate) async fn start_with(before: impl Fn(&Seen) + Send + Sync + 'static) -> Self {
        let ca = Authority::new("ca");
        let vault = Arc::new(Vault::default());
        let answering = vault.clone();
        let answer = move |seen: &Seen| {
            let answer = answering.answer(seen);
            before(seen);
            answer
        };
        let server = Server::start(&ca, answer).await;
        let folder = Folder::new(&ca, &ca.client("spiffe://example/service/web"));
        Self { server, vault, folder }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.folder.settings(self.server.port)
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.settings()).await.unwrap()
    }

    /// How many calls came to that path.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.server.seen().iter().filter(|seen| seen.path == path).count()
    }
}

impl Vault {
    /// Makes a wrapped key known, as another client would have had it made.
    pub(crate) fn put(&self, wrapped: &[u8], key: &str, plain: [u8; 32], context: Context) {
        self.keys.lock().unwrap().insert(wrapped.to_vec(), (key.to_owned(), plain, context));
    }

    /// All data keys in the clear, to look for them where they must not be.
    pub(crate) fn plain_keys(&self) -> Vec<[u8; 32]> {
        self.keys.lock().unwrap().values().map(|(_, plain, _)| *plain).collect()
    }

    pub(crate) fn answer(&self, seen: &Seen) -> Reply {
        if seen.header("wardkeep-subject") == Some("User::\"mallory\"") {
            return Reply::problem(403, "denied");
        }
        match seen.path.as_str() {
            "/v1/data-keys" => Reply::ok(&self.generate(seen.json())),
            "/v1/data-keys/unwrap" => match self.unwrap(&seen.json()) {
                Ok(answer) => Reply::ok(&answer),
                Err(problem) => Reply::problem(problem.status, problem.code()),
            },
            "/v1/data-keys/rewrap" => self.rewrap(&seen.json()),
            "/v1/data-keys/unwrap/batch" => {
                let outcome = |question| match self.unwrap(question) {
                    Ok(answer) => Outcome::Result(answer),
                    Err(problem) => Outcome::Problem(*problem),
                };
                let batch: Batch<UnwrapDataKey> = seen.json();
                Reply::ok(&BatchAnswer { items: batch.items.iter().map(outcome).collect() })
            }
            // A batch that loses an item on the way.
            "/v1/data-keys/batch" => Reply::ok(&BatchAnswer::<DataKey> { items: Vec::new() }),
            _ => Reply::problem(404, "not-found"),
        }
    }

    fn generate(&self, question: GenerateDataKey) -> DataKey {
        let mut keys = self.keys.lock().unwrap();
        let number = u8::try_from(keys.len() + 1).unwrap();
        let (plain, wrapped) = ([number ^ 0xA5; 32], vec![number; 60]);
        keys.insert(wrapped.clone(), (question.key.clone(), plain, question.context));
        let for_recipient = question.recipient.map(|recipient| seal_for(&recipient, &plain));
        let plaintext = (question.plaintext && for_recipient.is_none()).then(|| Secret::new(plain.to_vec()));
        DataKey { key: question.key, version: 1, wrapped: wrapped.into(), plaintext, for_recipient }
    }

    fn unwrap(&self, question: &UnwrapDataKey) -> Result<UnwrappedDataKey, Box<Problem>> {
        let keys = self.keys.lock().unwrap();
        let found = keys.get(question.wrapped.as_bytes()).filter(|(_, _, context)| *context == question.context);
        let (key, plain, _) =
            found.ok_or_else(|| Box::new(Problem::new("cannot-open", "the wrapped key does not open", 400)))?;
        let for_recipient = question.recipient.as_ref().map(|recipient| seal_for(recipient, plain));
        let plaintext = for_recipient.is_none().then(|| Secret::new(plain.to_vec()));
        Ok(UnwrappedDataKey { key: key.clone(), version: 1, plaintext, for_recipient })
    }

    fn rewrap(&self, question: &RewrapDataKey) -> Reply {
        let mut keys = self.keys.lock().unwrap();
        let Some((key, plain, context)) = keys.remove(question.wrapped.as_bytes()) else {
            return Reply::problem(400, "cannot-open");
        };
        let wrapped = [question.wrapped.as_bytes(), b"anew"].concat();
        keys.insert(wrapped.clone(), (key.clone(), plain, context));
        Reply::ok(&RewrappedDataKey { key, version: 2, from_version: 1, wrapped: wrapped.into() })
    }
}

fn seal_for(recipient: &Recipient, plain: &[u8]) -> Base64 {
    let Recipient::Spki(spki) = recipient else { panic!("the fake takes SPKI only") };
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(spki.as_bytes()).unwrap()).unwrap();
    let mut out = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA256_MGF1SHA256, plain, &mut out, None).unwrap();
    out.into()
}
