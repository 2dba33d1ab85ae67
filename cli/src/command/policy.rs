//! `wardkeep policy`: bundles and the control set of a server. Deciding off line is in [`decide`].

mod check;
pub(crate) mod decide;

use wardkeep_client::wire::Finding;
use wardkeep_client::wire::bundle::{LoadBundle, PolicyFile};
use wardkeep_policy::BundleSource;

use super::CommandError;
use super::remote::{all_pages, with_client};
use crate::args::connection::Connection;
use crate::args::rules::{BundleLoad, BundleShow, Policy, SetControl};
use crate::bundle_folder;
use crate::error::FileError;
use crate::output::{self, Format};

/// Carries out a verb on policies.
pub(crate) fn run(format: Format, verb: Policy) -> Result<(), CommandError> {
    match verb {
        Policy::Decide(args) => Ok(decide::run(format, &args)?),
        Policy::Check(args) => check::run(format, &args),
        Policy::Load(args) => load(format, args),
        Policy::List(connection) => list(format, &connection),
        Policy::Show(args) => show(format, args),
        Policy::Activate(args) => {
            let done =
                with_client(
                    &args.connection,
                    |client| async move { Ok(client.bundles().activate(args.version).await?) },
                )?;
            report(&done.findings);
            Ok(output::show(format, &done, &["version", "active"])?)
        }
        Policy::Schema(connection) => {
            let schema = with_client(&connection, |client| async move { Ok(client.bundles().schema().await?) })?;
            match format {
                Format::Table => Ok(output::line(schema.text.trim_end())?),
                Format::Json | Format::Yaml => Ok(output::show(format, &schema, &[])?),
            }
        }
        Policy::Control(connection) => {
            let set = with_client(&connection, |client| async move { Ok(client.control_set().describe().await?) })?;
            match format {
                Format::Table => Ok(output::line(set.text.trim_end())?),
                Format::Json | Format::Yaml => Ok(output::show(format, &set, &[])?),
            }
        }
        Policy::SetControl(args) => set_control(format, args),
    }
}

fn load(format: Format, args: BundleLoad) -> Result<(), CommandError> {
    let BundleLoad { folder, activate, dry_run, connection } = args;
    let bundle = wire(bundle_folder::read(&folder)?, activate, dry_run);
    let done = with_client(&connection, |client| async move { Ok(client.bundles().load(&bundle).await?) })?;
    report(&done.findings);
    Ok(output::show(format, &done, &["version", "active"])?)
}

/// A bundle as it travels.
pub(crate) fn wire(bundle: BundleSource, activate: bool, dry_run: bool) -> LoadBundle {
    let BundleSource { manifest, schema, policies, entities } = bundle;
    let policies = policies.into_iter().map(|(name, text)| PolicyFile { name, text }).collect();
    LoadBundle { manifest, schema, policies, entities, activate, dry_run }
}

fn list(format: Format, connection: &Connection) -> Result<(), CommandError> {
    let bundles = with_client(connection, |client| async move {
        all_pages(None, |paging| {
            let client = client.clone();
            async move { client.bundles().list(&paging).await }
        })
        .await
    })?;
    Ok(output::show(format, &bundles, &["version", "active", "loaded", "loaded_by"])?)
}

fn show(format: Format, args: BundleShow) -> Result<(), CommandError> {
    let BundleShow { version, connection } = args;
    let bundle = with_client(&connection, |client| async move {
        match version {
            Some(version) => Ok(client.bundles().describe(version).await?),
            None => Ok(client.bundles().active().await?),
        }
    })?;
    if format != Format::Table {
        return Ok(output::show(format, &bundle, &[])?);
    }
    output::show(format, &bundle, &["version", "active", "loaded", "loaded_by"])?;
    for file in &bundle.policies {
        output::line(&format!("\n// ---- {}\n{}", file.name, file.text.trim_end()))?;
    }
    Ok(())
}

fn set_control(format: Format, args: SetControl) -> Result<(), CommandError> {
    let SetControl { file, connection } = args;
    let text = std::fs::read_to_string(&file).map_err(FileError::at("read", &file))?;
    let set = with_client(&connection, |client| async move {
        let revision = client.control_set().describe().await?.revision;
        Ok(client.control_set().put(&text, Some(revision)).await?)
    })?;
    Ok(output::show(format, &set, &["revision", "changed", "changed_by"])?)
}

/// Findings go to standard error, one a line, as compilers write them.
pub(crate) fn report(findings: &[Finding]) {
    for finding in findings {
        output::remark(&line_of(finding));
    }
}

/// `file:line:column: severity: message (hint)`
pub(crate) fn line_of(finding: &Finding) -> String {
    let file = finding.file.as_deref().unwrap_or("bundle");
    let place = match (finding.line, finding.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        _ => file.to_owned(),
    };
    let severity = serde_json::to_value(finding.severity).ok();
    let severity = severity.as_ref().and_then(|word| word.as_str()).unwrap_or("error");
    let hint = finding.hint.as_deref().map_or_else(String::new, |hint| format!(" ({hint})"));
    format!("{place}: {severity}: {}{hint}", finding.message)
}
