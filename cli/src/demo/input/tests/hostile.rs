//! Input of somebody who wants the demo to write elsewhere, run out of memory, or mix records up.
//!
//! Broke elsewhere: archives whose names led out of their folder (Zip Slip), a few kilobytes that unpacked to gigabytes,
//! parsers that changed a record's numbers on the way (`7.10` to `7.1`).

use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

/// A tar header for a file, or another kind of entry, with any name that fits and any size.
fn header(name: &[u8], kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(bytes.len().next_multiple_of(512), 0);
    out
}

fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    [header(name.as_bytes(), tar::EntryType::Regular, bytes.len() as u64).as_bytes(), padded(bytes).as_slice()].concat()
}

/// Packs parts of a tar archive; its end of two empty blocks is added.
fn packed(parts: &[Vec<u8>]) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.tar.gz");
    let mut packer = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
    for part in parts {
        packer.write_all(part).unwrap();
    }
    packer.write_all(&[0; 1024]).unwrap();
    packer.finish().unwrap();
    (folder, Source::of(&path).unwrap())
}

fn names(source: &Source) -> Result<Vec<String>, InputError> {
    read(source).map(|bundles| bundles.iter().map(|bundle| bundle.name().to_owned()).collect())
}

const EMPTY: &[u8] = br#"{"resourceType":"Bundle"}"#;

#[test]
fn names_in_a_tar_are_names_and_nothing_more() {
    let (folder, source) = packed(&[
        file("../../up.json", EMPTY),
        file("/etc/absolute.json", EMPTY),
        file("a/../b.json", EMPTY),
        file("C:\\x.json", EMPTY),
        file(".json", EMPTY),
        file("x.json/", EMPTY),
        file("x.JSON", EMPTY),
        file("x.json.exe", EMPTY),
    ]);
    let found = names(&source).unwrap();
    assert_eq!(found, ["../../up.json", "/etc/absolute.json", "a/../b.json", "C:\\x.json", "x.json/", "x.JSON"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was unpacked");
}

#[test]
fn links_folders_and_devices_are_no_bundles() {
    use tar::EntryType as Kind;
    let kinds = [Kind::Symlink, Kind::Link, Kind::Directory, Kind::Char, Kind::Block, Kind::Fifo, Kind::XGlobalHeader];
    let mut parts: Vec<_> = kinds.iter().map(|kind| header(b"x.json", *kind, 0).as_bytes().to_vec()).collect();
    assert!(matches!(names(&packed(&parts).1), Err(InputError::Empty { .. })));
    parts.push(file("y.json", EMPTY));
    assert_eq!(names(&packed(&parts).1).unwrap(), ["y.json"]);
}

#[test]
fn long_names_are_put_together_in_either_way() {
    let long = format!("{}/patient.json", "folder".repeat(40));
    let gnu = [
        header(b"././@LongLink", tar::EntryType::GNULongName, long.len() as u64 + 1).as_bytes().to_vec(),
        padded(format!("{long}\0").as_bytes()),
        file("folderfolder", EMPTY),
    ];
    assert_eq!(names(&packed(&gnu).1).unwrap(), std::slice::from_ref(&long));
    let record = |len: usize| format!("{len} path={long}\n");
    let text = (0..).map(record).find(|text| text.split(' ').next() == Some(&text.len().to_string())).unwrap();
    let pax = [
        header(b"PaxHeaders/x", tar::EntryType::XHeader, text.len() as u64).as_bytes().to_vec(),
        padded(text.as_bytes()),
        file("cut", EMPTY),
        file("own.json", EMPTY),
    ];
    assert_eq!(names(&packed(&pax).1).unwrap(), [long, "own.json".to_owned()], "a name counts for one entry");
    // As the library writes them.
    let (folder, mut tar) = (tempfile::tempdir().unwrap(), tar::Builder::new(Vec::new()));
    let name = format!("{}.json", "n".repeat(180));
    let mut head = tar::Header::new_gnu();
    head.set_size(EMPTY.len() as u64);
    tar.append_data(&mut head, &name, EMPTY).unwrap();
    let path = folder.path().join("b.tgz");
    let mut packer = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
    packer.write_all(&tar.into_inner().unwrap()).unwrap();
    packer.finish().unwrap();
    assert_eq!(names(&Source::of(&path).unwrap()).unwrap(), [name]);
}

#[test]
fn a_name_without_end_is_refused_and_not_kept() {
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader] {
        // 32 MiB of name in a few dozen kilobytes of gzip.
        let size: usize = 32 << 20;
        let (folder, source) = packed(&[header(b"x", kind, size as u64).as_bytes().to_vec(), vec![b'a'; size]]);
        let packed = std::fs::metadata(folder.path().join("b.tar.gz")).unwrap().len();
        assert!(packed < 1 << 20, "{packed} bytes");
        let error = names(&source).unwrap_err();
        assert!(error.to_string().contains("longer than 64 KiB"), "{error}");
    }
    let most = usize::try_from(64_u64 * 1024).unwrap();
    let just = [
        header(b"x", tar::EntryType::GNULongName, most as u64).as_bytes().to_vec(),
        padded(&vec![b'a'; most]),
        file("y.json", EMPTY),
        file("z.json", EMPTY),
    ];
    assert_eq!(names(&packed(&just).1).unwrap(), ["z.json"], "64 KiB are read; no ending, no bundle");
}

#[test]
fn a_bundle_without_end_is_refused_by_what_comes_out_of_it() {
    let size = MAX_BUNDLE + 1;
    let claims = header(b"x.json", tar::EntryType::Regular, size).as_bytes().to_vec();
    let error = names(&packed(&[claims]).1).unwrap_err();
    assert!(matches!(&error, InputError::TooLong { name } if name == "x.json"), "{error}");
    assert!(error.to_string().contains("256 MiB"), "{error}");
}

#[test]
fn archives_that_are_cut_short_are_not_taken_for_whole() {
    let (folder, source) = packed(&[file("a.json", EMPTY), file("b.json", &vec![b' '; 5000])]);
    let path = folder.path().join("b.tar.gz");
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(names(&source).unwrap().len(), 2);
    for cut in (0..whole.len() - 1).step_by(7) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        match names(&source) {
            Err(InputError::Archive { .. } | InputError::Read { .. } | InputError::Empty { .. }) => {}
            other => panic!("cut to {cut} of {}: {other:?}", whole.len()),
        }
    }
    // Anywhere: in the deflated bytes, or in the checksum behind them. The time in the gzip header is nobody's.
    for place in (10..whole.len()).step_by(3) {
        let mut bad = whole.clone();
        bad[place] ^= 0x55;
        std::fs::write(&path, &bad).unwrap();
        // Deflate has several ways to write one text: what comes out must be that text, or nothing.
        if let Ok(found) = read(&source) {
            let same = found.into_iter().map(Bundle::into_bytes).eq([EMPTY.to_vec(), vec![b' '; 5000]]);
            assert!(same, "byte {place} of {} changed a record", whole.len());
        }
    }
}

#[test]
fn a_header_that_contradicts_its_checksum_ends_the_reading() {
    let mut bad = file("a.json", EMPTY);
    bad[0] ^= 1;
    assert!(matches!(names(&packed(&[bad]).1), Err(InputError::Archive { .. })));
}

fn zip_of(entries: &[(&str, &[u8])]) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.zip");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    (folder, Source::of(&path).unwrap())
}

#[test]
fn names_in_a_zip_are_names_and_nothing_more() {
    let (folder, source) = zip_of(&[("../../up.json", EMPTY), ("/abs.json", EMPTY), ("d/", b""), ("x.txt", b"")]);
    assert_eq!(names(&source).unwrap(), ["../../up.json", "/abs.json"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_zip_that_lies_about_its_sizes_is_refused() {
    let long = vec![b' '; 1 << 20];
    let (folder, source) = zip_of(&[("a.json", &long)]);
    let path = folder.path().join("b.zip");
    let whole = std::fs::read(&path).unwrap();
    let size = u32::try_from(long.len()).unwrap().to_le_bytes();
    let lied = |claim: u32| {
        let mut bytes = whole.clone();
        let places: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + 4].copy_from_slice(&claim.to_le_bytes());
        }
        std::fs::write(&path, bytes).unwrap();
        read(&source)
    };
    assert!(matches!(lied(u32::MAX - 1), Err(InputError::TooLong { .. })), "it claims 4 GiB");
    if let Ok(found) = lied(3) {
        // What comes out counts, and never more than it is.
        assert!(found.into_iter().all(|bundle| bundle.into_bytes().len() <= long.len()));
    }
    for cut in (0..whole.len()).step_by(53) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(read(&source).is_err(), "cut to {cut}");
    }
}

#[test]
fn bundles_as_they_should_not_be() {
    let refused = |json: &str, says: &str| {
        let error = bundle(json).resources().err().unwrap_or_else(|| panic!("{json} was taken"));
        assert!(error.to_string().contains(says), "{json}: {error}");
    };
    for json in ["null", "[]", "\"Bundle\"", "7", "{}", "{\"resourceType\":null}", "{\"resourceType\":[\"Bundle\"]}"] {
        refused(json, "not a FHIR bundle");
    }
    refused(r#"{"resourceType":"Bundle","resourceType":"Patient"}"#, "duplicate field");
    refused(r#"{"resourceType":"Bundle","entry":[],"entry":[]}"#, "duplicate field");
    refused(r#"{"resourceType":"Bundle","entry":[[{"resource":{}}]]}"#, "not a FHIR bundle");
    refused(r#"{"resourceType":"Bundle","entry":[null]}"#, "not a FHIR bundle");
    refused(r#"{"resourceType":"Bundle","entry":{"resource":{}}}"#, "not a FHIR bundle");
    refused(r#"{"resourceType":"Bundle"} trailing"#, "not a FHIR bundle");
    refused(r#"{"resourceType":"bundle"}"#, "not a `Bundle`");
    refused(&format!(r#"{{"resourceType":"{}"}}"#, "X".repeat(5000)), "not a `Bundle`");
    for (resource, says) in [
        ("[]", "entry 0"),
        ("\"x\"", "entry 0"),
        (r#"{"resourceType":""}"#, "no FHIR resource type"),
        (r#"{"resourceType":"patient"}"#, "no FHIR resource type"),
        (r#"{"resourceType":"Pa tient"}"#, "no FHIR resource type"),
        (r#"{"resourceType":"Pat\u0000"}"#, "no FHIR resource type"),
        (r#"{"resourceType":"Patient","id":""}"#, "0 bytes"),
        (r#"{"resourceType":"Patient","id":"a","id":"b"}"#, "duplicate field"),
        (r#"{"resourceType":"Patient","resourceType":"Group"}"#, "duplicate field"),
    ] {
        let error = one(resource).resources().err().unwrap();
        assert!(error.to_string().contains(says), "{resource}: {error}");
    }
}

#[test]
fn a_null_or_missing_resource_is_no_resource() {
    let found = bundle(r#"{"resourceType":"Bundle","entry":[{"resource":null},{},{"fullUrl":null}]}"#);
    assert!(found.resources().unwrap().is_empty());
}

#[test]
fn text_that_is_not_utf_8_is_refused_wherever_it_stands() {
    let good = br#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Goal","id":"g","note":"abc"}}]}"#;
    let place = good.windows(3).position(|part| part == b"abc").unwrap();
    for bad in [&b"\xff\xfe\xfd"[..], b"a\xc0\x80", b"\xed\xa0\x80"] {
        let mut bytes = good.to_vec();
        bytes[place..place + 3].copy_from_slice(bad);
        let error = Bundle::new("b.json".into(), bytes).resources().err().unwrap();
        assert!(matches!(error, InputError::Json { .. }), "{error}");
    }
}

#[test]
fn numbers_keep_every_digit_they_came_with() {
    for number in
        ["7.10", "1e400", "-0", "0.1000000000000000055511151231257827", "123456789012345678901234567890", "1E-7"]
    {
        let resource = format!(r#"{{"resourceType":"Observation","id":"o","value":{number}}}"#);
        assert_eq!(one(&resource).resources().unwrap()[0].raw, resource.as_bytes(), "{number}");
    }
}

#[test]
fn depth_in_any_member_costs_no_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
        for member in ["extension", "contained", "x"] {
            let found = one(&format!(r#"{{"resourceType":"Goal","id":"g","{member}":{deep}}}"#));
            assert_eq!(found.resources().map(|found| found.len()).unwrap_or(0), 1, "{member} {open}");
        }
    }
    // Where a member is looked at, depth is refused instead.
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let _either = one(&format!(r#"{{"resourceType":"Goal","id":"g","subject":{deep}}}"#)).resources().map(drop);
}

#[test]
fn hidden_and_foreign_files_are_passed_over() {
    for (name, is) in [
        ("a.json", true),
        ("deep/a.JSON", true),
        (".json", false),
        ("._a.json", false),
        (".hidden.json", false),
        ("a.json~", false),
        ("a.ndjson", false),
        ("json", false),
        ("", false),
        ("..", false),
    ] {
        assert_eq!(is_bundle_name(Path::new(name)), is, "{name:?}");
    }
}

proptest! {
    /// Whatever the bytes are, it is an answer: resources, or an error that names the bundle.
    #[test]
    fn no_bytes_end_the_program(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Err(error) = Bundle::new("b.json".into(), bytes).resources() {
            prop_assert!(error.to_string().contains("`b.json`"));
        }
    }

    /// Each resource comes out as the very bytes that went in, whatever stands around them.
    #[test]
    fn resources_come_out_byte_for_byte(
        ids in proptest::collection::vec("[A-Za-z0-9.-]{1,64}", 0..8),
        spaces in "[ \t\n\r]{0,4}",
        text in "\\PC{0,20}",
    ) {
        let text = serde_json::to_string(&text).unwrap();
        let raws: Vec<_> =
            ids.iter().map(|id| format!("{{{spaces}\"resourceType\":\"Goal\",{spaces}\"id\":\"{id}\",\"t\":{text}}}")).collect();
        let entries: Vec<_> = raws.iter().map(|raw| format!("{{\"resource\":{spaces}{raw}{spaces}}}")).collect();
        let json = format!("{spaces}{{\"entry\":[{}],{spaces}\"resourceType\":\"Bundle\"}}{spaces}", entries.join(","));
        let bundle = Bundle::new("b.json".into(), json.into_bytes());
        let found = bundle.resources().unwrap();
        prop_assert_eq!(found.len(), raws.len());
        for (found, (raw, id)) in found.iter().zip(raws.iter().zip(&ids)) {
            prop_assert_eq!(found.raw, raw.as_bytes());
            prop_assert_eq!(&found.id, id);
        }
    }

    /// Any bytes under any of the endings: an error or bundles, never an end of the program.
    #[test]
    fn archives_of_noise_are_errors(bytes in proptest::collection::vec(any::<u8>(), 0..2000), kind in 0..3_usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(["b.zip", "b.tar.gz", "b.tar.xz"][kind]);
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(read(&Source::of(&path).unwrap()).is_err());
    }
}
