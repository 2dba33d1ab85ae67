//! Finds and reads Wycheproof files: outside the project, so absent files are said and counted, not failed on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// One file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct File<G> {
    pub(crate) number_of_tests: usize,
    pub(crate) test_groups: Vec<G>,
}

/// What a case says about itself.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expected {
    Valid,
    Invalid,
    Acceptable,
}

/// How a file went; printed at its end.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    refused: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// A case that is refused by design, and why.
    pub(crate) fn refuse(&mut self, why: &'static str) {
        *self.refused.entry(why).or_default() += 1;
    }

    /// Prints the sums, checks that no case was lost, gives how many ran.
    pub(crate) fn report(&self, name: &str, all: usize) -> usize {
        let refused: usize = self.refused.values().sum();
        println!("{name}: {all} cases, {} as expected, {refused} refused by design {:?}", self.passed, self.refused);
        assert_eq!(self.passed + refused, all, "{name}: cases were lost");
        self.passed
    }
}

/// Reads a file of the `wycheproof` folder; `None`, loudly, where the folder is not there.
pub(crate) fn load<G: for<'a> Deserialize<'a>>(name: &str) -> Option<File<G>> {
    let root = std::env::var_os("WARDKEEP_TEST_DATA").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = root.unwrap_or_else(beside).join("wycheproof").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED all cases of {name}: the file is not there; set WARDKEEP_TEST_DATA");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// Bytes of hexadecimal digits.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
