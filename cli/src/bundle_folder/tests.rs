//! Folders that are a bundle, and folders that are nearly one.

use super::*;

#[test]
fn a_folder_becomes_a_bundle_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    assert!(read(folder.path()).unwrap_err().to_string().contains(".cedarschema"));
    write("clinic.cedarschema", "entity User;");
    assert!(read(folder.path()).unwrap_err().to_string().contains("`.cedar`"));
    write("b.cedar", "// b");
    write("README.md", "no policy");
    assert!(matches!(read(folder.path()), Err(BundleFolderError::File(_))), "the manifest is missing");
    write("wardkeep.toml", "");
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    write("policies/a.cedar", "// a");
    let bundle = read(folder.path()).unwrap();
    let names: Vec<_> = bundle.policies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b.cedar", "policies/a.cedar"]);
    assert_eq!(bundle.entities, None);
    write("entities.json", "[]");
    assert_eq!(read(folder.path()).unwrap().entities.as_deref(), Some("[]"));
    write("second.cedarschema", "");
    assert!(read(folder.path()).is_err());
}

/// A whole bundle, and the way to change it.
fn whole() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("wardkeep.toml", "subjects = []"), ("a.cedarschema", "entity User;"), ("a.cedar", "// a")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn only_files_of_the_endings_count_and_only_one_folder_down() {
    let folder = whole();
    let write = |name: &str| std::fs::write(folder.path().join(name), "// x").unwrap();
    for name in ["notes.txt", "a.cedar.bak", "A.CEDAR", "cedar", "a.cedarschema.json"] {
        write(name);
    }
    std::fs::create_dir_all(folder.path().join("policies/deeper")).unwrap();
    std::fs::create_dir(folder.path().join("other")).unwrap();
    for name in ["policies/z.cedar", "policies/b.cedar", "policies/deeper/no.cedar", "other/no.cedar"] {
        write(name);
    }
    let names: Vec<_> = read(folder.path()).unwrap().policies.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a.cedar", "policies/b.cedar", "policies/z.cedar"]);
}

#[test]
fn a_schema_may_stand_beside_the_policies_and_two_may_not_stand_anywhere() {
    let folder = whole();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::rename(folder.path().join("a.cedarschema"), folder.path().join("policies/a.cedarschema")).unwrap();
    assert_eq!(read(folder.path()).unwrap().schema, "entity User;");
    std::fs::write(folder.path().join("b.cedarschema"), "").unwrap();
    let said = read(folder.path()).unwrap_err().to_string();
    assert!(said.contains("holds 2 files ending in `.cedarschema`: a bundle has one"), "{said}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    type Break = fn(&Path);
    let breaks: [(&str, Break, &str); 6] = [
        ("wardkeep.toml", |path| std::fs::remove_file(path).unwrap(), "could not read"),
        ("a.cedar", |path| std::fs::write(path, [0xFF, 0xFE]).unwrap(), "UTF-8"),
        ("a.cedarschema", |path| std::fs::write(path, [0xFF]).unwrap(), "UTF-8"),
        ("entities.json", |path| std::fs::create_dir(path).unwrap(), "could not read"),
        ("a.cedar", |path| std::fs::File::create(path).unwrap().set_len(MAX_FILE + 1).unwrap(), "longer than 8 MiB"),
        ("b.cedar", |path| std::os::unix::fs::symlink("nowhere", path).unwrap(), "could not read"),
    ];
    for (name, break_it, says) in breaks {
        let folder = whole();
        break_it(&folder.path().join(name));
        let said = read(folder.path()).unwrap_err().to_string();
        assert!(said.contains(says) && said.contains(name), "{name}: {said}");
    }
    let said = read(Path::new("no-such-folder")).unwrap_err().to_string();
    assert!(said.contains("could not read `no-such-folder`"), "{said}");
}

#[test]
fn the_longest_file_is_read() {
    let folder = whole();
    let path = folder.path().join("long.cedar");
    std::fs::write(&path, " ".repeat(usize::try_from(MAX_FILE).unwrap())).unwrap();
    assert_eq!(read(folder.path()).unwrap().policies[1].1.len() as u64, MAX_FILE);
}
