//! The configuration: what it refuses, and that it says where.

mod bounds;
mod sources;

use super::*;

fn with_env(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::assemble(text, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn the_sample_is_the_default_but_for_paths() {
    let mut sample = Config::from_toml(SAMPLE).unwrap();
    assert!(sample.storage.head.take().is_some());
    assert!(sample.root_key.file.take().is_some());
    assert_eq!(sample, Config::default());
}

#[test]
fn every_key_stands_in_the_sample() {
    let table = Table::try_from(Config::default()).unwrap();
    for (section, keys) in table {
        assert!(SAMPLE.contains(&format!("[{section}]")), "{section}");
        for key in keys.as_table().unwrap().keys() {
            assert!(SAMPLE.contains(&format!("{key} =")), "{section}.{key}");
        }
    }
}

use toml::Table;

#[test]
fn unknown_keys_are_refused_with_path_and_hint() {
    for (text, path, hint) in [
        ("[limit]\n", "limit", "did you mean `limits`?"),
        ("[limits]\nboddy_bytes = 5\n", "limits.boddy_bytes", "did you mean `body_bytes`?"),
        ("[tls]\nzzz = 1\n", "tls.zzz", "use one of `certificate_file`"),
        ("[log]\nlevel = \"info\"\n", "log.level", "use one of"),
    ] {
        let message = Config::from_toml(text).unwrap_err().to_string();
        assert!(message.contains(&format!("`{path}`")) && message.contains(hint), "{message}");
    }
}

#[test]
fn wrong_values_name_their_key() {
    for (text, path) in [
        ("[listen]\napi = \"nowhere\"\n", "listen.api"),
        ("[limits]\nbody_millis = \"soon\"\n", "limits.body_millis"),
        ("[limits]\nbody_millis = -1\n", "limits.body_millis"),
        ("[ca]\nrevocation = \"ocsp\"\n", "ca.revocation"),
        ("limits = 5\n", "limits"),
        ("[identity]\ntrust_domain = \"Example.COM\"\n", "identity.trust_domain"),
        ("[identity.kinds]\nuser = \"not a type\"\n", "identity.kinds.user"),
        ("[identity.kinds]\n\"../x\" = \"User\"\n", "identity.kinds.../x"),
    ] {
        let message = Config::from_toml(text).unwrap_err().to_string();
        assert!(message.contains(&format!("`{path}`")), "{message}");
    }
}

#[test]
fn syntax_errors_say_the_line() {
    let message = Config::from_toml("[storage]\ndata = \n").unwrap_err().to_string();
    assert!(message.contains("line 2"), "{message}");
}

#[test]
fn contradictions_are_refused() {
    for text in [
        "[storage]\ndata = \"/d\"\nhead = \"/d/head\"\n",
        "[storage]\ndata = \"/d\"\nhead = \"/x/../d/./head\"\n",
        "[storage]\ndata = \"\"\n",
        "[root_key]\nfile = \"/k\"\nenv = \"K\"\n",
        "[tls]\ncertificate_file = \"/c\"\n",
        "[tls]\nnames = []\n",
        "[ca]\ncrl_files = [\"/c\"]\n",
        "[ca]\ncertificate_file = \"/c\"\n",
        "[ca]\nrevocation = \"short-lived\"\n",
        "[listen]\napi = \"127.0.0.1:1\"\nops = \"127.0.0.1:1\"\n",
        "[listen]\npublic_url = \"http://a\"\n",
        "[limits]\nhandshake_millis = 0\n",
        "[rate_limit]\nrequests_per_second = 0\n",
        "[identity]\nkinds = {}\n",
    ] {
        assert!(Config::from_toml(text).is_err(), "{text}");
    }
    let short = "[ca]\nrevocation = \"short-lived\"\nlife_hours = { service = 12, user = 24 }\n";
    assert_eq!(Config::from_toml(short).unwrap().ca.longest_life_millis(), Some(86_400_000));
}

#[test]
fn the_environment_overrides_and_is_typed_by_the_key() {
    let env = [
        ("WARDKEEP__STORAGE__DATA", "123"),
        ("WARDKEEP__LIMITS__BODY_BYTES", "2048"),
        ("WARDKEEP__LISTEN__ENROL", "127.0.0.1:9"),
        ("WARDKEEP__TLS__NAMES", "[\"a.example\"]"),
        ("WARDKEEP__IDENTITY__KINDS__ROBOT", "Robot"),
        ("WARDKEEP__CA__REVOCATION", "crl"),
        ("WARDKEEP__RATE_LIMIT__REQUESTS_PER_SECOND", "7"),
        ("WARDKEEP_OUTPUT", "json"),
    ];
    let config = with_env("[limits]\nbody_bytes = 4096\n", &env).unwrap();
    assert_eq!(config.storage.data.to_str(), Some("123"));
    assert_eq!(config.limits.body_bytes, 2048);
    assert_eq!(config.listen.enrol.unwrap().port(), 9);
    assert_eq!(config.tls.names, ["a.example"]);
    assert_eq!(config.identity.kinds["robot"], "Robot");
    assert_eq!(config.identity.kinds["user"], "User");
    assert_eq!(config.rate_limit.requests_per_second, Some(7));
}

#[test]
fn the_environment_is_held_to_the_same_rules() {
    for (name, value) in [
        ("WARDKEEP__LIMITS__BODY_BITES", "1"),
        ("WARDKEEP__NOTHING__AT_ALL", "1"),
        ("WARDKEEP__LIMITS", "1"),
        ("WARDKEEP__LIMITS__BODY_BYTES", "many"),
        ("WARDKEEP__LIMITS__BODY_BYTES__MORE", "1"),
        ("WARDKEEP__STORAGE__DATA_FILE", "/does/not/exist"),
    ] {
        let message = with_env("", &[(name, value)]).unwrap_err().to_string();
        assert!(!message.is_empty(), "{name}");
    }
}

#[test]
fn a_file_variable_gives_the_files_content_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "KEY_VARIABLE\n").unwrap();
    let file = file.to_str().unwrap();
    let config = with_env("", &[("WARDKEEP__ROOT_KEY__ENV_FILE", file)]).unwrap();
    assert_eq!(config.root_key.env.as_deref(), Some("KEY_VARIABLE"));
    let config = with_env("", &[("WARDKEEP__TLS__KEY_FILE", "/k"), ("WARDKEEP__TLS__CERTIFICATE_FILE", "/c")]).unwrap();
    assert_eq!(config.tls.key_file.unwrap().to_str(), Some("/k"), "`key_file` is a key by itself");
    let twice = [("WARDKEEP__ROOT_KEY__ENV_FILE", file), ("WARDKEEP__ROOT_KEY__ENV", "X")];
    assert!(matches!(with_env("", &twice), Err(ConfigError::SetTwice { .. })));
}
