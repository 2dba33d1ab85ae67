//! Writes one event as one line of canonical JSON.
//!
//! By hand, because a record is made for every use of a key: members in a fixed order, no spaces, and every
//! byte outside printable ASCII escaped, so that no log viewer can be made to show a line that is not there.

use wardkeep_model::{AuditEvent, EntityUid, Timestamp};

/// Appends the line of `event` (without a line end) to `out`.
pub(crate) fn write(out: &mut Vec<u8>, event: &AuditEvent) {
    out.extend_from_slice(br#"{"v":1,"time":""#);
    time(out, event.time);
    out.extend_from_slice(br#"","actor":"#);
    entity(out, &event.actor);
    out.extend_from_slice(br#","subject":"#);
    entity(out, &event.subject);
    out.extend_from_slice(br#","action":"#);
    string(out, &event.action);
    out.extend_from_slice(br#","resource":"#);
    entity(out, &event.resource);
    if let Some((record, action)) = &event.record {
        out.extend_from_slice(br#","record":"#);
        entity(out, record);
        out.extend_from_slice(br#","record_action":"#);
        string(out, action);
    }
    out.extend_from_slice(br#","decision":"#);
    string(out, event.decision.as_str());
    out.extend_from_slice(br#","policies":"#);
    strings(out, &event.policies);
    out.extend_from_slice(br#","errors":"#);
    strings(out, &event.errors);
    out.extend_from_slice(br#","policy_version":"#);
    number(out, event.policy_version, 1);
    out.extend_from_slice(br#","outcome":"#);
    string(out, event.outcome);
    out.extend_from_slice(br#","request":"#);
    string(out, event.request.as_str());
    if let Some(serial) = &event.serial {
        out.extend_from_slice(br#","serial":"#);
        string(out, serial.as_str());
    }
    detail(out, event);
    out.push(b'}');
}

/// The facts as an object. Where a field was set twice the last one counts: JSON with a member twice reads
/// differently in different parsers.
fn detail(out: &mut Vec<u8>, event: &AuditEvent) {
    if event.detail.is_empty() {
        return;
    }
    out.extend_from_slice(br#","detail":{"#);
    let mut first = true;
    for (at, (field, value)) in event.detail.iter().enumerate() {
        if event.detail.iter().skip(at + 1).any(|(later, _)| later == field) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        string(out, field.as_str());
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

fn entity(out: &mut Vec<u8>, uid: &EntityUid) {
    out.extend_from_slice(br#"{"type":"#);
    string(out, uid.kind());
    out.extend_from_slice(br#","id":"#);
    string(out, uid.id());
    out.push(b'}');
}

fn strings(out: &mut Vec<u8>, items: &[String]) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, item);
    }
    out.push(b']');
}

/// A JSON string: `"` and `\` by a backslash, all else outside 0x20 to 0x7e as `\uXXXX` (UTF-16).
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    // Every byte is looked at, without stopping early: that lets the compiler look at many at once.
    let plain = |byte: u8| (0x20..=0x7e).contains(&byte) & (byte != b'"') & (byte != b'\\');
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escaped(out, text);
    }
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.push(u8::try_from(c).unwrap_or(b'?')),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    out.extend([12, 8, 4, 0].map(|shift| hex_digit(*unit >> shift & 15)));
                }
            }
        }
    }
}

fn hex_digit(value: u16) -> u8 {
    let digit = u8::try_from(value).unwrap_or(0);
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

/// RFC 3339 in UTC with milliseconds, as `Timestamp` prints it.
fn time(out: &mut Vec<u8>, time: Timestamp) {
    use std::io::Write;
    // Writing to a vector cannot fail.
    let _ = write!(out, "{time}");
}

fn number(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut rest = value;
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        len += 1;
        if rest == 0 && len >= width {
            break;
        }
    }
    out.extend(digits.iter().skip(20 - len));
}
