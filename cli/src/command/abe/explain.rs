//! `wardkeep abe explain`: the tree of a policy, and what a holder has of it.

use std::path::PathBuf;

use serde::Serialize;
use wardkeep_abe::{
    AccessPolicy, Attributes, Authority, AuthorityId, Branch, BranchKind, Grant, PublicParameters, Schema, Terms,
    UserKey,
};

use wardkeep_client::Client;

use super::error::InText as _;
use super::text::Text;
use super::{AbeError, files, seed};
use crate::args::abe::Explain;
use crate::command::CommandError;
use crate::command::remote::with_client;
use crate::installation::Machine;
use crate::output::{self, Format};

/// A policy, explained.
#[derive(Serialize)]
struct Explained {
    policy: String,
    simplified: String,
    rows: usize,
    rows_simplified: usize,
    depth: usize,
    /// Absent where no holder was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    satisfied: Option<bool>,
    missing: Vec<String>,
    tree: Shown,
}

/// A branch of it.
#[derive(Serialize)]
struct Shown {
    /// A condition in words, or `all of`, `one of`, `2 of`.
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<bool>,
    /// Whether opening would go through here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    used: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<Shown>,
}

/// Explains a policy; exit code 3 where the named holder does not satisfy it.
pub(super) fn run(format: Format, args: Explain) -> Result<(), CommandError> {
    let (parameters, key) = holder(&args)?;
    let (text, file) = args.policy.read()?;
    let parsed = AccessPolicy::parse(&text, &parameters);
    let policy = parsed.map_err(|error| error.in_text(&text, file.map(PathBuf::as_path)))?;
    let explained = explained(&policy, &parameters, key.as_ref())?;
    match format {
        Format::Table => output::raw(explained.page().as_bytes())?,
        Format::Json | Format::Yaml => output::show(format, &explained, &[])?,
    }
    match explained.satisfied {
        Some(false) => Err(AbeError::NotSatisfied { missing: explained.missing }.into()),
        _ => Ok(()),
    }
}

/// The declarations in force, and the key to look at. Attributes without a key are given one of an authority that lives
/// for this command alone: there is one way to tell what a holder has, and keys are it.
fn holder(args: &Explain) -> Result<(PublicParameters, Option<UserKey>), CommandError> {
    if let Some(path) = &args.key {
        return Ok(files::key(path).map(|(parameters, key)| (parameters, Some(key)))?);
    }
    let schema: Schema = match (&args.parameters, &args.authority) {
        (Some(path), _) => files::parameters(path)?.schema().clone(),
        (None, Some(authority)) => {
            let fetch = |client: Client| async move { Ok(client.authorities().parameters(authority, None).await?) };
            with_client(&args.connection, fetch)?.schema().clone()
        }
        (None, None) => files::schema(args.schema.as_deref())?,
    };
    let machine = Machine::default();
    let authority = Authority::generate(AuthorityId([0; 16]), schema, Terms::default(), seed(&machine)?);
    let parameters = authority.parameters().clone();
    let key = args.attributes.as_ref().map(|text| key(&authority, text, &machine)).transpose()?;
    Ok((parameters, key))
}

fn key(authority: &Authority, text: &Text, machine: &Machine) -> Result<UserKey, AbeError> {
    let (text, file) = text.read()?;
    let read = Attributes::parse(&text, authority.parameters().schema());
    let attributes = read.map_err(|error| error.in_text(&text, file.map(PathBuf::as_path)))?;
    let grant = Grant { attributes: &attributes, valid_until: None, serial: None };
    Ok(authority.issue(&grant, seed(machine)?)?)
}

fn explained(
    policy: &AccessPolicy,
    parameters: &PublicParameters,
    key: Option<&UserKey>,
) -> Result<Explained, AbeError> {
    let formula = policy.formula();
    let simplified = formula.simplify();
    let found = policy.explain(parameters, &|label| key.is_some_and(|key| key.holds(label)))?;
    Ok(Explained {
        policy: formula.to_string(),
        rows: formula.rows(),
        depth: formula.depth(),
        rows_simplified: simplified.rows(),
        simplified: simplified.to_string(),
        satisfied: key.map(|_| found.satisfied()),
        tree: shown(&found.root, key.is_some()),
        missing: if key.is_some() { found.missing } else { Vec::new() },
    })
}

fn shown(branch: &Branch, somebody: bool) -> Shown {
    let what = match &branch.kind {
        BranchKind::Condition(text) => text.clone(),
        BranchKind::All => "all of".to_owned(),
        BranchKind::Any => "one of".to_owned(),
        BranchKind::AtLeast(count) => format!("{count} of"),
    };
    let children = branch.children.iter().map(|child| shown(child, somebody)).collect();
    Shown { what, held: somebody.then_some(branch.satisfied), used: somebody && branch.used, children }
}

impl Explained {
    /// For people.
    fn page(&self) -> String {
        let mut page = format!("policy      {}\n", self.policy);
        if self.simplified != self.policy {
            page.push_str(&format!("simplified  {} ({} rows)\n", self.simplified, self.rows_simplified));
        }
        page.push_str(&format!("rows        {}\n\n", self.rows));
        self.tree.write(&mut page, 0);
        if !self.missing.is_empty() {
            page.push_str(&format!("\nmissing: {}\n", self.missing.join(", ")));
        }
        page
    }
}

impl Shown {
    fn write(&self, page: &mut String, indent: usize) {
        let mark = match self.held {
            None => "- ",
            Some(true) => "[x] ",
            Some(false) => "[ ] ",
        };
        let used = if self.used && self.children.is_empty() { "   <- used" } else { "" };
        page.push_str(&format!("{:indent$}{mark}{}{used}\n", "", self.what));
        self.children.iter().for_each(|child| child.write(page, indent + 2));
    }
}
