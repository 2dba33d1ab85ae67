//! `wardkeep config`: check a file, show what is in force.

use serde::Serialize;
use wardkeep_server::config::Config as ServerConfig;

use super::CommandError;
use super::remote::with_client;
use crate::args::local::Config;
use crate::output::{self, Format};

/// What a check shows: the places that people get wrong.
#[derive(Serialize)]
struct Checked {
    config: &'static str,
    data: String,
    head: Option<String>,
    api: String,
    enrol: Option<String>,
    ops: String,
    trust_domain: String,
}

/// Carries out a verb on configurations.
pub(crate) fn run(format: Format, verb: Config) -> Result<(), CommandError> {
    match verb {
        Config::Check(args) => {
            let config = ServerConfig::load(&args.config)?;
            let checked = Checked {
                config: "good",
                data: config.storage.data.display().to_string(),
                head: config.storage.head.map(|head| head.display().to_string()),
                api: config.listen.api.to_string(),
                enrol: config.listen.enrol.map(|address| address.to_string()),
                ops: config.listen.ops.to_string(),
                trust_domain: config.identity.trust_domain,
            };
            Ok(output::show(format, &checked, &[])?)
        }
        Config::Show(connection) => {
            let config = with_client(&connection, |client| async move { Ok(client.config().await?) })?;
            match format {
                Format::Table => Ok(output::line(config.toml.trim_end())?),
                Format::Json | Format::Yaml => Ok(output::show(format, &config, &[])?),
            }
        }
    }
}
