//! The demo's input through the real binary: what is refused is refused with its name, and leaves nothing behind.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::binary::{code, command, stderr, stdout};

fn run(data: &Path, place: &Path) -> std::process::Output {
    command().args(["demo", "--output", "json", "--data"]).arg(data).env("TMPDIR", place).output().unwrap()
}

fn zip_of(place: &Path, entries: &[(&str, Vec<u8>)]) -> PathBuf {
    let path = place.join("input.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path
}

fn bundle(ids: &[&str]) -> Vec<u8> {
    let entries: Vec<_> = ids.iter().map(|id| json!({"resource": {"resourceType": "Patient", "id": id}})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string().into_bytes()
}

#[test]
fn input_that_will_not_do_is_named_and_everything_is_cleared_away() {
    let (input, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = |name: &str, bytes: &[u8]| {
        let path = input.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let empty = json!({"resourceType": "Bundle", "entry": []}).to_string();
    let cases = [
        (file("empty.json", empty.as_bytes()), "holds no resource"),
        (file("none.json", br#"{"resourceType":"Bundle","entry":[{"fullUrl":"x"}]}"#), "holds no resource"),
        (file("bytes.json", b"\xff\xfe{}"), "not a FHIR bundle"),
        (file("patient.json", br#"{"resourceType":"Patient","id":"x"}"#), "not a `Bundle`"),
        (file("text.tar.gz", b"no archive"), "not a whole archive"),
    ];
    for (data, says) in cases {
        let output = run(&data, place.path());
        let said = stderr(&output);
        assert_eq!(code(&output), 1, "{}: {said}", data.display());
        assert!(said.contains(says), "{}: no `{says}` in {said}", data.display());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "{}", data.display());
    }
}

#[test]
fn names_that_lead_out_of_an_archive_lead_nowhere() {
    let outer = tempfile::tempdir().unwrap();
    let (input, place) = (outer.path().join("input"), outer.path().join("place"));
    std::fs::create_dir(&input).unwrap();
    std::fs::create_dir(&place).unwrap();
    let data = zip_of(
        &input,
        &[
            ("../../escaped.json", bundle(&["a"])),
            ("/absolute.json", bundle(&["b"])),
            ("deep/../../../up.json", bundle(&["c"])),
            ("README.md", b"no bundle".to_vec()),
        ],
    );
    let output = run(&data, &place);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((report["resources"].as_u64(), report["equal"].as_u64()), (Some(3), Some(3)), "names are only names");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
    let mut left: Vec<_> = std::fs::read_dir(outer.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["input", "place"], "nothing was written outside");
    assert!(!Path::new("/absolute.json").exists());
}

#[test]
fn ids_that_recur_are_records_of_their_own() {
    let (input, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = zip_of(input.path(), &[("a.json", bundle(&["p", "p"])), ("b.json", bundle(&["p"]))]);
    let output = run(&data, place.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((report["resources"].as_u64(), report["equal"].as_u64()), (Some(3), Some(3)), "{report}");
}

#[test]
fn a_kept_folder_is_new_and_opens_with_the_ordinary_command() {
    let (outer, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = outer.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("mine"), "mine").unwrap();
    let refused = command().args(["demo", "--keep"]).arg(&taken).output().unwrap();
    assert!(code(&refused) == 1 && stderr(&refused).contains("not empty"), "{}", stderr(&refused));
    assert_eq!(std::fs::read_dir(&taken).unwrap().count(), 1);
    let kept = outer.path().join("kept");
    let output =
        command().args(["demo", "--output", "json", "--keep"]).arg(&kept).env("TMPDIR", place.path()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for name in ["data", "head/head", "root.key", "people/admin/cert.pem", "records/00000/00000.wk"] {
        assert!(kept.join(name).exists(), "{name}");
    }
    assert!(!kept.join("unfinished").exists());
}
