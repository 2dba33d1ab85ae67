//! Data keys sealed for a caller's RSA key, and acting for somebody: end to end through the binary.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use wardkeep_client::RsaHolder;

use crate::binary::{code, stderr, stdout};
use crate::dev::{Dev, Somebody, text};

/// Notes of an owner; the portal may act for Ana, and for nobody else.
const MANIFEST: &str = "[resources.Note]\nsource = \"bound\"\n";
const SCHEMA: &str = "entity User; entity Service; entity Note = { owner?: String };\n\
    action create, read appliesTo { principal: [User, Service], resource: [Note], context: { actor: Wardkeep::Actor } };";
const POLICIES: &str = r#"
@id("portal-acts-for-ana")
permit (principal == Service::"portal", action == Wardkeep::Action::"actFor", resource == User::"ana");
@id("people-use-keys")
permit (principal is User, action in [Wardkeep::Action::"GenerateDataKey", Wardkeep::Action::"UnwrapDataKey"], resource);
@id("ana-has-her-notes")
permit (principal == User::"ana", action in [Action::"create", Action::"read"], resource is Note)
when { resource has owner && resource.owner == "ana" };
"#;

struct Key {
    holder: RsaHolder,
    spki: Vec<u8>,
}

impl Key {
    fn new(size: KeySize) -> Self {
        let key = PrivateDecryptingKey::generate(size).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).unwrap().as_ref().to_vec();
        let holder = RsaHolder::from_pem(pem("PRIVATE KEY", der.as_ref()).as_bytes()).unwrap();
        Self { holder, spki }
    }

    fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki)
    }

    /// Modulus and exponent, taken out of the SPKI: its end is `30 82 .. 02 82 LL LL 00 n.. 02 03 01 00 01`.
    fn jwk(&self) -> String {
        let exponent = &self.spki[self.spki.len() - 3..];
        let modulus = &self.spki[self.spki.len() - 5 - 384..self.spki.len() - 5];
        json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": URL_SAFE_NO_PAD.encode(exponent)}).to_string()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn sealed(answer: &serde_json::Value) -> Vec<u8> {
    STANDARD.decode(answer["for_recipient"].as_str().unwrap()).unwrap()
}

#[test]
fn a_recipients_data_key_comes_sealed_by_either_form_of_its_key() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let (ours, other) = (Key::new(KeySize::Rsa3072), Key::new(KeySize::Rsa3072));
    for (name, text_of_key) in [("key.pem", ours.pem()), ("key.jwk", ours.jwk())] {
        let file = dev.file(name, text_of_key);
        let plain = dev.place("must-not-appear");
        let generate =
            ["data-key", "generate", "notes/first", "--recipient", text(&file), "--plaintext-file", text(&plain)];
        let made = dev.json(&generate);
        assert!(made.get("plaintext").is_none() && !plain.exists(), "{name}: {made}");
        let first = ours.holder.open_data_key(&sealed(&made)).unwrap();
        assert!(other.holder.open_data_key(&sealed(&made)).is_none(), "{name}: for nobody else");

        let wrapped = dev.file("wrapped", made["wrapped"].as_str().unwrap());
        let source = format!("@{}", text(&wrapped));
        let opened = dev.json(&["data-key", "unwrap", &source, "--recipient", text(&file)]);
        assert!(opened.get("plaintext").is_none());
        assert_eq!(ours.holder.open_data_key(&sealed(&opened)).unwrap().expose(), first.expose(), "{name}");
        // The same one in the clear: what was sealed is the data key itself.
        let again = dev.place(&format!("{name}.plain"));
        dev.json(&["data-key", "unwrap", &source, "--plaintext-file", text(&again)]);
        assert_eq!(std::fs::read(&again).unwrap(), first.expose());
    }
}

#[test]
fn recipients_that_will_not_do_are_refused_where_that_shows() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let good: serde_json::Value = serde_json::from_str(&Key::new(KeySize::Rsa3072).jwk()).unwrap();
    let with = |name: &str, value: &str| {
        let mut jwk = good.clone();
        jwk[name] = value.into();
        jwk.to_string()
    };
    let weak = {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        pem("PUBLIC KEY", AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).unwrap().as_ref())
    };
    // Exit code 1: found here. 2: the server refuses it.
    for (what, content, exit) in [
        ("too short", weak, 2),
        ("no key", pem("PUBLIC KEY", b"rubbish"), 2),
        ("another kind of JWK", with("kty", "EC"), 2),
        ("a JWK to sign", with("use", "sig"), 2),
        ("a JWK for another algorithm", with("alg", "RSA1_5"), 2),
        ("a private JWK", with("d", "c2VjcmV0"), 1),
        ("rubbish", "rubbish".to_owned(), 1),
        ("broken JSON", "{".to_owned(), 1),
    ] {
        let file = dev.file("recipient", content);
        let output = dev.run(&["data-key", "generate", "notes/first", "--recipient", text(&file)]);
        assert_eq!(code(&output), exit, "{what}: {}", stderr(&output));
        assert!(stdout(&output).is_empty() && !stderr(&output).contains("c2VjcmV0"), "{what}: {}", stderr(&output));
    }
}

/// The portal with its certificate, and Ana and Bea without any.
fn with_portal(dev: &Dev) -> Somebody {
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    dev.json(&["policy", "load", text(&dev.bundle("bundle", MANIFEST, SCHEMA, POLICIES)), "--activate"]);
    let people = json!([
        {"uid": {"type": "User", "id": "ana"}, "attrs": {}, "parents": []},
        {"uid": {"type": "User", "id": "bea"}, "attrs": {}, "parents": []},
        {"uid": {"type": "Service", "id": "portal"}, "attrs": {}, "parents": []},
    ]);
    dev.json(&["entity", "put", text(&dev.file("people.json", people.to_string()))]);
    dev.admit("service", "portal")
}

#[test]
fn acting_for_somebody_is_their_right_and_the_actors_together() {
    let dev = Dev::start();
    let portal = with_portal(&dev);
    let owner = |name: &str| dev.file(&format!("{name}.json"), json!({"owner": name}).to_string());
    let (hers, anothers) = (owner("ana"), owner("bea"));
    let note = dev.file("note.txt", "all is well");
    let sealed = dev.place("note.wk");
    let encrypt = |subject: &str, attributes: &std::path::Path, to: &str| {
        let args =
            ["encrypt", text(&note), "--key", "notes/first", "--resource", "Note::\"n1\"", "--resource-attributes"];
        let more = [text(attributes), "--to", to, "--subject", subject];
        dev.run_as(&portal, &[&args[..], &more[..]].concat())
    };
    let made = encrypt("User::\"ana\"", &hers, text(&sealed));
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    for (subject, attributes, why) in [
        ("User::\"ana\"", &anothers, "a note of another's"),
        ("User::\"bea\"", &anothers, "the portal may not act for her"),
        ("User::\"nobody\"", &hers, "there is no such person"),
        ("User::\"admin\"", &hers, "administrators are never acted for"),
    ] {
        let place = dev.place("refused.wk");
        let refused = encrypt(subject, attributes, text(&place));
        assert_eq!(code(&refused), 3, "{why}: {}", stderr(&refused));
        assert!(!place.exists(), "{why}");
    }
    let decrypt = |subject: Option<&str>, to: &str| {
        let mut args = vec!["decrypt", text(&sealed), "--to", to];
        args.extend(subject.into_iter().flat_map(|subject| ["--subject", subject]));
        dev.run_as(&portal, &args)
    };
    let opened = dev.place("opened");
    assert_eq!(code(&decrypt(Some("User::\"ana\""), text(&opened))), 0);
    assert_eq!(std::fs::read(&opened).unwrap(), b"all is well");
    for subject in [None, Some("User::\"bea\"")] {
        let place = dev.place("not-opened");
        let refused = decrypt(subject, text(&place));
        assert_eq!(code(&refused), 3, "{subject:?}: {}", stderr(&refused));
        assert!(!place.exists());
    }
    let log = stdout(&dev.run(&["audit", "list"]));
    let lines: Vec<serde_json::Value> = serde_json::from_str::<Vec<serde_json::Value>>(&log)
        .unwrap()
        .iter()
        .map(|record| serde_json::from_str(record["line"].as_str().unwrap()).unwrap())
        .collect();
    let both = |line: &&serde_json::Value| line["actor"]["id"] == "portal" && line["subject"]["id"] == "ana";
    assert!(lines.iter().filter(both).any(|line| line["action"] == "UnwrapDataKey"), "the log names both");
}

#[test]
fn the_subject_has_a_twin_and_administration_refuses_it() {
    let dev = Dev::start();
    let portal = with_portal(&dev);
    let run = |who: &Somebody, args: &[&str]| {
        dev.command_as(who, args).env("WARDKEEP_SUBJECT", "User::\"ana\"").output().unwrap()
    };
    let made = run(&portal, &["data-key", "generate", "notes/first"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    for args in [&["role", "list"][..], &["cert", "list"], &["entity", "list"], &["policy", "list"], &["audit", "head"]]
    {
        let refused = run(&dev.admin(), args);
        assert_eq!(code(&refused), 2, "{args:?}: nobody administers in another's name: {}", stderr(&refused));
    }
    let malformed = dev.run_as(&portal, &["data-key", "generate", "notes/first", "--subject", "ana"]);
    assert_eq!(code(&malformed), 1, "{}", stderr(&malformed));
}
