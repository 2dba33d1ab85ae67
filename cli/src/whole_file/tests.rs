//! Files that are whole, private, and of the name that was meant.

use super::*;

#[test]
fn a_file_is_there_only_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out");
    let mut file = WholeFile::create(&place, Readers::Owner, false).unwrap();
    file.write_all(b"half").unwrap();
    assert!(!place.exists());
    drop(file);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");

    write(&place, b"whole", Readers::Owner, false).unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), b"whole");
    let refusal = write(&place, b"other", Readers::Owner, false).unwrap_err();
    assert!(refusal.to_string().contains("exists already"), "{refusal}");
    write(&place, b"other", Readers::Owner, true).unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), b"other");
}

#[cfg(unix)]
#[test]
fn private_files_are_private_from_the_first_byte() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("key");
    let file = WholeFile::create(&place, Readers::Owner, false).unwrap();
    assert_eq!(file.temporary.as_file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    file.finish().unwrap();
    assert_eq!(place.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn a_link_in_the_way_is_refused_or_replaced_and_never_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (place, target) = (folder.path().join("out"), folder.path().join("target"));
    std::os::unix::fs::symlink(&target, &place).unwrap();
    // It leads nowhere: there is no file, and yet the name is taken.
    let error = WholeFile::create(&place, Readers::Owner, false).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    std::fs::write(&target, "another's").unwrap();
    write(&place, b"mine", Readers::Owner, true).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"another's");
    assert!(!place.symlink_metadata().unwrap().is_symlink());
}

#[test]
fn a_name_that_is_taken_meanwhile_is_not_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out");
    let mut file = WholeFile::create(&place, Readers::Anyone, false).unwrap();
    file.write_all(b"mine").unwrap();
    std::fs::write(&place, "another's").unwrap();
    let error = file.finish().unwrap_err();
    assert!(error.to_string().contains("could not create"), "{error}");
    assert_eq!(std::fs::read(&place).unwrap(), b"another's");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the passing file is gone");
}

#[test]
fn places_that_cannot_be_are_named_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for place in [folder.path().join("none/out"), file.join("out")] {
        let error = WholeFile::create(&place, Readers::Owner, false).unwrap_err();
        assert!(error.to_string().contains("could not create") && error.to_string().contains("out"), "{error}");
    }
    // A folder of that name shows only at the end, and stays.
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    assert!(write(&folder.path().join("folder"), b"x", Readers::Owner, true).is_err());
    assert!(folder.path().join("folder").is_dir());
    assert_eq!(folder_of(Path::new("out")), Path::new("."));
    assert_eq!(folder_of(Path::new("a/out")), Path::new("a"));
}

/// Two processes that write one name: each reader sees one or the other, whole.
#[test]
fn writers_at_once_leave_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out");
    let writers: Vec<_> = (0..8_u8)
        .map(|number| {
            let place = place.clone();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    write(&place, &vec![number; 10_000], Readers::Owner, true).unwrap();
                }
            })
        })
        .collect();
    while !place.exists() {
        std::thread::yield_now();
    }
    for _ in 0..200 {
        let bytes = std::fs::read(&place).unwrap();
        assert!(bytes.len() == 10_000 && bytes.iter().all(|byte| *byte == bytes[0]), "a mixture of {}", bytes.len());
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
