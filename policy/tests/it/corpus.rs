//! The Cedar integration corpus through the offline engine: decision, reasons and errors equal to Cedar's own, under
//! `OnError::Skip`. A sample by default; all of it with `WARDKEEP_CORPUS=all`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value as Json;
use wardkeep_policy::OnError;
use wardkeep_policy::offline::{OfflineEngine, OfflineUid};

/// Requests that the installed Cedar answers otherwise than the corpus says, by case and request; with the reason.
const DRIFT: &[(&str, usize, &str)] = &[];
/// Cases in the sample.
const SAMPLE: usize = 240;

#[derive(Deserialize)]
struct Case {
    policies: String,
    entities: String,
    schema: String,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    principal: Uid,
    action: Uid,
    resource: Uid,
    context: Json,
    #[serde(rename = "validateRequest", default = "yes")]
    validate: bool,
    decision: String,
    reason: Vec<String>,
    errors: Vec<String>,
}

#[derive(Deserialize)]
struct Uid {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

fn yes() -> bool {
    true
}

impl Uid {
    fn offline(&self) -> OfflineUid<'_> {
        OfflineUid { kind: &self.kind, id: &self.id }
    }
}

fn archive() -> PathBuf {
    let folder = std::env::var_os("WARDKEEP_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    folder.join("cedar-integration-tests.tar.xz")
}

/// The files of the first cases in the archive (all of them for `usize::MAX`): a case's four files stand together.
fn files(archive: File, cases: usize) -> BTreeMap<String, String> {
    let unpacked = lzma_rust2::XzReader::new(BufReader::new(archive), true);
    let mut files = BTreeMap::new();
    let mut found = 0;
    for entry in tar::Archive::new(unpacked).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let mut text = String::new();
        if entry.read_to_string(&mut text).is_err() {
            continue;
        }
        found += usize::from(name.ends_with(".cedarschema"));
        files.insert(name, text);
        if found > cases {
            break;
        }
    }
    files
}

fn set(items: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    items.into_iter().collect()
}

#[test]
fn the_corpus_agrees() {
    let all = std::env::var("WARDKEEP_CORPUS").is_ok_and(|what| what == "all");
    let Ok(archive) = File::open(archive()) else {
        println!("SKIPPED: the Cedar corpus (5 489 cases) is not at {}", archive().display());
        return;
    };
    let files = files(archive, if all { usize::MAX } else { SAMPLE });
    let (mut cases, mut requests, mut skipped, mut wrong) = (0, 0, 0, Vec::new());
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".json") && !name.ends_with(".entities.json")) {
        let Ok(case) = serde_json::from_str::<Case>(text) else { continue };
        let (Some(policies), Some(entities), Some(schema)) =
            (files.get(&case.policies), files.get(&case.entities), files.get(&case.schema))
        else {
            skipped += 1;
            continue;
        };
        let engine = match OfflineEngine::new(Some(schema), policies, Some(entities), OnError::Skip) {
            Ok(engine) => engine,
            Err(errors) => {
                wrong.push(format!("{name}: does not load: {errors}"));
                continue;
            }
        };
        cases += 1;
        for (at, request) in case.requests.iter().enumerate() {
            requests += 1;
            if let Some(difference) = differs(&engine, request)
                && !DRIFT.iter().any(|(case, number, _)| *number == at && name.contains(case))
            {
                wrong.push(format!("{name}, request {at}: {difference}"));
            }
        }
    }
    println!("corpus: {cases} cases, {requests} requests, {skipped} cases skipped, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n"));
    assert!(cases >= 200, "only {cases} cases were found");
}

fn differs(engine: &OfflineEngine, request: &Request) -> Option<String> {
    let (principal, action, resource) =
        (request.principal.offline(), request.action.offline(), request.resource.offline());
    let answer = match engine.decide(principal, action, resource, &request.context, request.validate) {
        Ok(answer) => answer,
        Err(error) => return Some(format!("refused: {error}")),
    };
    let decision = if answer.allow { "allow" } else { "deny" };
    let got = (decision, set(answer.reasons), set(answer.errors.into_iter().map(|(id, _)| id)));
    let wanted = (request.decision.as_str(), set(request.reason.clone()), set(request.errors.clone()));
    (got != wanted).then(|| format!("got {got:?}, expected {wanted:?}"))
}
