//! A whole installation in one folder, for `dev` and `demo`: data, root key, a running server on loopback, and
//! certificates got by real enrolment.
//!
//! ```text
//! FOLDER/data        sealed store       FOLDER/root.key    mode 0600
//! FOLDER/head/head   newest head (demo) FOLDER/people/NAME/{ca,cert,key}.pem
//! FOLDER/unfinished  while it is made
//! ```
//!
//! A founding that was cut short, at whatever moment, begins anew: nobody had a certificate yet, so that nothing in
//! it was ever used.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use wardkeep_client::wire::SecretText;
use wardkeep_client::{Address, Client, EnrolFiles, Identity, Settings, enrol};
use wardkeep_policy::BundleSource;
use wardkeep_server::admin::provision::{self, Founding};
use wardkeep_server::config::Config;
use wardkeep_server::start::Surroundings;
use wardkeep_server::{Running, Server};

use crate::command::CommandError;
use crate::error::FileError;
use crate::installation::{self, InstallationError, Machine};
use crate::whole_file::{self, Readers};

/// How an installation begins.
pub(crate) struct Founder {
    /// The trust domain of its identities.
    trust_domain: &'static str,
    /// The bundle in force at first.
    bundle: BundleSource,
    /// The port of the API listener; 0 takes a free one.
    port: u16,
    /// Whether a head is kept beside the data, so that a rollback shows.
    head: bool,
    /// Threads for RSA, where the default does not fit.
    rsa_queue: u32,
}

/// A running installation.
pub(crate) struct Ground {
    folder: PathBuf,
    trust_domain: &'static str,
    running: Running,
    enrol: SocketAddr,
    /// The administrator, already enrolled; holds all control roles.
    pub(crate) administrator: Identity,
}

impl Founder {
    /// For `wardkeep dev`: its administrator may also make and use keys.
    pub(crate) fn dev(port: u16) -> Self {
        Self { trust_domain: "dev.wardkeep.internal", bundle: BundleSource::dev(), port, head: false, rsa_queue: 256 }
    }

    /// For `wardkeep demo`: the clinic's rules.
    pub(crate) fn clinic() -> Self {
        let bundle = BundleSource::clinic();
        Self { trust_domain: "clinic.wardkeep.internal", bundle, port: 0, head: true, rsa_queue: 4096 }
    }

    fn config(&self, folder: &Path) -> Config {
        let mut config = Config::default();
        config.storage.data = folder.join("data");
        config.storage.head = self.head.then(|| folder.join("head").join("head"));
        config.storage.audit_reserve_bytes = 1024 * 1024;
        config.root_key.file = Some(folder.join("root.key"));
        config.listen.api = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        config.listen.enrol = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        config.listen.ops = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        config.identity.trust_domain = self.trust_domain.to_owned();
        config.pools.dear_queue = self.rsa_queue;
        config
    }
}

impl Ground {
    /// Starts a server in `folder`: on what stands there, or on something new.
    pub(crate) async fn found(folder: &Path, founder: Founder) -> Result<Self, CommandError> {
        let machine = Machine::default();
        let config = founder.config(folder);
        let administrator = identity(founder.trust_domain, "user", "admin")?;
        let unfinished = Unfinished::look(folder)?;
        let (store, token) = if config.storage.data.exists() {
            let certificate = files_in(folder, &administrator).certificate;
            if !certificate.exists() {
                let name = administrator.name().to_owned();
                return Err(CommandError::NoAdministrator { folder: folder.to_owned(), name });
            }
            (installation::open(&config, &machine, false)?, None)
        } else {
            unfinished.begin()?;
            installation::root_key_file(&folder.join("root.key"), &machine)?;
            let store = installation::create(&config, &machine)?;
            let ground = installation::ground(&config, store.clone(), &machine);
            let founding =
                Founding { administrator: administrator.clone(), bundle: founder.bundle, token_life_millis: None };
            let made = provision::init(&ground, founding).await.map_err(InstallationError::from)?;
            (store, made.token)
        };
        let running = Server::start(config, store, Surroundings::default()).await.map_err(InstallationError::from)?;
        let enrol = running.enrol.unwrap_or(running.api);
        let folder = folder.to_owned();
        let ground = Self { folder, trust_domain: founder.trust_domain, running, enrol, administrator };
        if let Some(token) = token {
            let token = SecretText::new(token.text.to_string());
            ground.enrol(&ground.administrator, &token).await?;
            unfinished.end()?;
        }
        Ok(ground)
    }

    /// An identity of this installation.
    pub(crate) fn identity(&self, kind: &str, name: &str) -> Result<Identity, CommandError> {
        identity(self.trust_domain, kind, name)
    }

    /// Gets a certificate for a token.
    pub(crate) async fn enrol(&self, identity: &Identity, token: &SecretText) -> Result<(), CommandError> {
        let files = self.files(identity);
        if let Some(folder) = files.key.parent() {
            std::fs::create_dir_all(folder).map_err(FileError::at("create", folder))?;
        }
        enrol(&Address::parse(&self.enrol_address())?, token, &files).await?;
        Ok(())
    }

    /// Has the administrator issue a token, and enrols with it.
    pub(crate) async fn admit(&self, administrator: &Client, identity: &Identity) -> Result<(), CommandError> {
        let issued = administrator.tokens().issue(identity, None).await?;
        self.enrol(identity, &issued.token).await
    }

    /// Where an identity's files are.
    pub(crate) fn files(&self, identity: &Identity) -> EnrolFiles {
        files_in(&self.folder, identity)
    }

    /// Settings of an identity's client, which renews its certificate.
    pub(crate) fn settings(&self, identity: &Identity) -> Result<Settings, CommandError> {
        let files = self.files(identity);
        Ok(Settings::new(&self.address(), files.ca, files.certificate, files.key)?)
    }

    /// `https://HOST:PORT` of the API listener.
    pub(crate) fn address(&self) -> String {
        format!("https://{}", self.running.api)
    }

    /// The same of the enrolment listener.
    pub(crate) fn enrol_address(&self) -> String {
        format!("https://{}", self.enrol)
    }

    /// Stops the server in good order.
    pub(crate) async fn shutdown(self) {
        self.running.shutdown().await;
    }
}

/// The mark of a founding that is under way; what stands beside it was made by that founding alone.
struct Unfinished {
    folder: PathBuf,
    mark: PathBuf,
}

impl Unfinished {
    /// Clears away what a founding before left that was cut short.
    fn look(folder: &Path) -> Result<Self, CommandError> {
        let found = Self { folder: folder.to_owned(), mark: folder.join("unfinished") };
        if found.mark.exists() {
            tracing::warn!(folder = %folder.display(), "the folder was left half made: it is made anew");
            found.clear()?;
        }
        Ok(found)
    }

    fn begin(&self) -> Result<(), FileError> {
        whole_file::write(&self.mark, b"This folder is being made. It holds nothing yet.\n", Readers::Owner, true)
    }

    fn end(&self) -> Result<(), FileError> {
        std::fs::remove_file(&self.mark).map_err(FileError::at("remove", &self.mark))
    }

    /// The root key stays: it is as good as a new one. The mark goes last, so that this too can be cut short.
    fn clear(&self) -> Result<(), InstallationError> {
        let data = self.folder.join("data");
        let _alone = data.exists().then(|| installation::alone_in(&data)).transpose()?;
        for name in ["people", "head", "data"] {
            let place = self.folder.join(name);
            match std::fs::remove_dir_all(&place) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::at("remove", place)(error).into());
                }
                _ => {}
            }
        }
        Ok(self.end()?)
    }
}

fn files_in(folder: &Path, identity: &Identity) -> EnrolFiles {
    let folder = folder.join("people").join(identity.name());
    EnrolFiles { ca: folder.join("ca.pem"), certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
}

fn identity(trust_domain: &str, kind: &str, name: &str) -> Result<Identity, CommandError> {
    Ok(Identity::parse(&format!("spiffe://{trust_domain}/{kind}/{name}"))?)
}
