//! The file of vectors that this crate and the TypeScript side both read. It is made here, from the definitions, and
//! committed; `UPDATE_VECTORS=1 cargo test -p pattern-matcher --test vectors` writes it anew.

mod common;

use common::{FRESH, Random, all};
use pattern_matcher::{Id, IdIndex, MAX_BYTES, Pattern, PatternSet};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../__test__/vectors/patterns.json");

/// What people write.
const PATTERNS: &[&str] = &[
    "**",
    "*",
    "*/**",
    "**/*",
    "*/*",
    "**/**",
    "a",
    "a/b",
    "a/*",
    "a/**",
    "**/a",
    "*/b",
    "*/a",
    "a/*/**",
    "a/**/*",
    "**/a/**",
    "a/**/b",
    "a/*/b",
    "**/a/*",
    "**/a/*/**",
    "*/a/**",
    "a/**/b/**/c",
    "a/**/b/*/c",
    "**/a/**/a",
    "docker/**",
    "docker/auth/**",
    "docker/auth/hub/*",
    "docker/auth/hub/alice",
    "docker/*/hub/**",
    "myrealm/*/password",
    "**/password",
    "team-1/**",
    "a.b/c:d/_/-",
    ".",
    "..",
    "../*",
    "**/..",
    "A",
    "a/a/**/a",
    "**/a/a/b",
    "**/a/b/a/b/**/b",
];

const IDS: &[&str] = &[
    "a",
    "b",
    "A",
    "a/b",
    "a/a",
    "b/a",
    "a/b/c",
    "a/x/c",
    "a/b/x/c",
    "a/a/a",
    "a/a/b",
    "a/b/a/b",
    "a/a/a/b",
    "b/b/b/b",
    "docker",
    "docker/auth",
    "docker/auth/hub/alice",
    "docker/auth/hub/alice/token",
    "docker/db/hub/x",
    "myrealm/x/password",
    "myrealm/password",
    "myrealm/x/y/password",
    "password",
    "team-1/db",
    "team-1",
    "team-10/db",
    "a.b/c:d/_/-",
    ".",
    "..",
    "../x",
    "x/..",
    "./a",
    "z/z/z",
];

/// Texts that are no pattern (and so no id), with the offset of what is wrong.
const WRONG: &[(&str, usize)] = &[
    ("", 0),
    ("/", 0),
    ("/a", 0),
    ("a/", 2),
    ("a//b", 2),
    ("a/b/", 4),
    ("a/b//", 4),
    (" ", 0),
    ("a b", 1),
    ("a\n", 1),
    ("\0", 0),
    ("a\u{7f}", 1),
    ("a\u{80}", 1),
    ("é", 0),
    ("aé", 1),
    ("a/š", 2),
    ("a/😀/b", 2),
    ("a\\b", 1),
    ("a+b", 1),
    ("a@b", 1),
    ("a~", 1),
    ("se://a", 4),
    ("***", 2),
    ("a*", 1),
    ("*a", 1),
    ("**a", 2),
    ("a**", 1),
    ("*a*", 1),
    ("a/*b/c", 3),
    ("a/b*/c", 3),
    ("**/", 3),
    ("*//a", 2),
    ("a/***", 4),
    ("a,b", 1),
    ("a;b", 1),
    ("(a)", 0),
    ("a?", 1),
    ("[a]", 0),
    ("{a}", 0),
    ("%41", 0),
    ("a\u{661}", 1),
    ("a\u{2028}", 1),
    ("a/b\r", 3),
    ("a/b\n", 3),
];

fn repeated(text: &str, times: usize, at: Option<usize>) -> Value {
    json!({ "text": text, "times": times, "at": at })
}

fn words() -> Vec<(&'static str, Vec<Value>)> {
    let judged = |text: &&str| json!({ "text": text, "at": null });
    let wrong = |&(text, at): &(&str, usize)| json!({ "text": text, "at": at });
    let star = |text: &&str| text.find('*').map(|at| json!({ "text": text, "at": at }));
    let long = [
        repeated("a", MAX_BYTES, None),
        repeated("a", MAX_BYTES + 1, Some(MAX_BYTES)),
        repeated("a/", MAX_BYTES / 2, Some(MAX_BYTES)),
        repeated("a/", MAX_BYTES, Some(MAX_BYTES)),
        repeated("ab ", MAX_BYTES, Some(2)),
    ];
    let ids = IDS.iter().map(judged).chain(PATTERNS.iter().filter_map(star)).chain(long.clone());
    let wrong_ids = WRONG.iter().filter(|(text, at)| !text[..*at].contains('*')).map(wrong);
    let patterns = IDS.iter().chain(PATTERNS).map(judged).chain(WRONG.iter().map(wrong)).chain(long);
    vec![("ids", ids.chain(wrong_ids).collect()), ("patterns", patterns.collect())]
}

fn answers() -> Vec<(&'static str, Vec<Value>)> {
    // Few enough to read, and chosen by a fixed seed from all short ones.
    let mut random = Random::new(3);
    let mut patterns: BTreeSet<String> = all(&["a", "b", "*", "**"], 2).into_iter().collect();
    patterns.extend(PATTERNS.iter().map(ToString::to_string));
    patterns.extend((0..60).map(|_| random.pattern(7)));
    let mut ids: BTreeSet<String> = IDS.iter().map(ToString::to_string).collect();
    ids.extend((0..40).map(|_| random.path(&["a", "b", FRESH], 7)));
    let (patterns, ids): (Vec<String>, Vec<String>) = (patterns.into_iter().collect(), ids.into_iter().collect());

    let matches = |pattern: &String| {
        let rows = (0..ids.len()).filter(|row| common::matches(pattern, &ids[*row]));
        json!({ "pattern": pattern, "rows": common::in_tree_order(&ids, rows.map(|row| row as u32).collect()) })
    };
    // 2: equal, 1: includes it, -1: is included in it, 0: they overlap, null: they do not.
    let relation =
        |a: &String, b: &String| match (common::includes(a, b), common::includes(b, a), common::overlaps(a, b)) {
            (true, true, _) => json!(2),
            (true, false, _) => json!(1),
            (false, true, _) => json!(-1),
            (false, false, true) => json!(0),
            (false, false, false) => Value::Null,
        };
    let relations = |a: &String| Value::Array(patterns.iter().map(|b| relation(a, b)).collect());
    vec![
        ("rows", ids.iter().map(|id| json!(id)).collect()),
        ("matches", patterns.iter().map(matches).collect()),
        ("relations", patterns.iter().map(relations).collect()),
    ]
}

#[test]
fn the_file_of_vectors_is_what_the_definitions_say() {
    let list = |(name, items): (&str, Vec<Value>)| {
        let lines: Vec<String> = items.iter().map(|item| format!("    {item}")).collect();
        format!("  \"{name}\": [\n{}\n  ]", lines.join(",\n"))
    };
    let lists: Vec<String> = words().into_iter().chain(answers()).map(list).collect();
    let made = format!("{{\n{}\n}}\n", lists.join(",\n"));
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(FILE, &made).expect("the file can be written");
    }
    assert!(made == std::fs::read_to_string(FILE).expect("the file is there"), "run it with UPDATE_VECTORS=1");
}

fn read() -> Value {
    serde_json::from_str(&std::fs::read_to_string(FILE).expect("the file is there")).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn texts_are_taken_or_refused_as_the_vectors_say() {
    let vectors = read();
    for (list, parse) in [
        ("ids", (|text| Id::parse(text).err().map(|invalid| invalid.at)) as fn(&str) -> Option<usize>),
        ("patterns", |text| Pattern::parse(text).err().map(|invalid| invalid.at)),
    ] {
        for vector in vectors[list].as_array().expect("a list") {
            let text = text(&vector["text"]).repeat(vector["times"].as_u64().unwrap_or(1) as usize);
            assert_eq!(parse(&text), vector["at"].as_u64().map(|at| at as usize), "{vector}");
        }
    }
}

#[test]
fn patterns_match_and_relate_as_the_vectors_say() {
    let vectors = read();
    let ids: Vec<&str> = vectors["rows"].as_array().expect("a list").iter().map(text).collect();
    let index = IdIndex::from_ids(ids.iter().copied()).expect("all are ids");
    let matches = vectors["matches"].as_array().expect("a list");
    let patterns: Vec<Pattern> =
        matches.iter().map(|m| Pattern::parse(text(&m["pattern"])).expect("a pattern")).collect();
    let set = PatternSet::compile(&patterns);
    for (n, pattern) in patterns.iter().enumerate() {
        let rows: Vec<u32> = serde_json::from_value(matches[n]["rows"].clone()).expect("rows");
        assert_eq!(index.rows(pattern), rows, "{pattern}");
        for (row, id) in (0..).zip(&ids) {
            assert_eq!(pattern.matches(id), rows.contains(&row), "{pattern} matches {id}");
            assert_eq!(set.matches(id).contains(&(n as u32)), rows.contains(&row), "{pattern} in a set matches {id}");
        }
        for (m, other) in patterns.iter().enumerate() {
            let relation = vectors["relations"][n][m].as_i64();
            assert_eq!(pattern.includes(other), relation > Some(0), "{pattern} includes {other}");
            assert_eq!(pattern.overlaps(other), relation.is_some(), "{pattern} overlaps {other}");
        }
    }
}
