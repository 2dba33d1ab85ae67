//! `wardkeep server`, `wardkeep server init`, `wardkeep recover`.

use std::io::Write as _;
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
use crate::installation::{self, Beginning, InstallationError, Machine};
use crate::output::{self, Format};
use crate::stop::Stop;
use crate::whole_file::{self, Readers, WholeFile};

/// The kind of identity that administrators are.
const ADMINISTRATOR_KIND: &str = "user";

/// What was made; the token is shown this once. With a CA of the operator's own there is none.
#[derive(Serialize)]
struct Made {
    administrator: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
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
        let mut stop = Stop::of_a_server()?;
        let around = Surroundings { config_path: Some(path.to_owned()), ..Surroundings::default() };
        let running = Server::start(config, store, around).await.map_err(InstallationError::from)?;
        stop.told().await;
        tracing::info!("stopping: open requests may finish");
        running.shutdown().await;
        Ok(())
    })
}

fn initialise(format: Format, args: ServerInit) -> Result<(), CommandError> {
    let (config, path) = configuration(&args)?;
    let machine = Machine::default();
    let file = token_file(args.to)?;
    if let Some(file) = &config.root_key.file {
        installation::root_key_file(file, &machine)?;
    }
    let administrator = identity(&config, &args.administrator)?;
    let beginning = Beginning::of(&config)?;
    let store = match installation::create(&config, &machine) {
        Ok(store) => store,
        Err(error) => {
            // Nothing was made: a mark that stayed would have the next one clear away what somebody puts here.
            beginning.end()?;
            return Err(error.into());
        }
    };
    let ground = installation::ground(&config, store.clone(), &machine);
    let founding =
        Founding { administrator: administrator.clone(), bundle: BundleSource::starter(), token_life_millis: None };
    let provisioned = runtime()?.block_on(provision::init(&ground, founding)).map_err(InstallationError::from)?;
    // The first head is durable with this.
    store.close();
    show(format, provisioned, (&administrator, Since::Beginning), (&config, path), file)?;
    Ok(beginning.end()?)
}

/// Makes a new administrator on a stopped server's data folder.
pub(crate) fn recover(format: Format, args: Recover) -> Result<(), CommandError> {
    let Recover { config: path, administrator, to, starter_bundle, accept_rollback } = args;
    let config = Config::load(&path)?;
    let machine = Machine::default();
    let administrator = identity(&config, &administrator)?;
    let file = token_file(to)?;
    let store = installation::open(&config, &machine, accept_rollback)?;
    let ground = installation::ground(&config, store.clone(), &machine);
    let recovery = Recovery { administrator: administrator.clone(), starter_bundle, token_life_millis: None };
    let provisioned = runtime()?.block_on(provision::recover(&ground, recovery)).map_err(InstallationError::from)?;
    store.close();
    show(format, provisioned, (&administrator, Since::Recovery), (&config, path), file)
}

/// The file for a token, begun before there is one: a place that cannot be written to is found out in time.
fn token_file(to: Option<PathBuf>) -> Result<Option<(WholeFile, PathBuf)>, FileError> {
    to.map(|place| Ok((WholeFile::create(&place, Readers::Owner, false)?, place))).transpose()
}

fn identity(config: &Config, name: &str) -> Result<Identity, CommandError> {
    Ok(Identity::parse(&format!("spiffe://{}/{ADMINISTRATOR_KIND}/{name}", config.identity.trust_domain))?)
}

/// Since when the administrator's certificate may be from, where a CA of the operator's own issues it.
#[derive(Clone, Copy)]
enum Since {
    Beginning,
    /// What was issued to that identity before is revoked.
    Recovery,
}

fn show(
    format: Format,
    provisioned: Provisioned,
    (administrator, since): (&Identity, Since),
    (config, path): (&Config, PathBuf),
    file: Option<(WholeFile, PathBuf)>,
) -> Result<(), CommandError> {
    let administrator = administrator.to_string();
    let Some(token) = provisioned.token else {
        let newer = match since {
            Since::Beginning => "",
            Since::Recovery => "; it has to be newer than this recovery, earlier ones are revoked",
        };
        let next =
            format!("issue the administrator's certificate at your own CA: its URI name is {administrator}{newer}");
        let made = Made { administrator, token: None, expires: None, config: path, next };
        return Ok(output::show(format, &made, &[])?);
    };
    // Never the token itself: what stands on a command line is read by others and kept by shells.
    let (shown, source, paste) = match file {
        None => (token.text.to_string(), "-".to_owned(), ", and paste the token"),
        Some((mut file, place)) => {
            file.write_all(token.text.as_bytes()).map_err(FileError::at("write", &place))?;
            file.finish()?;
            let at = format!("@{}", place.display());
            (at.clone(), at, "")
        }
    };
    let enrol = config.listen.enrol.map_or_else(|| "(turn on listen.enrol)".to_owned(), |at| format!("https://{at}"));
    let made = Made {
        administrator,
        token: Some(shown),
        expires: Some(token.expires.to_string()),
        next: format!(
            "wardkeep server --config {}; then wardkeep cert enroll --address {enrol} --token {source} --dir admin{paste}",
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
            to: None,
        };
        let (config, path) = configuration(&args).unwrap();
        assert_eq!(config.identity.trust_domain, "clinic.example");
        assert_eq!(Config::load(&path).unwrap().storage.data, folder.path().join("a \"b\"/data"));
        let again = ServerInit { config: Some(path.clone()), ..args };
        assert_eq!(configuration(&again).unwrap().1, path);
    }
}
