//! `docs/conformance.md` has every row, and names tests and vectors that exist.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn root() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").unwrap().into()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The page's rows, in order: number of the section, id, what shows it.
fn rows(page: &str) -> Vec<(&str, &str, &str)> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.split(' ').next().unwrap();
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        if let ([id, _, shown], false) = (&cells[..], section.is_empty()) {
            let id = id.trim_start_matches("| ");
            if !matches!(id, "row" | "---") {
                rows.push((section, id, shown.trim_end_matches(" |")));
            }
        }
    }
    rows
}

/// What is between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The ids of the vector files: first cells of their lines.
fn vector_ids() -> HashSet<String> {
    let mut ids = HashSet::new();
    for file in fs::read_dir(root().join("tests/vectors")).unwrap() {
        let file = file.unwrap().path();
        if file.file_name().unwrap() == "rows.txt" {
            continue;
        }
        for line in read(&file).lines().filter(|line| !line.starts_with('#')) {
            let id = line.split([' ', '\t']).next().unwrap();
            ids.insert(id.to_owned());
        }
    }
    ids
}

/// Whether a word has the form of a vector's id: letters, a hyphen, digits.
fn is_vector_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(letters, digits)| {
        !letters.is_empty()
            && letters.bytes().all(|octet| octet.is_ascii_uppercase())
            && !digits.is_empty()
            && digits.bytes().all(|octet| octet.is_ascii_digit())
    })
}

#[test]
fn every_row_is_there_once_and_in_its_section() {
    let expected = read("tests/vectors/rows.txt");
    let mut section = "";
    let mut expected_rows = Vec::new();
    for line in expected.lines() {
        match line.strip_prefix("# ") {
            Some(heading) => section = heading,
            None => expected_rows.extend(line.split_whitespace().map(|id| (section, id))),
        }
    }
    assert!(expected_rows.len() > 400);
    let page = read("docs/conformance.md");
    let there: Vec<(&str, &str)> = rows(&page)
        .iter()
        .map(|(section, id, _)| (*section, *id))
        .collect();
    for row in &expected_rows {
        assert!(there.contains(row), "missing: {row:?}");
    }
    for row in &there {
        assert!(expected_rows.contains(row), "not expected: {row:?}");
    }
    assert_eq!(there.len(), expected_rows.len(), "none twice");
}

#[test]
fn every_row_says_what_shows_it() {
    let page = read("docs/conformance.md");
    let vectors = vector_ids();
    for (_, id, shown) in rows(&page) {
        let shows = quoted(shown).any(|word| word.contains(".rs::") || vectors.contains(word));
        let said = ["Embedder: ", "Later: "]
            .iter()
            .any(|start| shown.starts_with(start));
        assert!(shows || said, "{id}: {shown}");
    }
}

#[test]
fn every_test_and_vector_that_is_named_exists() {
    let page = read("docs/conformance.md");
    let vectors = vector_ids();
    let mut files: HashMap<String, String> = HashMap::new();
    let mut named = 0;
    for word in quoted(&page) {
        if let Some((file, test)) = word.split_once(".rs::") {
            let path = if file.starts_with("src/") {
                format!("{file}.rs")
            } else {
                format!("tests/{file}.rs")
            };
            let source = files.entry(path.clone()).or_insert_with(|| read(&path));
            assert!(is_test(source, test), "{word}");
            named += 1;
        } else if is_vector_id(word) {
            assert!(vectors.contains(word), "{word}");
            named += 1;
        }
    }
    assert!(named > 600, "{named}");
}

/// Whether the source has a test of this name, by an attribute among the lines before it.
fn is_test(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}(")) else {
        return false;
    };
    source[..at]
        .lines()
        .rev()
        .take_while(|line| !line.trim_start().starts_with('}'))
        .any(|line| line.trim_start() == "#[test]")
}

#[test]
fn every_vector_file_is_run() {
    let page = read("docs/conformance.md");
    let named: HashSet<&str> = quoted(&page).collect();
    for file in fs::read_dir(root().join("tests/vectors")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(
            name == "rows.txt" || named.contains(&*name),
            "{name} is not in the table"
        );
    }
}
