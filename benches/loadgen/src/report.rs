//! Ratios against the bars, on the terminal and into the data table of the performance page.

use std::fmt::Write;
use std::path::Path;

use crate::record::{self, Record};
use crate::{Fail, process};

const BEGIN: &str = "<!-- bench:begin (written by `make bench`) -->";
const END: &str = "<!-- bench:end -->";

/// One bar: what it is about, what is asked, what was found.
struct Bar {
    what: String,
    found: Option<f64>,
    asked: f64,
    at_least: bool,
    unit: &'static str,
}

impl Bar {
    fn verdict(&self) -> &'static str {
        match self.found {
            None => "not measured",
            Some(found) if (found >= self.asked) == self.at_least || found == self.asked => "met",
            Some(_) => "MISSED",
        }
    }
}

/// Reads the results, shows bars and table, and writes both between the page's marks.
pub fn report(results: &str, criterion: &str, page: &str) -> Result<(), Fail> {
    let records = record::read(results)?;
    let mut text = format!(
        "Measured on {}, AVX-512 IFMA {}. Client and server share these processors. Ratios are of one run.\n\n",
        process::processor(),
        if process::has_ifma() { "yes" } else { "no" }
    );
    writeln!(text, "| bar | asked | found | |\n|---|---|---|---|")?;
    for bar in bars(&records, Path::new(criterion)) {
        let found = bar.found.map_or("-".to_owned(), |found| format!("{found:.2} {}", bar.unit));
        let sign = if bar.at_least { ">=" } else { "<=" };
        writeln!(text, "| {} | {sign} {} {} | {found} | {} |", bar.what, bar.asked, bar.unit, bar.verdict())?;
    }
    table(&records, &mut text)?;
    println!("\n{text}");
    into_page(page, &text)
}

fn bars(records: &[Record], criterion: &Path) -> Vec<Bar> {
    let find = |side: &str, case: &str, connections: usize| {
        records.iter().rfind(|one| one.side == side && one.case == case && one.connections == connections)
    };
    let ratio = |case: &str, connections: usize| {
        Some(find("wardkeep", case, connections)?.rate / find("openbao", case, connections)?.rate)
    };
    let at_least = |what: String, found, asked, unit| Bar { what, found, asked, at_least: true, unit };
    let at_most = |what: String, found, asked, unit| Bar { what, found, asked, at_least: false, unit };
    let mut bars = Vec::new();
    for connections in [16, 64] {
        let what = format!("data keys under AES, {connections} connections, against OpenBao");
        bars.push(at_least(what, ratio("data_key_aes", connections), 5.0, "x"));
        let cpu = find("wardkeep", "data_key_aes", connections).and_then(|one| one.server_cpu);
        let what = format!("the same, server CPU per 1 000 requests, {connections} connections");
        bars.push(at_most(what, cpu, 0.08, "s"));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let unwrap = find("wardkeep", "unwrap_rsa3072", 16).and_then(|one| one.server_cpu);
    let floor = |threads| find("floor", "unwrap_rsa3072", threads).and_then(|one| one.server_cpu);
    let share = |floor: Option<f64>| Some(unwrap? / floor?);
    bars.push(at_most(
        format!("RSA-3072 unwrap, server CPU against the bare operation, {threads} threads busy"),
        share(floor(threads)),
        1.2,
        "x",
    ));
    let asked = if process::has_ifma() { 4.0 } else { 2.0 };
    let what = "RSA-3072 unwrap, 16 connections, against OpenBao".to_owned();
    bars.push(at_least(what, ratio("unwrap_rsa3072", 16), asked, "x"));
    for case in ["handshake_x25519", "handshake_mlkem768"] {
        bars.push(at_least(format!("{case}, 16 connections, against OpenBao"), ratio(case, 16), 1.3, "x"));
    }
    let loaded = records.iter().rfind(|one| one.case == "loaded_keys");
    let used = records.iter().rfind(|one| one.case == "loaded_keys_used");
    let what = "memory with 10 000 keys loaded, all RSA keys used".to_owned();
    bars.push(at_most(what, used.or(loaded).and_then(|one| one.rss_mib), 64.0, "MiB"));
    let what = "start to ready with 10 000 keys loaded".to_owned();
    bars.push(at_most(what, loaded.and_then(|one| one.ready_ms), 300.0, "ms"));
    for way in ["seal_stream", "seal_in_place", "open_stream", "open_in_place"] {
        let found = criterion_rate(criterion, way);
        bars.push(at_least(format!("envelope, {way} of 64 MiB on one core"), found, 2.0, "GB/s"));
    }
    bars
}

/// 64 MiB by criterion's median, in GB/s.
fn criterion_rate(folder: &Path, way: &str) -> Option<f64> {
    let text = std::fs::read_to_string(folder.join("64MiB").join(way).join("new/estimates.json")).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(f64::from(64 << 20) / estimates.get("median")?.get("point_estimate")?.as_f64()?)
}

fn table(records: &[Record], text: &mut String) -> Result<(), Fail> {
    writeln!(
        text,
        "\n| operation | connections | side | per second | p50 ms | p99 ms | failed | server CPU s/1 000 | client CPU s/1 000 | memory MiB |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|---|")?;
    for one in records {
        let show =
            |value: Option<f64>, scale: f64| value.map_or("-".to_owned(), |value| format!("{:.3}", value / scale));
        writeln!(
            text,
            "| {} | {} | {} | {:.0} | {} | {} | {} | {} | {} | {} |",
            one.case,
            one.connections,
            one.side,
            one.rate,
            show(one.p50_us, 1e3),
            show(one.p99_us, 1e3),
            one.failed,
            show(one.server_cpu, 1.0),
            show(one.client_cpu, 1.0),
            one.rss_mib.map_or("-".to_owned(), |mib| format!("{mib:.1}"))
        )?;
    }
    Ok(())
}

/// Replaces what stands between the marks; a page without marks gets them at its end.
fn into_page(page: &str, text: &str) -> Result<(), Fail> {
    let old = std::fs::read_to_string(page).unwrap_or_else(|_| "# Performance\n".to_owned());
    let (before, after) = match (old.split_once(BEGIN), old.split_once(END)) {
        (Some((before, _)), Some((_, after))) => (before.to_owned(), after.to_owned()),
        _ => (format!("{}\n\n", old.trim_end()), "\n".to_owned()),
    };
    std::fs::write(page, format!("{before}{BEGIN}\n\n{}\n{END}{after}", text.trim_end()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_go_the_right_way() {
        let bar = |found, asked, at_least| Bar { what: String::new(), found, asked, at_least, unit: "" }.verdict();
        assert_eq!(bar(Some(5.1), 5.0, true), "met");
        assert_eq!(bar(Some(4.9), 5.0, true), "MISSED");
        assert_eq!(bar(Some(0.07), 0.08, false), "met");
        assert_eq!(bar(Some(0.09), 0.08, false), "MISSED");
        assert_eq!(bar(Some(5.0), 5.0, true), "met");
        assert_eq!(bar(None, 5.0, true), "not measured");
    }
}
