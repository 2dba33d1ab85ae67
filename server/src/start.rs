//! Wiring: from a configuration and a store to three listeners that answer.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wardkeep_kms::{Kms, LoadError, Settings};
use wardkeep_model::{Clock, Entropy, EntropyError};
use wardkeep_policy::Engine;
use wardkeep_store::Store;

use crate::accept::{self, Guard, Listener, Transport};
use crate::admin::{Admin, AdminError, load};
use crate::ca::{Authority, AuthorityError, AuthoritySettings};
use crate::config::Config;
use crate::http;
use crate::http::limits::Limits;
use crate::http::meters::Meters;
use crate::http::openapi::OpenApiDocument;
use crate::jobs;
use crate::peer::PeerRules;
use crate::reload::Reloader;
use crate::revocation::Revoked;
use crate::state::{App, BodyBounds, Ready, RequestIds};
use crate::system::{self, SystemClock, SystemEntropy};
use crate::telemetry::{self, Metrics, TelemetryError};
use crate::tls::keeper::{Keeper, KeeperError};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Policies, entities, roles.
    #[error(transparent)]
    Policies(#[from] AdminError),
    /// Rings and keys.
    #[error(transparent)]
    Keys(#[from] LoadError),
    /// The certificate authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The listeners' certificates.
    #[error(transparent)]
    Certificates(#[from] KeeperError),
    /// Metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// An address cannot be listened on.
    #[error("the {listener} listener cannot use `{address}`: {source}")]
    Bind {
        /// Which listener.
        listener: &'static str,
        /// Its configured address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The OpenAPI document could not be written.
    #[error("the OpenAPI document could not be made")]
    Document,
    /// The random generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// What surrounds a server.
#[derive(Clone)]
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The file that the configuration came from, for reloads.
    pub config_path: Option<PathBuf>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), config_path: None }
    }
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that answers.
pub struct Running {
    /// Where the mutual-TLS listener listens.
    pub api: SocketAddr,
    /// Where the enrolment listener does, if it is on.
    pub enrol: Option<SocketAddr>,
    /// Where probes and metrics are.
    pub ops: SocketAddr,
    /// What its requests share.
    pub app: Arc<App>,
    reloader: Arc<Reloader>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("api", &self.api).field("ops", &self.ops).finish_non_exhaustive()
    }
}

impl Running {
    /// A token whose cancelling stops the server in good order.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Reloads as SIGHUP does.
    #[must_use]
    pub fn reloader(&self) -> &Arc<Reloader> {
        &self.reloader
    }

    /// Waits until the server was stopped and every request and job has ended.
    pub async fn wait(self) {
        self.stop.cancelled().await;
        // Whoever asks the probe learns of it while open requests still finish.
        self.app.ready.set(false);
        self.tasks.close();
        self.tasks.wait().await;
        let store = self.app.store.clone();
        let ending = move || {
            store.close();
            telemetry::settle_log()
        };
        let _closed = tokio::task::spawn_blocking(ending).await;
    }

    /// Stops the server and waits for its end.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.wait().await;
    }
}

impl Server {
    /// Loads everything, binds the listeners and answers.
    ///
    /// # Errors
    /// [`StartError`]; a store that was never initialised says so.
    pub async fn start(
        config: Config,
        store: Arc<dyn Store>,
        surroundings: Surroundings,
    ) -> Result<Running, StartError> {
        if let Err(error) = system::forbid_core_dumps() {
            tracing::warn!(reason = %error, "core dumps could not be forbidden: one would hold keys");
        }
        let config = Arc::new(config);
        let parts = Parts::load(config.clone(), store, &surroundings)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let Parts { app, guard, keeper, reloader } = parts;

        let listen = &config.listen;
        let api = bind("api", listen.api, Transport::Mutual(keeper.api())).await?;
        let enrol = match listen.enrol {
            Some(address) => Some(bind("enrol", address, Transport::ServerOnly(keeper.enrol())).await?),
            None => None,
        };
        let ops = bind("ops", listen.ops, Transport::Plain).await?;
        let running = Running {
            api: local(&api, listen.api)?,
            enrol: enrol.as_ref().map(|listener| local(listener, listen.api)).transpose()?,
            ops: local(&ops, listen.ops)?,
            app: app.clone(),
            reloader: reloader.clone(),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(accept::serve(api, http::api_router(app.clone()), guard.clone(), stop.clone()));
        if let Some(enrol) = enrol {
            tasks.spawn(accept::serve(enrol, http::enrol_router(app.clone()), guard.clone(), stop.clone()));
        }
        tasks.spawn(accept::serve(ops, http::ops_router(app.clone()), guard, stop.clone()));
        spawn_jobs(&app, keeper, reloader, &stop, &tasks);
        telemetry::queue_log();
        app.ready.set(true);
        let enrol = running.enrol.map(tracing::field::display);
        tracing::info!(api = %running.api, enrol, ops = %running.ops, "ready");
        Ok(running)
    }
}

/// Everything that is loaded before the first socket opens.
struct Parts {
    app: Arc<App>,
    guard: Arc<Guard>,
    keeper: Arc<Keeper>,
    reloader: Arc<Reloader>,
}

impl Parts {
    fn load(config: Arc<Config>, store: Arc<dyn Store>, around: &Surroundings) -> Result<Self, StartError> {
        let (clock, entropy) = (around.clock.clone(), around.entropy.clone());
        let metrics = Arc::new(Metrics::new()?);
        let snapshot = load::snapshot(&*store, config.identity.kinds.clone())?;
        let engine = Arc::new(Engine::new(snapshot, clock.clone()));
        let kms = Kms::load(store.clone(), clock.clone(), entropy.clone(), kms_settings(&config))?;
        let revoked = Arc::new(Revoked::new());
        let trust_domain = config.identity.trust_domain.clone();
        let told = AuthoritySettings { trust_domain: trust_domain.clone(), ca: config.ca.clone() };
        let authority = Authority::open(store.clone(), clock.clone(), entropy.clone(), told, revoked.clone())?;
        let authority = Arc::new(authority);
        let keeper =
            Keeper::new(&config, authority.clone(), clock.clone(), revoked.clone(), metrics.clone()).map(Arc::new)?;
        let rules =
            PeerRules { trust_domain: trust_domain.clone(), longest_life_millis: config.ca.longest_life_millis() };
        let guard = Arc::new(Guard {
            limits: ArcSwap::from_pointee(config.limits.clone()),
            rules: ArcSwap::from_pointee(rules),
            revoked,
            clock: clock.clone(),
            metrics: metrics.clone(),
        });
        let path = around.config_path.clone();
        let reloader = Reloader::new(config.clone(), path, keeper.clone(), guard.clone(), metrics.clone());
        let admin =
            Admin::new(engine.clone(), store.clone(), clock.clone(), authority.clone(), trust_domain, kms.clone());
        let mut document = http::document();
        let app = Arc::new(App {
            engine,
            kms,
            store,
            request_ids: RequestIds::new(&*entropy)?,
            admin: Arc::new(admin),
            authority,
            clock,
            entropy,
            limits: Limits::new(&config.rate_limit, &config.pools),
            bounds: BodyBounds::new(&config.limits),
            meters: Meters::new(&metrics, http::openapi::routes(&mut document)),
            metrics,
            openapi: OpenApiDocument::new(&document).map_err(|_| StartError::Document)?,
            config: reloader.config(),
            ready: Ready::default(),
        });
        Ok(Self { app, guard, keeper, reloader: Arc::new(reloader) })
    }
}

fn kms_settings(config: &Config) -> Settings {
    let usual = Settings::default();
    let threads = usize::try_from(config.pools.dear_threads).unwrap_or(0);
    Settings {
        rsa_threads: if threads == 0 { usual.rsa_threads } else { threads },
        rsa_queue: usize::try_from(config.pools.dear_queue).unwrap_or(usual.rsa_queue),
        user_key_seconds: config.user_keys.longest_life_seconds(),
        list_seconds: config.user_keys.list_life_seconds(),
        ..usual
    }
}

async fn bind(name: &'static str, address: SocketAddr, transport: Transport) -> Result<Listener, StartError> {
    accept::bind(name, address, transport).await.map_err(|source| StartError::Bind { listener: name, address, source })
}

fn local(listener: &Listener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    let bound = listener.socket.local_addr();
    bound.map_err(|source| StartError::Bind { listener: listener.name, address, source })
}

fn spawn_jobs(
    app: &Arc<App>,
    keeper: Arc<Keeper>,
    reloader: Arc<Reloader>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    let token = || stop.clone();
    tasks.spawn(jobs::run(app.clone(), token()));
    let (authority, metrics) = (app.authority.clone(), app.metrics.clone());
    let stopped = token();
    tasks.spawn(async move { authority.keep_crl(stopped).await });
    let stopped = token();
    tasks.spawn(async move { metrics.keep_up(stopped).await });
    let stopped = token();
    tasks.spawn(async move { keeper.keep(stopped).await });
    let stopped = token();
    tasks.spawn(async move { reloader.run(stopped).await });
    let store = app.store.clone();
    // The slow check of everything on disk must hold up neither the start nor the stop.
    std::thread::spawn(move || match store.examine() {
        Ok(()) => tracing::info!("the full integrity check found nothing"),
        Err(error) => tracing::error!(%error, "the full integrity check failed"),
    });
}

#[cfg(test)]
mod tests;
