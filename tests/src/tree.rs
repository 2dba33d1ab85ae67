//! The source tree as data, for the tidy test.

use std::path::{Path, PathBuf};

/// One Rust source file, split into what ships and what tests.
#[derive(Debug)]
pub struct Source {
    /// Path from the workspace's root, with `/`.
    pub path: String,
    /// Lines outside test modules and test files.
    pub production: Vec<String>,
    /// Lines inside them.
    pub tests: Vec<String>,
}

/// The workspace's root folder.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// All files below the root that could be committed, as paths from the root; build output is left out.
#[must_use]
pub fn files() -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort();
    found
}

/// All Rust sources of the workspace. A module that is declared under `#[cfg(test)]` has no production lines.
#[must_use]
pub fn sources() -> Vec<Source> {
    let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
    let read = |path: String| {
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        Some(split(path, &text))
    };
    let mut sources: Vec<Source> = rust.filter_map(read).collect();
    let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if tests.iter().any(|module| stem == module || stem.starts_with(&format!("{module}/"))) {
            let shipped = std::mem::take(&mut source.production);
            source.tests.extend(shipped);
        }
    }
    sources
}

/// The modules that a file declares for tests only, as paths without their ending.
fn test_modules(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "lib" | "main" | "mod")) => folder,
        _ => stem,
    };
    let declared = |line: &String| {
        let name = line.trim().strip_suffix(';')?.rsplit_once("mod ")?.1.to_owned();
        Some(format!("{folder}/{name}"))
    };
    // Lines behind `#[cfg(test)]` stand among the tests already.
    source.tests.iter().filter_map(declared).collect()
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // In a second working tree `.git` is a file, which names the first one.
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | "node_modules" | "__pycache__") {
                walk(root, &path, found);
            }
        } else if let Some(relative) = path.strip_prefix(root).ok().filter(|_| name != ".git") {
            found.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// Splits a file at its `#[cfg(test)]` items. A file that is a test as a whole has no production lines.
#[must_use]
pub fn split(path: String, text: &str) -> Source {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let folder_of_tests = ["tests/", "benches/", "examples/"]
        .iter()
        .any(|folder| path.starts_with(folder) || path.contains(&format!("/{folder}")));
    let name = path.rsplit('/').next().unwrap_or_default();
    if folder_of_tests || name == "tests.rs" || name.ends_with("_tests.rs") || name.starts_with("test_") {
        return Source { path, production: Vec::new(), tests: lines };
    }
    let (mut production, mut tests) = (Vec::new(), Vec::new());
    let mut depth_of_test: Option<i64> = None;
    let mut pending = false;
    for line in lines {
        let trimmed = line.trim_start();
        if depth_of_test.is_none() && !pending && trimmed.starts_with("#[cfg(test)]") {
            pending = true;
            tests.push(line);
            continue;
        }
        let change = braces(&line);
        if pending {
            // `mod tests;` and one-line items end at once; a block ends where its braces do.
            if trimmed.starts_with("#[") {
                tests.push(line);
                continue;
            }
            pending = false;
            if change > 0 {
                depth_of_test = Some(change);
            }
            tests.push(line);
            continue;
        }
        match depth_of_test {
            Some(depth) => {
                depth_of_test = Some(depth + change).filter(|depth| *depth > 0);
                tests.push(line);
            }
            None => production.push(line),
        }
    }
    Source { path, production, tests }
}

/// Opening minus closing braces outside string and character literals and comments, near enough for formatted code.
fn braces(line: &str) -> i64 {
    let mut depth = 0;
    let (mut in_string, mut escaped, mut previous) = (false, false, ' ');
    for c in line.chars() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
        } else {
            match c {
                '"' if previous != '\'' => in_string = true,
                '/' if previous == '/' => break,
                '{' if previous != '\'' => depth += 1,
                '}' if previous != '\'' => depth -= 1,
                _ => {}
            }
        }
        previous = c;
    }
    depth
}
