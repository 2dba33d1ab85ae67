//! What is measured: each operation on Wardkeep and, right after it, the like of it on OpenBao, so that both
//! meet the same machine.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::call::{Group, Target};
use crate::load::{self, Plan};
use crate::{Fail, floor, process};

/// Connections of every keep-alive point.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// Connections of every handshake point.
const HANDSHAKES: [usize; 2] = [1, 16];
const RING: &str = "bench";

/// One request of one side.
struct Shot {
    case: &'static str,
    method: &'static str,
    path: String,
    body: String,
    expect: &'static str,
}

impl Shot {
    fn post(case: &'static str, path: &str, body: &Value, expect: &'static str) -> Self {
        Self { case, method: "POST", path: path.to_owned(), body: body.to_string(), expect }
    }
}

/// A side, ready to be shot at.
struct Side {
    name: &'static str,
    ready: String,
    pid: u32,
    shots: Vec<Shot>,
    handshake: &'static str,
}

/// Measures all cases of the sides that are there: `-` stands for one that is not.
pub fn measure(results: &str, seconds: f64, own: (&str, &str), peer: (&str, &str)) -> Result<(), Fail> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut sides = Vec::new();
    for (name, (ready, pid), handshake) in [("wardkeep", own, "/v1/openapi.json"), ("openbao", peer, "/v1/sys/health")]
    {
        if ready == "-" {
            continue;
        }
        let target = Target::read(ready, Group::X25519)?;
        let shots = match name {
            "wardkeep" => runtime.block_on(wardkeep(&target))?,
            _ => runtime.block_on(openbao(&target))?,
        };
        sides.push(Side { name, ready: ready.to_owned(), pid: pid.parse()?, shots, handshake });
    }
    let cases: Vec<&str> =
        sides.first().map(|side| side.shots.iter().map(|shot| shot.case).collect()).unwrap_or_default();
    let wanted = std::env::var("BENCH_CASES").unwrap_or_default();
    for case in cases {
        for connections in CONNECTIONS.into_iter().filter(|count| is_wanted(&wanted, case, *count)) {
            for side in &sides {
                if let Some(shot) = side.shots.iter().find(|shot| shot.case == case) {
                    let plan = plan(side, Group::X25519, shot, false, seconds)?;
                    load::point(&plan, side.name, case, connections)?.keep(results)?;
                }
                // The floor of the dear operation within seconds of it: processors slow down and recover by the minute.
                if case == "unwrap_rsa3072" && connections == 16 && side.name == "wardkeep" {
                    floor::rsa(results, seconds)?;
                }
            }
        }
    }
    for (case, group) in [("handshake_x25519", Group::X25519), ("handshake_mlkem768", Group::X25519Mlkem768)] {
        for connections in HANDSHAKES.into_iter().filter(|count| is_wanted(&wanted, case, *count)) {
            for side in &sides {
                let path = side.handshake.to_owned();
                let shot = Shot { case, method: "GET", path, body: String::new(), expect: "" };
                load::point(&plan(side, group, &shot, true, seconds)?, side.name, case, connections)?.keep(results)?;
            }
        }
    }
    for side in &sides {
        println!("{}: {:.1} MiB resident after all of it", side.name, process::resident_mib(side.pid)?);
    }
    Ok(())
}

/// `BENCH_CASES="data_key_aes unwrap_rsa3072:16"` leaves the other points out: for work on one of them.
fn is_wanted(words: &str, case: &str, connections: usize) -> bool {
    let fits = |word: &str| match word.split_once(':') {
        Some((name, count)) => name == case && count == connections.to_string(),
        None => word == case,
    };
    words.is_empty() || words.split(' ').any(fits)
}

fn plan(side: &Side, group: Group, shot: &Shot, handshake: bool, seconds: f64) -> Result<Plan, Fail> {
    let target = Target::read(&side.ready, group)?;
    let request = target.request(shot.method, &shot.path, &shot.body);
    Ok(Plan { request, target, expect: shot.expect, handshake, pid: side.pid, seconds })
}

/// Makes the ring and the keys, and the inputs of the opening verbs.
async fn wardkeep(target: &Target) -> Result<Vec<Shot>, Fail> {
    make_ring(target, RING).await?;
    let keys = [
        ("aes-wrap", "aes-256-gcm", "wrap"),
        ("rsa-wrap", "rsa-3072", "wrap"),
        ("aes-encrypt", "aes-256-gcm", "encrypt"),
        ("sign-ed25519", "ed25519", "sign"),
        ("sign-p256", "ec-p256", "sign"),
        ("sign-rsa", "rsa-3072", "sign"),
    ];
    for (name, spec, usage) in keys {
        make_key(target, &format!("{RING}/{name}"), spec, usage).await?;
    }
    let context = json!({"purpose": "bench"});
    let plain = BASE64_STANDARD.encode([0; 32]);
    let generate = |key: &str| json!({"key": format!("{RING}/{key}"), "context": context, "plaintext": true});
    let wrapped = async |key: &str| -> Result<Value, Fail> {
        let made = target.call("POST", "/v1/data-keys", &generate(key)).await?;
        Ok(json!({"wrapped": field(&made, "wrapped")?, "context": context}))
    };
    let encrypt = json!({"key": format!("{RING}/aes-encrypt"), "plaintext": plain, "context": context});
    let encrypted = target.call("POST", "/v1/encrypt", &encrypt).await?;
    let decrypt = json!({"ciphertext": field(&encrypted, "ciphertext")?, "context": context});
    let sign = |key: &str| json!({"key": format!("{RING}/{key}"), "message": plain});
    Ok(vec![
        Shot::post("data_key_aes", "/v1/data-keys", &generate("aes-wrap"), "\"plaintext\""),
        Shot::post("data_key_rsa3072", "/v1/data-keys", &generate("rsa-wrap"), "\"plaintext\""),
        Shot::post("unwrap_aes", "/v1/data-keys/unwrap", &wrapped("aes-wrap").await?, "\"plaintext\""),
        Shot::post("unwrap_rsa3072", "/v1/data-keys/unwrap", &wrapped("rsa-wrap").await?, "\"plaintext\""),
        Shot::post("encrypt_aes", "/v1/encrypt", &encrypt, "\"ciphertext\""),
        Shot::post("decrypt_aes", "/v1/decrypt", &decrypt, "\"plaintext\""),
        Shot::post("sign_ed25519", "/v1/sign", &sign("sign-ed25519"), "\"signature\""),
        Shot::post("sign_p256", "/v1/sign", &sign("sign-p256"), "\"signature\""),
        Shot::post("sign_rsa3072_pss", "/v1/sign", &sign("sign-rsa"), "\"signature\""),
    ])
}

/// Makes a ring; one that is there already will do.
pub async fn make_ring(target: &Target, name: &str) -> Result<(), Fail> {
    allow_conflict(target.call("POST", "/v1/rings", &json!({"name": name})).await)
}

/// Makes a key; one that is there already will do.
pub async fn make_key(target: &Target, key: &str, spec: &str, usage: &str) -> Result<(), Fail> {
    let body = json!({"key": key, "spec": spec, "usage": usage});
    allow_conflict(target.call("POST", "/v1/keys", &body).await)
}

fn allow_conflict(answer: Result<Value, Fail>) -> Result<(), Fail> {
    match answer {
        Err(error) if !error.to_string().contains("status 409") => Err(error),
        _ => Ok(()),
    }
}

fn field<'a>(answer: &'a Value, name: &str) -> Result<&'a str, Fail> {
    answer.get(name).and_then(Value::as_str).ok_or_else(|| format!("the answer has no `{name}`: {answer}").into())
}

/// The keys are there (see `benches/openbao`); makes the inputs of the opening verbs.
async fn openbao(target: &Target) -> Result<Vec<Shot>, Fail> {
    let plain = BASE64_STANDARD.encode([0; 32]);
    let ciphertext = async |key: &str| -> Result<Value, Fail> {
        let path = format!("/v1/transit/encrypt/{key}");
        let made = target.call("POST", &path, &json!({"plaintext": plain})).await?;
        Ok(json!({"ciphertext": field(made.get("data").unwrap_or(&Value::Null), "ciphertext")?}))
    };
    let (aes, rsa) = (ciphertext("aes256-gcm96").await?, ciphertext("rsa-3072").await?);
    let bits = json!({"bits": 256});
    let input = json!({"input": plain});
    let pss = json!({"input": plain, "signature_algorithm": "pss", "salt_length": "hash"});
    let transit =
        |case, path: &str, body: &Value, expect| Shot::post(case, &format!("/v1/transit/{path}"), body, expect);
    Ok(vec![
        transit("data_key_aes", "datakey/plaintext/aes256-gcm96", &bits, "\"plaintext\""),
        transit("data_key_rsa3072", "datakey/plaintext/rsa-3072", &bits, "\"plaintext\""),
        transit("unwrap_aes", "decrypt/aes256-gcm96", &aes, "\"plaintext\""),
        transit("unwrap_rsa3072", "decrypt/rsa-3072", &rsa, "\"plaintext\""),
        transit("encrypt_aes", "encrypt/aes256-gcm96", &json!({"plaintext": plain}), "vault:v1:"),
        transit("decrypt_aes", "decrypt/aes256-gcm96", &aes, "\"plaintext\""),
        transit("sign_ed25519", "sign/ed25519", &input, "vault:v1:"),
        transit("sign_p256", "sign/ecdsa-p256/sha2-256", &input, "vault:v1:"),
        transit("sign_rsa3072_pss", "sign/rsa-3072/sha2-256", &pss, "vault:v1:"),
    ])
}
