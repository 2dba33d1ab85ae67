//! Data keys sealed for a caller's own RSA key: keys that are too weak, too large, even or of another kind are refused,
//! whichever way they are written, and what is sealed opens with the private half alone.
//!
//! Broke elsewhere: key wrapping under keys that anybody factors, JWKs whose `alg` was not looked at, private keys
//! sent and logged.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wardkeep_tests::house::{base64, bytes};
use wardkeep_tests::{House, Person};

/// A DER element (X.690 section 8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let length = match len {
        0..=127 => vec![u8::try_from(len).unwrap()],
        128..=255 => vec![0x81, u8::try_from(len).unwrap()],
        _ => [&[0x82][..], &u16::try_from(len).unwrap().to_be_bytes()].concat(),
    };
    [&[tag], length.as_slice(), content].concat()
}

/// A positive INTEGER of these bytes.
fn integer(number: &[u8]) -> Vec<u8> {
    let number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
    let sign = number.first().is_some_and(|first| first & 0x80 != 0);
    der(2, &[if sign { &[0][..] } else { &[] }, &number].concat())
}

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];

fn spki_of(oid: &[u8], n: &[u8], e: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &[der(6, oid), der(5, &[])].concat());
    let key = der(0x30, &[integer(n), integer(e)].concat());
    der(0x30, &[algorithm, der(3, &[&[0], key.as_slice()].concat())].concat())
}

fn spki(n: &[u8], e: &[u8]) -> Value {
    json!({"spki": base64(&spki_of(RSA_ENCRYPTION, n, e))})
}

fn jwk(n: &[u8], e: &[u8]) -> Value {
    json!({"jwk": {"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e)}})
}

/// An odd number of exactly that many bits: the shape of a modulus, whatever it is worth.
fn modulus(bits: usize) -> Vec<u8> {
    let mut number = vec![0x5a; bits.div_ceil(8)];
    let top = (bits - 1) % 8;
    number[0] = 1 << top | number[0] & ((1 << top) - 1);
    *number.last_mut().unwrap() |= 1;
    number
}

const F4: &[u8] = &[1, 0, 1];

struct Scene {
    house: House,
    ann: Person,
    wrapped: Value,
    secret: Value,
}

impl Scene {
    async fn set() -> Self {
        let house = House::furnished().await;
        let ann = house.user("ann", &["writers"]).await;
        let made = house.post(&ann, "/v1/data-keys", json!({"key": "mine/wrap"})).await.ok();
        Self { house, ann, wrapped: made["wrapped"].clone(), secret: made["plaintext"].clone() }
    }

    /// Both verbs that take a recipient: status, code and the whole text of each.
    async fn asked(&self, recipient: &Value) -> [(u16, String, String); 2] {
        let generate = json!({"key": "mine/wrap", "recipient": recipient});
        let unwrap = json!({"wrapped": self.wrapped, "recipient": recipient});
        let said = |answer: wardkeep_tests::Answer| (answer.status, answer.code().to_owned(), answer.text());
        [
            said(self.house.post(&self.ann, "/v1/data-keys", generate).await),
            said(self.house.post(&self.ann, "/v1/data-keys/unwrap", unwrap).await),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_for_a_recipient_opens_with_the_private_half_alone() {
    let scene = Scene::set().await;
    let Scene { house, ann, wrapped, secret } = &scene;
    let private = PrivateDecryptingKey::generate(KeySize::Rsa3072).unwrap();
    let public = private.public_key().as_der().unwrap().as_ref().to_vec();
    let opener = OaepPrivateDecryptingKey::new(private).unwrap();
    let open = |sealed: &Value| {
        let mut out = vec![0; opener.min_output_size()];
        opener.decrypt(&OAEP_SHA256_MGF1SHA256, &bytes(sealed), &mut out, None).unwrap().to_vec()
    };
    let (n, e) = numbers(&public);
    for recipient in [json!({"spki": base64(&public)}), jwk(&n, &e)] {
        let made = json!({"key": "mine/wrap", "context": {"a": "b"}, "recipient": recipient});
        let made = house.post(ann, "/v1/data-keys", made).await.ok();
        assert_eq!(made.get("plaintext"), None, "only the recipient sees it");
        let again = json!({"wrapped": made["wrapped"], "context": {"a": "b"}});
        let again = house.post(ann, "/v1/data-keys/unwrap", again).await.ok();
        assert_eq!(open(&made["for_recipient"]), bytes(&again["plaintext"]), "the same data key");
        let opened = json!({"wrapped": wrapped, "recipient": recipient});
        let opened = house.post(ann, "/v1/data-keys/unwrap", opened).await.ok();
        assert_eq!(opened.get("plaintext"), None);
        assert_eq!(open(&opened["for_recipient"]), bytes(secret));
    }
    // Whose key it was, stands in the record: whoever ends the connection before us could have swapped it.
    let print = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &public);
    let print: String = print.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let log = house.log().await;
    let named: Vec<&Value> = log.iter().filter(|event| event["detail"]["recipient"].is_string()).collect();
    assert_eq!(named.len(), 4, "each of the four uses");
    assert!(named.iter().all(|event| event["detail"]["recipient"].as_str().unwrap().contains(&print)), "{named:?}");
}

/// Modulus and exponent of a SubjectPublicKeyInfo.
fn numbers(public: &[u8]) -> (Vec<u8>, Vec<u8>) {
    use x509_parser::prelude::FromDer;
    use x509_parser::public_key::PublicKey;
    let (_, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(public).unwrap();
    let PublicKey::RSA(key) = info.parsed().unwrap() else { panic!("no RSA key") };
    let plain = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect();
    (plain(key.modulus), plain(key.exponent))
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_exponents_are_taken_to_their_bounds_and_no_further() {
    let scene = Scene::set().await;
    let exponent = |number: u64| {
        let bytes = number.to_be_bytes();
        bytes.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>()
    };
    let mut even = modulus(3_072);
    *even.last_mut().unwrap() &= 0xfe;
    let cases: Vec<(Vec<u8>, Vec<u8>, Option<&str>)> = vec![
        (modulus(2_048), F4.into(), Some("2048 bits: use 3072 to 8192")),
        (modulus(3_071), F4.into(), Some("3071 bits")),
        (modulus(3_072), F4.into(), None),
        (modulus(8_192), F4.into(), None),
        (modulus(8_193), F4.into(), Some("8193 bits")),
        (modulus(3_072), exponent(1), Some("exponent is not an odd number")),
        (modulus(3_072), exponent(3), Some("exponent is not an odd number")),
        (modulus(3_072), exponent(65_535), Some("exponent is not an odd number")),
        (modulus(3_072), exponent(65_536), Some("exponent is not an odd number")),
        (modulus(3_072), exponent(65_538), Some("exponent is not an odd number")),
        (modulus(3_072), exponent(65_539), None),
        (modulus(3_072), exponent((1 << 33) - 1), None),
        (modulus(3_072), exponent((1 << 33) + 1), Some("exponent is not an odd number")),
        (even, F4.into(), Some("modulus is even")),
    ];
    for (n, e, refused) in cases {
        for recipient in [spki(&n, &e), jwk(&n, &e)] {
            for (status, code, text) in scene.asked(&recipient).await {
                match refused {
                    None => assert_eq!(status, 200, "{} bits, e {e:?}: {text}", n.len() * 8),
                    Some(words) => {
                        assert_eq!((status, code.as_str()), (400, "recipient-refused"), "{text}");
                        assert!(text.contains(words), "{words}: {text}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_plain_rsa_key_is_refused() {
    let scene = Scene::set().await;
    let good = spki_of(RSA_ENCRYPTION, &modulus(3_072), F4);
    let ec = rcgen::KeyPair::generate().unwrap();
    let ec = rcgen::PublicKeyData::subject_public_key_info(&ec);
    let inner = der(0x30, &[integer(&modulus(3_072)), integer(F4)].concat());
    let spkis = [
        ("nothing", Vec::new()),
        ("junk", b"junk".to_vec()),
        ("a byte after the end", [good.as_slice(), &[0]].concat()),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("PKCS#1", inner),
        ("another algorithm's name", spki_of(RSA_PSS, &modulus(3_072), F4)),
        ("an elliptic curve", ec),
        ("very large", vec![0x30; 100_000]),
    ];
    for (name, der) in spkis {
        for (status, code, text) in scene.asked(&json!({"spki": base64(&der)})).await {
            assert_eq!((status, code.as_str()), (400, "recipient-refused"), "{name}: {text}");
        }
    }
    let (n, e) = (URL_SAFE_NO_PAD.encode(modulus(3_072)), URL_SAFE_NO_PAD.encode(F4));
    for (jwk, code) in [
        (json!({"kty": "EC", "n": n, "e": e}), "recipient-refused"),
        (json!({"kty": "rsa", "n": n, "e": e}), "recipient-refused"),
        (json!({"kty": "RSA", "n": n, "e": e, "alg": "RSA-OAEP"}), "recipient-refused"),
        (json!({"kty": "RSA", "n": n, "e": e, "alg": "none"}), "recipient-refused"),
        (json!({"kty": "RSA", "n": n, "e": e, "use": "sig"}), "recipient-refused"),
        (json!({"kty": "RSA", "n": format!("{n}="), "e": e}), "recipient-refused"),
        (json!({"kty": "RSA", "n": n.replace(['-', '_', 'W'], "+"), "e": e}), "recipient-refused"),
        (json!({"kty": "RSA", "n": "", "e": e}), "recipient-refused"),
        (json!({"kty": "RSA", "n": n, "e": ""}), "recipient-refused"),
        (json!({"kty": "RSA", "n": n}), "malformed-body"),
        (json!({"kty": "RSA", "n": n, "e": e, "d": n}), "malformed-body"),
        (json!({"kty": "RSA", "n": n, "e": e, "x5u": "https://a.test"}), "malformed-body"),
        (json!([]), "malformed-body"),
    ] {
        for (status, said, text) in scene.asked(&json!({"jwk": jwk})).await {
            assert_eq!((status, said.as_str()), (400, code), "{jwk}: {text}");
            assert!(!text.contains(&n), "what was sent is not repeated: {text}");
        }
    }
    for none in [json!({}), json!({"pem": "x"}), json!("x"), json!({"spki": "A"}), json!({"spki": 5})] {
        for (status, said, text) in scene.asked(&none).await {
            assert_eq!((status, said.as_str()), (400, "malformed-body"), "{none}: {text}");
        }
    }
    let named = json!({"kty": "RSA", "n": n, "e": e, "alg": "RSA-OAEP-256", "use": "enc", "kid": "mine"});
    for (status, _, text) in scene.asked(&json!({"jwk": named})).await {
        assert_eq!(status, 200, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_refuses_the_weak_key_and_seals_for_the_other() {
    let scene = Scene::set().await;
    let item = |recipient: Value| json!({"key": "mine/wrap", "recipient": recipient});
    let items = json!({"items": [item(spki(&modulus(2_048), F4)), item(spki(&modulus(3_072), F4))]});
    let batch = scene.house.post(&scene.ann, "/v1/data-keys/batch", items).await.ok();
    assert_eq!(wardkeep_tests::ask::code(&batch["items"][0]["problem"]), "recipient-refused");
    assert_eq!(bytes(&batch["items"][1]["result"]["for_recipient"]).len(), 384);
    assert_eq!(batch["items"][1]["result"].get("plaintext"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_for_another_recipient_is_another_request() {
    let scene = Scene::set().await;
    let ask = |recipient: Value| {
        let body = json!({"key": "mine/wrap", "recipient": recipient});
        wardkeep_tests::Ask::post("/v1/data-keys", body).once("sealed")
    };
    let first = scene.house.ask(&scene.ann, ask(spki(&modulus(3_072), F4))).await.ok();
    let again = scene.house.ask(&scene.ann, ask(spki(&modulus(3_072), F4))).await.ok();
    assert_eq!(again["wrapped"], first["wrapped"]);
    assert_ne!(again["for_recipient"], first["for_recipient"], "sealed anew: nothing sealed is kept");
    let other = scene.house.ask(&scene.ann, ask(spki(&modulus(3_080), F4))).await;
    assert_eq!(other.said(), (422, "idempotency-mismatch"));
    let open = scene.house.ask(&scene.ann, ask(Value::Null)).await;
    assert_eq!(open.said(), (422, "idempotency-mismatch"), "nor in the open");
}
