//! Input as people have it, and input as it should not be.

use std::collections::BTreeMap;
use std::io::Write;

use super::*;

mod hostile;

fn read(source: &Source) -> Result<Vec<Bundle>, InputError> {
    let mut bundles = Vec::new();
    source.each(&mut |bundle| {
        bundles.push(bundle);
        ControlFlow::Continue(())
    })?;
    Ok(bundles)
}

fn bundle(json: &str) -> Bundle {
    Bundle::new("b.json".to_owned(), json.as_bytes().to_vec())
}

fn one(resource: &str) -> Bundle {
    bundle(&format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{resource}}}]}}"#))
}

#[test]
fn the_sample_holds_three_people_and_varied_resources() {
    let bundles = read(&Source::Sample).unwrap();
    let mut kinds = BTreeMap::<String, u32>::new();
    for bundle in &bundles {
        let resources = bundle.resources().unwrap();
        let patient = resources.iter().find(|r| r.kind == "Patient").unwrap().id.clone();
        for resource in resources {
            let directory = matches!(resource.kind.as_str(), "Organization" | "Practitioner");
            assert_eq!(resource.patient, (!directory).then(|| patient.clone()), "{}", resource.kind);
            *kinds.entry(resource.kind).or_default() += 1;
        }
    }
    assert_eq!((bundles.len(), kinds["Patient"]), (3, 3));
    assert!(kinds.len() >= 14 && kinds.values().sum::<u32>() >= 30, "{kinds:?}");
}

#[test]
fn a_resource_is_the_bytes_that_stand_in_the_file() {
    let raw = "{ \"resourceType\" :\"Observation\",\n \"id\": \"a\\u0062\",\"v\":7.10, \"subject\":{\"reference\":\"Patient/p\"} }";
    let bundle = bundle(&format!("\u{feff}{{\"entry\":[ {{\"resource\":\t{raw}\n}}], \"resourceType\":\"Bundle\"}}"));
    let found = bundle.resources().unwrap();
    assert_eq!(found[0].raw, raw.as_bytes());
    assert_eq!((found[0].id.as_str(), found[0].patient.as_deref()), ("ab", Some("p")));
}

#[test]
fn patients_are_found_however_they_are_referred_to() {
    for (reference, patient) in [
        ("Patient/p1", Some("p1")),
        ("https://fhir.example/r4/Patient/p1", Some("p1")),
        ("https://fhir.example/r4/Patient/p1/_history/3", Some("p1")),
        ("urn:uuid:u1", Some("u1")),
        ("Group/g1", None),
        ("Patient/", None),
        ("#contained", None),
        ("", None),
    ] {
        let found = one(&format!(r#"{{"resourceType":"Goal","id":"g","subject":{{"reference":"{reference}"}}}}"#));
        assert_eq!(found.resources().unwrap()[0].patient.as_deref(), patient, "{reference}");
    }
    let list = one(r#"{"resourceType":"Account","id":"a","subject":[{"display":"x"},{"reference":"Patient/p"}]}"#);
    assert_eq!(list.resources().unwrap()[0].patient.as_deref(), Some("p"));
    let odd = one(r#"{"resourceType":"Basic","id":"a","subject":7,"patient":null}"#);
    assert_eq!(odd.resources().unwrap()[0].patient, None);
}

#[test]
fn a_urn_leads_to_the_id_of_the_entry_that_it_names() {
    let bundle = bundle(
        r#"{"resourceType":"Bundle","entry":[
        {"fullUrl":"urn:uuid:0a","resource":{"resourceType":"Patient","id":"ana"}},
        {"fullUrl":"urn:uuid:0b","resource":{"resourceType":"Goal","subject":{"reference":"urn:uuid:0a"}}},
        {"fullUrl":"urn:uuid:0c"},
        {"resource":{"resourceType":"Goal"}}]}"#,
    );
    let found = bundle.resources().unwrap();
    let named: Vec<_> = found.iter().map(|r| (r.id.as_str(), r.patient.as_deref())).collect();
    assert_eq!(named, [("ana", Some("ana")), ("0b", Some("ana")), ("3", None)]);
}

#[test]
fn what_is_no_bundle_is_refused_by_name() {
    let refusal = |bundle: Bundle| bundle.resources().err().unwrap().to_string();
    assert!(refusal(bundle("{")).contains("`b.json`"));
    assert!(refusal(bundle("")).contains("not a FHIR bundle"));
    assert!(refusal(bundle(r#"{"resourceType":"Patient","id":"x"}"#)).contains("`Patient`, not a `Bundle`"));
    assert!(refusal(bundle(r#"{"resourceType":"Bundle","entry":7}"#)).contains("not a FHIR bundle"));
    assert!(refusal(one("7")).contains("entry 0"));
    assert!(refusal(one(r#"{"id":"x"}"#)).contains("resourceType"));
    assert!(refusal(one(r#"{"resourceType":"../x","id":"x"}"#)).contains("no FHIR resource type"));
    assert!(refusal(one(r#"{"resourceType":"Goal","id":7}"#)).contains("entry 0"));
    assert!(refusal(one(&format!(r#"{{"resourceType":"Goal","id":"{}"}}"#, "a".repeat(65)))).contains("65 bytes"));
    assert!(refusal(Bundle::new("b".into(), vec![0xff; 9])).contains("not a FHIR bundle"));
    for hostile in ["7\\\" or role = \\\"x", "a b", "a/b", "a_b", "\u{e9}", "a\\u0000b", ""] {
        assert!(refusal(one(&format!(r#"{{"resourceType":"Goal","id":"{hostile}"}}"#))).contains("no FHIR id"));
    }
    for hostile in ["Patient/7\\\" or role = \\\"x", "urn:uuid:a b", &format!("Patient/{}", "a".repeat(65))] {
        let about = format!(r#"{{"resourceType":"Goal","id":"g","subject":{{"reference":"{hostile}"}}}}"#);
        assert!(refusal(one(&about)).contains("no FHIR id"), "{hostile}");
    }
    let longest = format!("{}-.", "aZ09".repeat(15) + "aa");
    assert_eq!(one(&format!(r#"{{"resourceType":"Goal","id":"{longest}"}}"#)).resources().unwrap()[0].id, longest);
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let deep = one(&format!(r#"{{"resourceType":"Goal","id":"x","extension":{deep}}}"#));
    assert!(deep.resources().is_ok_and(|found| found.len() == 1), "depth costs no stack");
    assert!(bundle(r#"{"resourceType":"Bundle"}"#).resources().unwrap().is_empty());
}

#[test]
fn sources_are_known_by_their_ending() {
    let folder = tempfile::tempdir().unwrap();
    for (name, ok) in [("a.json", true), ("A.TAR.XZ", true), ("a.tgz", true), ("a.zip", true), ("a.txt", false)] {
        let path = folder.path().join(name);
        std::fs::write(&path, "").unwrap();
        assert_eq!(Source::of(&path).is_ok(), ok, "{name}");
    }
    assert!(matches!(Source::of(&folder.path().join("none.json")), Err(InputError::Open { .. })));
    assert_eq!(Source::of(folder.path()).unwrap(), Source::Folder(folder.path().to_owned()));
}

#[test]
fn folders_and_archives_give_the_same_bundles() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("bundles");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in SAMPLE {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("README.txt"), "not a bundle").unwrap();
    std::fs::write(folder.join("._ana.json"), "not a bundle").unwrap();
    let wanted: Vec<_> = SAMPLE.iter().map(|(_, text)| text.as_bytes().to_vec()).collect();

    let tar = {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_dir_all(".", &folder).unwrap();
        tar.into_inner().unwrap()
    };
    let gz = temporary.path().join("b.tar.gz");
    let mut packer = flate2::write::GzEncoder::new(std::fs::File::create(&gz).unwrap(), flate2::Compression::fast());
    packer.write_all(&tar).unwrap();
    packer.finish().unwrap();

    let zip = temporary.path().join("b.zip");
    let mut packer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    for (name, text) in SAMPLE {
        packer.start_file(format!("../{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        packer.write_all(text.as_bytes()).unwrap();
    }
    packer.finish().unwrap();

    for path in [&folder, &gz, &zip] {
        let mut bytes: Vec<_> = read(&Source::of(path).unwrap()).unwrap().into_iter().map(|b| b.into_bytes()).collect();
        bytes.sort();
        let mut wanted = wanted.clone();
        wanted.sort();
        assert!(bytes == wanted, "{}", path.display());
    }
}

#[test]
fn damaged_and_empty_archives_say_so() {
    let temporary = tempfile::tempdir().unwrap();
    for name in ["b.tar.xz", "b.tar.gz", "b.zip"] {
        let path = temporary.path().join(name);
        std::fs::write(&path, b"no archive at all, only text that is long enough to be looked at").unwrap();
        let error = read(&Source::of(&path).unwrap()).err().unwrap();
        assert!(matches!(error, InputError::Archive { .. } | InputError::Zip { .. }), "{name}: {error}");
    }
    let error = read(&Source::of(temporary.path()).unwrap()).err().unwrap();
    assert!(error.to_string().contains("no FHIR bundle"), "{error}");
}

#[test]
fn what_a_header_says_about_length_is_not_believed() {
    let endless = std::io::repeat(b' ');
    let error = read_bundle("b.json".into(), endless.take(MAX_BUNDLE + 7), 3).err().unwrap();
    assert!(matches!(error, InputError::TooLong { .. }));
    assert!(matches!(read_bundle("b".into(), &b""[..], u64::MAX), Err(InputError::TooLong { .. })));
}

#[test]
fn the_synthea_archive_holds_what_its_readme_says() {
    let data = std::env::var_os("WARDKEEP_TEST_DATA").map_or_else(|| "../../shared/data".into(), PathBuf::from);
    let path = data.join("synthea-r4.tar.xz");
    if !path.exists() {
        println!("SKIPPED 1 case: no synthea-r4.tar.xz in the test data");
        return;
    }
    let (mut resources, mut patients, mut without) = (0, 0, 0);
    let mut count = |bundle: Bundle| {
        for resource in bundle.resources().unwrap() {
            resources += 1;
            patients += u32::from(resource.kind == "Patient");
            without += u32::from(resource.patient.is_none());
        }
        ControlFlow::Continue(())
    };
    Source::of(&path).unwrap().each(&mut count).unwrap();
    assert_eq!((resources, patients, without), (32_162, 100, 328));
}
