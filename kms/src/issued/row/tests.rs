//! Rows of issued keys: golden bytes, and refusal of every other shape.

use super::*;

fn sample() -> Issued {
    Issued {
        subject: EntityUid::new("User", "an\"a").unwrap(),
        actor: EntityUid::new("Service", "app").unwrap(),
        attributes: "dept = cardiology, role = [doctor, \"head of\"]".to_owned(),
        bucket: 498_684,
        until: 1_795_266_000,
        at: Timestamp::from_millis(1_795_262_400_123),
        revoked: None,
    }
}

fn list() -> List {
    let dates = Dates { number: 3, issued_at: 1_795_262_400, next_update: 1_795_348_800 };
    List { dates, signed: [1, 2, 3].as_slice().into(), cover_rows: 20 }
}

/// Each row as text, and what reads it.
fn golden() -> [(&'static str, Vec<u8>); 6] {
    let revoked = Issued { revoked: Some(Timestamp::from_millis(1_795_262_500_000)), ..sample() };
    [
        ("issued", write_issued(&sample()).unwrap().to_vec()),
        ("revoked", write_issued(&revoked).unwrap().to_vec()),
        ("ledger", write_ledger(7, None).unwrap().to_vec()),
        ("list", write_ledger(7, Some(&list())).unwrap().to_vec()),
        ("recipient", write_recipient(Some(&[0x30, 0x82]), Timestamp::from_millis(5)).unwrap().to_vec()),
        ("removed", write_recipient(None, Timestamp::from_millis(6)).unwrap().to_vec()),
    ]
}

/// Golden bytes of format 1: what is in a store today must be read by every later version.
#[test]
fn the_rows_of_format_1() {
    let lines: Vec<String> =
        golden().iter().map(|(name, row)| format!("{name} {}\n", std::str::from_utf8(row).unwrap())).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/user-key-rows-1.txt");
    if std::env::var_os("WARDKEEP_WRITE_GOLDEN").is_some() {
        std::fs::write(path, lines.concat()).unwrap();
    }
    assert_eq!(lines.concat(), std::fs::read_to_string(path).unwrap());
}

#[test]
fn rows_round_trip() {
    let rows = golden();
    assert_eq!(read_issued(&rows[0].1), Some(sample()));
    assert_eq!(read_issued(&rows[1].1).unwrap().revoked, Some(Timestamp::from_millis(1_795_262_500_000)));
    assert_eq!(read_ledger(&rows[2].1), Some(LedgerBody { next: 7, list: None }));
    assert_eq!(read_ledger(&rows[3].1), Some(LedgerBody { next: 7, list: Some(list()) }));
    assert_eq!(read_recipient(&rows[4].1), Some((Some(vec![0x30, 0x82]), Timestamp::from_millis(5))));
    assert_eq!(read_recipient(&rows[5].1), Some((None, Timestamp::from_millis(6))));
}

#[test]
fn rows_of_another_version_or_shape_are_refused() {
    for (name, row) in golden() {
        let text = String::from_utf8(row).unwrap();
        let reads = |text: &str| match name {
            "issued" | "revoked" => read_issued(text.as_bytes()).is_some(),
            "ledger" | "list" => read_ledger(text.as_bytes()).is_some(),
            _ => read_recipient(text.as_bytes()).is_some(),
        };
        assert!(reads(&text), "{name}");
        for (from, to) in [
            ("\"format\":1", "\"format\":2"),
            ("\"format\":1", "\"format\":1,\"more\":0"),
            ("\"format\":1,", ""),
            ("User::", "1User::"),
            ("\"next\":7", "\"next\":4294967296"),
            ("\"signed\":\"AQID\"", "\"signed\":\"A*\""),
            ("\"spki\":\"MII=\"", "\"spki\":\"MII\""),
            ("\"bucket\":498684", "\"bucket\":-1"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert!(changed == text || !reads(&changed), "{name}: {to}");
        }
        for cut in 0..text.len() {
            assert!(!reads(&text[..cut]), "{name}: {cut} bytes");
        }
    }
}

#[test]
fn a_name_has_one_spelling() {
    let key = KeyId::parse("clinic/records").unwrap();
    let version = KeyVersion::new(12).unwrap();
    for serial in [None, Some(0), Some(1), Some(u32::MAX)] {
        let text = match serial {
            None => version_row(&key, version),
            Some(serial) => serial_row(&key, version, serial),
        };
        assert_eq!(read_name(&text), Some(RowName { key: key.clone(), version, serial }), "{text}");
    }
    for bad in [
        "",
        "clinic/records",
        "clinic/records#",
        "clinic/records#0",
        "clinic/records#12/",
        "clinic/records#012/1",
        "clinic/records#12/01",
        "clinic/records#+12/1",
        "clinic/records#12/+1",
        "clinic/records#12/1/1",
        "clinic/records#12/4294967296",
        "records#12/1",
        "clinic/records#12#1",
    ] {
        assert_eq!(read_name(bad), None, "{bad}");
    }
}
