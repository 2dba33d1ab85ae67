//! Files and variables: what is unreadable, too large, misspelt or set twice is refused by name, and never guessed at.
//!
//! Broke elsewhere: a misspelt key that left a default in force; a secret's file whose line break became part of it.

use std::io::Write;

use proptest::prelude::*;

use super::super::*;

fn assemble(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::assemble(text, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn a_file_is_read_to_its_bound_and_no_further() {
    const MOST: usize = 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wardkeep.toml");
    let fill = |len: usize| std::fs::write(&path, format!("#{}", "x".repeat(len - 1))).unwrap();
    fill(MOST);
    assert_eq!(Config::load_with(&path, []).unwrap(), Config::default());
    fill(MOST + 1);
    let error = Config::load_with(&path, []).unwrap_err();
    assert!(matches!(error, ConfigError::TooLarge { most: 1_048_576, .. }), "{error}");
    assert!(error.to_string().contains("wardkeep.toml` has more than 1048576 bytes"), "{error}");
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(Config::load_with(&path, []), Err(ConfigError::Unreadable { .. })), "no UTF-8");
    let missing = Config::load_with(&folder.path().join("none.toml"), []).unwrap_err();
    assert!(missing.to_string().contains("none.toml` cannot be read"), "{missing}");
    assert!(matches!(Config::load_with(folder.path(), []), Err(ConfigError::Unreadable { .. })), "a folder");
}

#[test]
fn the_file_and_then_the_environment_and_then_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wardkeep.toml");
    std::fs::write(&path, "[limits]\nbody_millis = 20\nidle_millis = 21\n").unwrap();
    let env = |value: &str| [("WARDKEEP__LIMITS__BODY_MILLIS".to_owned(), value.to_owned())];
    let config = Config::load_with(&path, env("30")).unwrap();
    assert_eq!((config.limits.body_millis, config.limits.idle_millis), (30, 21));
    assert!(matches!(Config::load_with(&path, env("9")), Err(ConfigError::Range { .. })));
    // A file that is wrong is mended by a variable: what counts is what is in force.
    std::fs::write(&path, "[limits]\nbody_millis = 9\n").unwrap();
    assert!(Config::load_with(&path, []).is_err());
    assert_eq!(Config::load_with(&path, env("10")).unwrap().limits.body_millis, 10);
}

#[test]
fn variables_that_name_nothing_are_refused_with_a_hint() {
    for (name, hint) in [
        ("WARDKEEP__LIMIT__BODY_MILLIS", "did you mean `limits`?"),
        ("WARDKEEP__LIMITS__BODY_MILIS", "did you mean `body_millis`?"),
        ("WARDKEEP__LIMITS", "write `WARDKEEP__SECTION__KEY`"),
        ("WARDKEEP__", "write `WARDKEEP__SECTION__KEY`"),
        ("WARDKEEP__ZZZZZZZZZZZZ__KEY", "use one of `"),
        ("WARDKEEP__TLS__ZZZZZZZZZZZZZZZZZ", "use one of `"),
    ] {
        let error = assemble("", &[(name, "1")]).unwrap_err();
        assert!(matches!(&error, ConfigError::UnknownVariable { name: named, .. } if named == name), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
    // Others' variables, and our command line's, are none of its business.
    for name in ["WARDKEEP_OUTPUT", "WARDKEEP_LIMITS__BODY_MILLIS", "wardkeep__limits__body_millis", "PATH"] {
        assert_eq!(assemble("", &[(name, "nonsense")]).unwrap(), Config::default(), "{name}");
    }
}

#[test]
fn a_secrets_file_loses_its_line_break_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("name");
    let read = |content: &str| {
        std::fs::write(&path, content).unwrap();
        assemble("", &[("WARDKEEP__ROOT_KEY__ENV_FILE", path.to_str().unwrap())]).unwrap().root_key.env.unwrap()
    };
    assert_eq!(read("KEY\n"), "KEY");
    assert_eq!(read("KEY\r\n"), "KEY");
    assert_eq!(read(" KEY \n\n"), " KEY ");
    assert_eq!(read("K\nEY"), "K\nEY");
    let mut large = std::fs::File::create(&path).unwrap();
    large.write_all(&vec![b'x'; 1024 * 1024 + 1]).unwrap();
    let env = [("WARDKEEP__ROOT_KEY__ENV_FILE", path.to_str().unwrap())];
    assert!(matches!(assemble("", &env), Err(ConfigError::TooLarge { .. })));
}

#[test]
fn both_spellings_of_one_value_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("value");
    std::fs::write(&path, "10").unwrap();
    let env = [("WARDKEEP__LIMITS__BODY_MILLIS_FILE", path.to_str().unwrap()), ("WARDKEEP__LIMITS__BODY_MILLIS", "11")];
    let error = assemble("", &env).unwrap_err();
    let expected = "`WARDKEEP__LIMITS__BODY_MILLIS` and `WARDKEEP__LIMITS__BODY_MILLIS_FILE` are both set: keep one";
    assert_eq!(error.to_string(), expected);
    assert_eq!(assemble("", &env[..1]).unwrap().limits.body_millis, 10, "a number from a file");
}

#[test]
fn maps_lists_and_options_have_their_twins_too() {
    let config = assemble(
        "[identity.kinds]\nuser = \"Person\"\n",
        &[
            ("WARDKEEP__IDENTITY__KINDS__ROBOT", "Robot"),
            ("WARDKEEP__CA__LIFE_HOURS__ROBOT", "3"),
            ("WARDKEEP__TLS__NAMES", "[\"a.test\", \"b.test\"]"),
            ("WARDKEEP__LISTEN__PUBLIC_URL", "https://a.test"),
            ("WARDKEEP__STORAGE__HEAD", "/head"),
            ("WARDKEEP__LOG__FORMAT", "pretty"),
            ("WARDKEEP__LOG__FILTER", "warn"),
            ("WARDKEEP__STORAGE__DATA", "true"),
        ],
    )
    .unwrap();
    assert_eq!((config.identity.kinds["robot"].as_str(), config.identity.kinds["user"].as_str()), ("Robot", "Person"));
    assert_eq!(config.ca.life_millis("robot"), 3 * 3_600_000);
    assert_eq!(config.tls.names, ["a.test", "b.test"]);
    assert_eq!(config.listen.public_url.as_deref(), Some("https://a.test"));
    assert_eq!(config.storage.head.unwrap().to_str(), Some("/head"));
    assert_eq!((config.log.format, config.log.filter.as_str()), (LogFormat::Pretty, "warn"));
    assert_eq!(config.storage.data.to_str(), Some("true"), "text stays text, whatever it looks like");
    for (name, value) in [
        ("WARDKEEP__TLS__NAMES", "a.test"),
        ("WARDKEEP__LOG__FORMAT", "xml"),
        ("WARDKEEP__CA__REVOCATION", "ocsp"),
        ("WARDKEEP__LISTEN__OPS", "localhost"),
        ("WARDKEEP__CA__LIFE_HOURS__ROBOT", "long"),
        ("WARDKEEP__CA__LIFE_HOURS", "5"),
    ] {
        let error = assemble("", &[(name, value)]).unwrap_err();
        assert!(matches!(error, ConfigError::Value { .. } | ConfigError::UnknownVariable { .. }), "{name}: {error}");
    }
}

#[test]
fn unknown_keys_inside_every_section_are_refused_with_their_path() {
    for section in ["storage", "root_key", "listen", "tls", "ca", "identity", "limits", "rate_limit", "log", "pools"] {
        let error = Config::from_toml(&format!("[{section}]\nzzzzzzzzzzzzzzzzzzzzzz = 1\n")).unwrap_err();
        let path = format!("{section}.zzzzzzzzzzzzzzzzzzzzzz");
        assert!(matches!(&error, ConfigError::UnknownKey { path: named, .. } if *named == path), "{error}");
        assert!(error.to_string().contains("use one of `"), "{error}");
        let text = format!("{section} = 5\n");
        let error = Config::from_toml(&text).unwrap_err();
        assert!(error.to_string().contains(&format!("write `[{section}]`")), "{error}");
    }
}

proptest! {
    /// Whatever stands in the file, reading it ends in a configuration that passes its own check, or in a message.
    #[test]
    fn no_text_ends_in_anything_but_a_checked_configuration_or_a_message(text in "\\PC{0,200}") {
        match Config::from_toml(&text) {
            Ok(config) => prop_assert!(config.check().is_ok()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn no_key_that_is_misspelt_is_taken(key in "[a-z_]{1,20}", section in 0_usize..10) {
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        let (name, keys) = defaults.iter().nth(section).unwrap();
        let options = ["head", "file", "env", "enrol", "public_url", "certificate_file", "key_file", "requests_per_second"];
        prop_assume!(!keys.as_table().unwrap().contains_key(&key) && !options.contains(&key.as_str()));
        let error = Config::from_toml(&format!("[{name}]\n{key} = 1\n")).unwrap_err();
        prop_assert!(matches!(error, ConfigError::UnknownKey { .. }), "{}", error);
    }

    /// What is written is what is read.
    #[test]
    fn a_configuration_survives_being_written(body in 10_u64..86_400_001, streams in 1_u32..10_001, name in "[a-z]{1,20}") {
        let mut config = Config::default();
        (config.limits.body_millis, config.limits.streams) = (body, streams);
        config.tls.names = vec![format!("{name}.test")];
        prop_assert_eq!(Config::from_toml(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
}
