//! Every number of the configuration at both ends of what it may be, and one beyond; every refusal names its key.
//!
//! Broke elsewhere: a bound of 0 that meant "none", a timer that overflowed, an option nobody checked (CVE-2026-55776).

use super::super::*;

/// Section, key, least, most.
const NUMBERS: &[(&str, &str, u64, u64)] = &[
    ("storage", "audit_reserve_bytes", 1 << 20, 1 << 40),
    ("tls", "certificate_life_hours", 1, 9_528),
    ("ca", "longest_leaf_life_hours", 1, 8_784),
    ("ca", "default_life_hours", 1, 8_784),
    ("ca", "crl_life_hours", 1, 720),
    ("ca", "token_life_minutes", 1, 10_080),
    ("ca", "family_certificates", 2, 1_024),
    ("limits", "handshake_millis", 10, 86_400_000),
    ("limits", "first_byte_millis", 10, 86_400_000),
    ("limits", "headers_millis", 10, 86_400_000),
    ("limits", "body_millis", 10, 86_400_000),
    ("limits", "request_millis", 10, 86_400_000),
    ("limits", "idle_millis", 10, 86_400_000),
    ("limits", "connection_age_millis", 10, 86_400_000),
    ("limits", "drain_millis", 10, 86_400_000),
    ("limits", "connections", 1, 1_000_000),
    ("limits", "handshakes", 1, 1_000_000),
    ("limits", "connections_per_address", 1, 1_000_000),
    ("limits", "streams", 1, 10_000),
    ("limits", "header_bytes", 8_192, 1_048_576),
    ("limits", "body_bytes", 1_024, 1 << 26),
    ("limits", "large_body_bytes", 1_024, 1 << 28),
    ("limits", "json_depth", 8, 127),
    ("limits", "strings", 16, 1 << 24),
    ("limits", "large_strings", 16, 1 << 24),
    ("rate_limit", "requests_per_second", 1, 1_000_000),
    ("rate_limit", "burst", 1, 1_000_000),
    ("rate_limit", "enrolments_per_minute", 1, 60_000),
    ("pools", "cheap", 1, 1_000_000),
    ("pools", "dear_threads", 0, 1_024),
    ("pools", "dear_queue", 1, 1_000_000),
    ("user_keys", "longest_life_hours", 1, 744),
    ("user_keys", "list_life_hours", 1, 168),
];

fn read(section: &str, key: &str, value: &str) -> Result<Config, ConfigError> {
    Config::from_toml(&format!("[{section}]\n{key} = {value}\n"))
}

#[test]
fn every_number_is_taken_at_its_ends_and_refused_beyond_them() {
    for (section, key, least, most) in NUMBERS {
        for good in [*least, *most] {
            assert!(read(section, key, &good.to_string()).is_ok(), "{section}.{key} = {good}");
        }
        for bad in [least.checked_sub(1), Some(most + 1)].into_iter().flatten() {
            let error = read(section, key, &bad.to_string()).unwrap_err();
            let ConfigError::Range { key: named, value, allowed } = &error else { panic!("{section}.{key}: {error}") };
            assert_eq!((*named, *value), (format!("{section}.{key}").as_str(), bad));
            assert!(allowed.contains(&least.to_string()) && allowed.contains(&most.to_string()), "{error}");
            assert!(error.to_string().contains(&format!("`{section}.{key}` is {bad}: use")), "{error}");
        }
        for wrong in ["-1", "1.5", "\"7\"", "true", "[]", "18446744073709551616"] {
            let message = read(section, key, wrong).unwrap_err().to_string();
            assert!(message.contains(key) || message.contains("line 2"), "{section}.{key} = {wrong}: {message}");
        }
    }
}

/// A number that is added to the configuration is added to the table above too.
#[test]
fn the_table_holds_every_number_there_is() {
    let defaults = toml::Table::try_from(Config::default()).unwrap();
    let mut missing = Vec::new();
    for (section, keys) in &defaults {
        for (key, value) in keys.as_table().unwrap() {
            let known = NUMBERS.iter().any(|(s, k, _, _)| s == section && k == key);
            if value.is_integer() && !known {
                missing.push(format!("{section}.{key}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn each_number_has_a_twin_in_the_environment_that_is_held_to_the_same_bounds() {
    for (section, key, least, most) in NUMBERS {
        let name = format!("WARDKEEP__{}__{}", section.to_uppercase(), key.to_uppercase());
        let with = |value: u64| Config::assemble("", [(name.clone(), value.to_string())]);
        let (low, high) = (with(*least).unwrap(), with(*most).unwrap());
        assert_ne!(low, high, "{name} is not read");
        assert_eq!(low, read(section, key, &least.to_string()).unwrap(), "{name}");
        assert!(matches!(with(most + 1), Err(ConfigError::Range { .. })), "{name}");
    }
}

#[test]
fn lives_by_kind_are_bounded_one_by_one() {
    for (text, good) in [
        ("life_hours = { service = 1, user = 8784 }", true),
        ("life_hours = {}", true),
        ("life_hours = { service = 0 }", false),
        ("life_hours = { service = 24, user = 8785 }", false),
        ("life_hours = { service = -1 }", false),
        ("life_hours = { service = \"1\" }", false),
    ] {
        let read = Config::from_toml(&format!("[ca]\n{text}\n"));
        assert_eq!(read.is_ok(), good, "{text}");
        assert!(good || read.unwrap_err().to_string().contains("ca.life_hours"), "{text}");
    }
    let ca = Config::from_toml("[ca]\nlife_hours = { user = 2 }\ndefault_life_hours = 3\n").unwrap().ca;
    assert_eq!((ca.life_millis("user"), ca.life_millis("robot")), (7_200_000, 10_800_000));
    assert_eq!(ca.longest_life_millis(), None, "with a CRL nothing bounds them but their issuer");
}

#[test]
fn short_lives_bound_what_the_built_in_ca_issues() {
    for (lives, longest, good) in [
        ("life_hours = { service = 24 }\ndefault_life_hours = 24", 24, true),
        ("life_hours = { service = 24 }\ndefault_life_hours = 25", 24, false),
        ("life_hours = { service = 25 }\ndefault_life_hours = 24", 24, false),
        ("life_hours = { service = 25 }\ndefault_life_hours = 24", 25, true),
    ] {
        let text = format!("[ca]\nrevocation = \"short-lived\"\nlongest_leaf_life_hours = {longest}\n{lives}\n");
        assert_eq!(Config::from_toml(&text).is_ok(), good, "{text}");
    }
    let foreign = "[ca]\nrevocation = \"short-lived\"\ncertificate_file = \"/ca\"\n";
    assert_eq!(Config::from_toml(foreign).unwrap().ca.longest_life_millis(), Some(86_400_000), "issued elsewhere");
}

#[test]
fn each_contradiction_names_its_key_and_says_what_to_do() {
    for (text, key, advice) in [
        ("[storage]\ndata = \"\"\n", "storage.data", "name a folder"),
        ("[storage]\ndata = \"/d\"\nhead = \"/d/x/head\"\n", "storage.head", "choose a path outside"),
        ("[root_key]\nfile = \"/k\"\nenv = \"K\"\n", "root_key.file", "keep one"),
        ("[listen]\napi = \"127.0.0.1:1\"\nops = \"127.0.0.1:1\"\n", "listen", "give each its own port"),
        ("[listen]\napi = \"127.0.0.1:1\"\nenrol = \"127.0.0.1:1\"\n", "listen", "give each its own port"),
        ("[listen]\nenrol = \"127.0.0.1:1\"\nops = \"127.0.0.1:1\"\n", "listen", "give each its own port"),
        ("[listen]\npublic_url = \"ftp://a\"\n", "listen.public_url", "begin with `https://`"),
        ("[tls]\ncertificate_file = \"/c\"\n", "tls.certificate_file", "set both or none"),
        ("[tls]\nkey_file = \"/k\"\n", "tls.certificate_file", "set both or none"),
        ("[tls]\nnames = []\n", "tls.names", "name at least one"),
        ("[ca]\ncrl_files = [\"/c\"]\n", "ca.crl_files", "for a CA of your own"),
        ("[ca]\ncertificate_file = \"/c\"\n", "ca.crl_files", "short-lived"),
        ("[ca]\nrevocation = \"short-lived\"\n", "ca.life_hours", "shorten them"),
        ("[identity]\nkinds = {}\n", "identity.kinds", "map at least one"),
    ] {
        let error = Config::from_toml(text).unwrap_err();
        assert!(matches!(&error, ConfigError::Conflict { key: named, .. } if *named == key), "{text}: {error}");
        let message = error.to_string();
        assert!(message.starts_with(&format!("`{key}`")) && message.contains(advice), "{message}");
    }
    for good in [
        "[listen]\napi = \"127.0.0.1:0\"\nops = \"127.0.0.1:0\"\n",
        "[listen]\napi = \"127.0.0.1:1\"\nops = \"127.0.0.2:1\"\n",
        "[storage]\ndata = \"/d\"\nhead = \"/data/head\"\n",
        "[storage]\ndata = \"/d\"\nhead = \"/d/../head\"\n",
        "[tls]\nnames = []\ncertificate_file = \"/c\"\nkey_file = \"/k\"\n",
    ] {
        assert!(Config::from_toml(good).is_ok(), "{good}");
    }
}
