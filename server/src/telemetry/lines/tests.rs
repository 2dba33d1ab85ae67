//! A stderr that nobody reads must hold nobody up, and what was lost must be said.
//!
//! Broke elsewhere: a stuck log sink that stopped the service (Vault #5361), lines lost without a word (Vault #31718).

use std::io::{PipeReader, Read};

use super::*;
use crate::tls::forge::TestClock;

/// A queue before a real pipe: it takes 64 KiB (Linux) and then nothing until somebody reads.
fn piped(most: usize, format: LogFormat) -> (Lines, PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    (Lines::start(Box::new(writer), most, format, TestClock::new()).unwrap(), reader)
}

fn line(number: usize) -> Vec<u8> {
    format!("{number:>1023}\n").into_bytes()
}

/// Everything until the writer's end is closed.
fn read_all(mut reader: PipeReader) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

fn write(lines: &Lines, number: usize) {
    lines.make_writer().write_all(&line(number)).unwrap();
}

#[test]
fn before_a_server_runs_lines_are_out_when_the_call_is_back() {
    let (lines, mut reader) = piped(4, LogFormat::Json);
    write(&lines, 1);
    let mut bytes = vec![0; 1024];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, line(1));
    assert_eq!(lines.dropped(), 0);
}

#[test]
fn a_pipe_that_nobody_reads_holds_nobody_up_and_what_is_lost_is_said() {
    for (format, says) in [
        (LogFormat::Json, "\"level\":\"WARN\",\"message\":\"{n} log lines were dropped: "),
        (LogFormat::Pretty, "  WARN {n} log lines were dropped: "),
    ] {
        let (lines, reader) = piped(8, format);
        lines.queue();
        // Far more than pipe and queue hold: a call that waited would wait for ever.
        for number in 0..1_000 {
            write(&lines, number);
        }
        let dropped = lines.dropped();
        assert!((800..1_000).contains(&dropped), "{dropped}");
        let reading = read_all(reader);
        assert!(lines.settle(Duration::from_secs(30)), "now somebody reads");
        drop(lines);
        let text = reading.join().unwrap();
        let kept = text.lines().filter(|line| line.len() == 1_023).count();
        assert_eq!(kept as u64 + dropped, 1_000, "every line is there or counted");
        let notices: Vec<&str> = text.lines().filter(|line| line.contains("were dropped")).collect();
        let told: u64 = notices.iter().map(|line| number_in(line)).sum();
        assert_eq!(told, dropped, "{notices:?}");
        let says = says.replace("{n}", &number_in(notices[0]).to_string());
        assert!(notices[0].contains(&says) && notices[0].contains("2026-11-21T12:00:00"), "{}", notices[0]);
    }
}

/// The number before `log lines`.
fn number_in(line: &str) -> u64 {
    let before = line.split(" log lines were dropped").next().unwrap();
    before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn the_notice_is_one_json_object() {
    let (lines, reader) = piped(1, LogFormat::Json);
    lines.queue();
    (0..200).for_each(|number| write(&lines, number));
    let reading = read_all(reader);
    assert!(lines.settle(Duration::from_secs(30)));
    drop(lines);
    let text = reading.join().unwrap();
    let notice = text.lines().find(|line| line.contains("were dropped")).unwrap();
    let read: serde_json::Value = serde_json::from_str(notice).unwrap();
    assert_eq!(read["level"], "WARN");
    assert_eq!(read["dropped"].as_u64(), Some(number_in(notice)));
}

#[test]
fn lines_keep_their_order_and_the_last_ones_are_waited_for() {
    let (lines, reader) = piped(MOST, LogFormat::Json);
    lines.queue();
    let reading = read_all(reader);
    (0..500).for_each(|number| write(&lines, number));
    assert!(lines.settle(Duration::from_secs(30)));
    write(&lines, 500);
    assert_eq!(lines.dropped(), 0);
    drop(lines);
    let text = reading.join().unwrap();
    let numbers: Vec<usize> = text.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..=500), "{numbers:?}");
}

#[test]
fn the_end_of_a_server_does_not_wait_for_ever() {
    let (lines, reader) = piped(2, LogFormat::Json);
    lines.queue();
    // One line that no pipe takes whole: the thread stands still in the middle of it.
    lines.make_writer().write_all(&[b'x'; 1 << 21]).unwrap();
    assert!(!lines.settle(Duration::from_millis(50)), "nobody reads");
    // What comes after still holds nobody up.
    write(&lines, 201);
    drop(reader);
}

#[test]
fn with_two_servers_the_end_of_one_leaves_the_other_queued() {
    let (lines, reader) = piped(2, LogFormat::Json);
    lines.queue();
    lines.queue();
    assert!(lines.settle(Duration::from_secs(30)));
    (0..200).for_each(|number| write(&lines, number));
    assert!(lines.dropped() > 0, "still queued, so that the full pipe held nobody up");
    drop(reader);
}

#[test]
fn a_reader_that_goes_away_is_survived_and_counted() {
    let (lines, reader) = piped(8, LogFormat::Json);
    lines.queue();
    drop(reader);
    (0..4).for_each(|number| write(&lines, number));
    assert!(lines.settle(Duration::from_secs(30)), "the thread lives on");
    assert!(lines.dropped() > 0);
}
