//! `wardkeep server`, `wardkeep server init`, `wardkeep recover`.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wardkeep_model::Identity;
use wardkeep_policy::BundleSource;
use wardkeep_server::Server;
use wardkeep_server::admin::provision::{self, Founding, Provisioned, Recovery};
use wardkeep_server::config::Config;
use wardkeep_server::start::Surroundings;
use wardkeep_server::telemetry;

use super::CommandError;
use super::remote::runtime;
use crate::args::local::{self, Recover, ServerInit, ServerVerb};
use crate::error::FileError;
use crate::installation::{self, InstallationError, Machine};
use crate::output::{self, Format};
use crate::whole_file::{self, Readers};

/// The kind of identity that administrators are.
const ADMINISTRATOR_KIND: &str = "user";

/// What was made; the token is shown this once.
#[derive(Serialize)]
struct Made {
    administrator: String,
    token: String,
    expires: String,
    config: PathBuf,
    next: String,
}

/// Runs or prepares a server.
pub(crate) fn run(format: Format, args: local::Server) -> Result<(), CommandError> {
    match args.verb {
        Some(ServerVerb::Init(init)) => initialise(format, init),
        None => {
            let path = args.config.ok_or(CommandError::NoConfig)?;
            serve(&path, args.accept_rollback)
        }
    }
}

fn serve(path: &Path, accept_rollback: bool) -> Result<(), CommandError> {
    let config = Config::load(path)?;
    telemetry::start_log(&config.log).map_err(InstallationError::from)?;
    let machine = Machine::default();
    let store = installation::open(&config, &machine, accept_rollback)?;
    runtime()?.block_on(async {
        let around = Surroundings { config_path: Some(path.to_owned()), ..Surroundings::default() };
        let running = Server::start(config, store, around).await.map_err(InstallationError::from)?;
        until_told_to_stop().await?;
        tracing::info!("stopping: open requests may finish");
        running.shutdown().await;
        Ok(())
    })
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn until_told_to_stop() -> Result<(), InstallationError> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(InstallationError::Signals)?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            done = tokio::signal::ctrl_c() => done.map_err(InstallationError::Signals),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(InstallationError::Signals)
}

fn initialise(format: Format, args: ServerInit) -> Result<(), CommandError> {
    let (config, path) = configuration(&args)?;
    let machine = Machine::default();
    if let Some(file) = &config.root_key.file {
        installation::root_key_file(file, &machine)?;
    }
    let administrator = identity(&config, &args.administrator)?;
    let store = installation::create(&config, &machine)?;
    let ground = installation::ground(&config, store.clone(), &machine);
    let founding =
        Founding { administrator: administrator.clone(), bundle: BundleSource::starter(), token_life_millis: None };
    let provisioned = runtime()?.block_on(provision::init(&ground, founding)).map_err(InstallationError::from)?;
    store.close();
    show(format, provisioned, &administrator, &config, path)
}

/// Makes a new administrator on a stopped server's data folder.
pub(crate) fn recover(format: Format, args: Recover) -> Result<(), CommandError> {
    let Recover { config: path, administrator, starter_bundle, accept_rollback } = args;
    let config = Config::load(&path)?;
    let machine = Machine::default();
    let administrator = identity(&config, &administrator)?;
    let store = installation::open(&config, &machine, accept_rollback)?;
    let ground = installation::ground(&config, store.clone(), &machine);
    let recovery = Recovery { administrator: administrator.clone(), starter_bundle, token_life_millis: None };
    let provisioned = runtime()?.block_on(provision::recover(&ground, recovery)).map_err(InstallationError::from)?;
    store.close();
    show(format, provisioned, &administrator, &config, path)
}

fn identity(config: &Config, name: &str) -> Result<Identity, CommandError> {
    Ok(Identity::parse(&format!("spiffe://{}/{ADMINISTRATOR_KIND}/{name}", config.identity.trust_domain))?)
}

fn show(
    format: Format,
    provisioned: Provisioned,
    administrator: &Identity,
    config: &Config,
    path: PathBuf,
) -> Result<(), CommandError> {
    let own_ca = || InstallationError::OwnCa { identity: administrator.to_string() };
    let token = provisioned.token.ok_or_else(own_ca)?;
    let enrol = config.listen.enrol.map_or_else(|| "(turn on listen.enrol)".to_owned(), |at| format!("https://{at}"));
    let made = Made {
        administrator: administrator.to_string(),
        token: token.text.to_string(),
        expires: token.expires.to_string(),
        next: format!(
            "wardkeep server --config {} & printf %s 'TOKEN' | wardkeep cert enroll --address {enrol} --token - --dir admin",
            path.display()
        ),
        config: path,
    };
    Ok(output::show(format, &made, &[])?)
}

/// The configuration named, or a new one written from the flags.
fn configuration(args: &ServerInit) -> Result<(Config, PathBuf), CommandError> {
    let path = args.config.clone();
    if let Some(path) = path.as_ref().filter(|path| path.exists()) {
        return Ok((Config::load(path)?, path.clone()));
    }
    let (Some(data), Some(head)) = (&args.data, &args.head) else {
        return Err(CommandError::OneOf { flags: "`--config` with an existing file, or `--data` and `--head`" });
    };
    let beside = |name: &str| data.parent().unwrap_or(Path::new("")).join(name);
    let root_key = args.root_key.clone().unwrap_or_else(|| beside("root.key"));
    let path = path.unwrap_or_else(|| beside("wardkeep.toml"));
    let text = format!(
        "# Made by `wardkeep server init`. Every other key has its default.\n\n\
         [storage]\ndata = {}\nhead = {}\n\n[root_key]\nfile = {}\n\n[listen]\napi = \"127.0.0.1:8443\"\n\
         enrol = \"127.0.0.1:8444\"\nops = \"127.0.0.1:8081\"\n\n[identity]\ntrust_domain = {}\n",
        quoted(data)?,
        quoted(head)?,
        quoted(&root_key)?,
        toml::Value::String(args.trust_domain.clone()),
    );
    let config = Config::from_toml(&text)?;
    for folder in [path.parent(), data.parent()].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(FileError::at("create", folder))?;
    }
    whole_file::write(&path, text.as_bytes(), Readers::Anyone, false)?;
    Ok((config, path))
}

/// A path as a TOML string, absolute, so that the server may start anywhere.
fn quoted(path: &Path) -> Result<String, CommandError> {
    let absolute = std::path::absolute(path).map_err(FileError::at("name", path))?;
    Ok(toml::Value::String(absolute.display().to_string()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_a_configuration_that_loads() {
        let folder = tempfile::tempdir().unwrap();
        let args = ServerInit {
            config: None,
            data: Some(folder.path().join("a \"b\"/data")),
            head: Some(folder.path().join("head/head")),
            root_key: None,
            trust_domain: "clinic.example".to_owned(),
            administrator: "first".to_owned(),
        };
        let (config, path) = configuration(&args).unwrap();
        assert_eq!(config.identity.trust_domain, "clinic.example");
        assert_eq!(Config::load(&path).unwrap().storage.data, folder.path().join("a \"b\"/data"));
        let again = ServerInit { config: Some(path.clone()), ..args };
        assert_eq!(configuration(&again).unwrap().1, path);
    }
}
