//! Texts as long as they may be, and patterns made to be slow: each of these ends at once, or never.

use pattern_matcher::{Id, IdIndex, MAX_BYTES, Pattern, PatternSet};

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).expect("a pattern")
}

/// Repeats `unit` as often as fits before `end`.
fn filled(unit: &str, end: &str) -> String {
    unit.repeat((MAX_BYTES - end.len()) / unit.len()) + end
}

/// Patterns that make a matcher with backtracking try every way to share out the components.
fn adversaries() -> Vec<String> {
    ["**/", "**/a/", "**/*/", "*/", "**/**/a/", "a/**/", "**/a/a/a/", "**/a/*/", "*/**/a/*/b/**/", "**/a/b/"]
        .iter()
        .flat_map(|unit| ["a", "b", "*", "**", "a/b", "z"].map(|end| filled(unit, end)))
        .collect()
}

fn long_ids() -> Vec<String> {
    ["a/", "a/b/", "a/a/a/b/", "b/", "aa/a/"]
        .iter()
        .flat_map(|unit| ["a", "b", "z"].map(|end| filled(unit, end)))
        .collect()
}

#[test]
fn a_text_may_be_as_long_as_the_limit_and_no_longer() {
    let longest = "a".repeat(MAX_BYTES);
    assert!(Id::parse(&longest).is_ok());
    assert!(Pattern::parse(&longest).is_ok());
    let too_long = longest + "a";
    assert_eq!(Id::parse(&too_long).unwrap_err().at, MAX_BYTES);
    assert_eq!(Pattern::parse(&too_long).unwrap_err().at, MAX_BYTES);
    // What is wrong before the limit is said first.
    assert_eq!(Id::parse(&format!("/{too_long}")).unwrap_err().at, 0);
    assert!(!pattern("**").matches(&too_long));
    assert!(PatternSet::compile([&pattern("**")]).matches(&too_long).is_empty());
}

#[test]
fn patterns_made_to_be_slow_match_long_ids_in_bounded_time() {
    for text in adversaries() {
        let pattern = pattern(&text);
        let ends = |id: &str| text.ends_with('*') || id.rsplit('/').next() == text.rsplit('/').next();
        for id in long_ids() {
            // The last component decides many cases; the rest only has to end.
            assert!(!pattern.matches(&id) || ends(&id));
        }
    }
}

#[test]
fn patterns_made_to_be_slow_relate_in_bounded_time() {
    let patterns: Vec<Pattern> = adversaries().iter().map(|text| pattern(text)).collect();
    for a in &patterns {
        assert!(a.includes(a) && a.overlaps(a));
        for b in &patterns {
            assert!(
                !a.includes(b) || a.overlaps(b),
                "what is included overlaps, since every pattern matches something"
            );
            assert_eq!(a.overlaps(b), b.overlaps(a));
        }
    }
}

#[test]
fn sets_and_indexes_of_patterns_made_to_be_slow_answer_in_bounded_time() {
    // All of them at once would take as long as one after the other: that is the bound, and a debug build feels it.
    let patterns: Vec<Pattern> = adversaries().iter().step_by(5).map(|text| pattern(text)).collect();
    let ids: Vec<String> = long_ids().into_iter().step_by(4).collect();
    let set = PatternSet::compile(&patterns);
    let index = IdIndex::from_ids(ids.iter().map(String::as_str)).expect("all are ids");
    let pairs = set.match_many(ids.iter().map(String::as_str));
    for (row, pattern) in (0..).zip(&patterns) {
        let mut rows = index.rows(pattern);
        rows.sort_unstable();
        let expected: Vec<u32> = (0..).zip(&ids).filter(|(_, id)| pattern.matches(id)).map(|(id, _)| id).collect();
        assert_eq!(rows, expected);
        assert_eq!(expected, pairs.iter().filter(|pair| pair.1 == row).map(|pair| pair.0).collect::<Vec<_>>());
    }
}

#[test]
fn many_ids_below_one_another_are_indexed() {
    // Every prefix of a long id: a trie as deep as can be, each of whose nodes is an id.
    let longest = filled("a/", "a");
    let ids: Vec<&str> = longest.match_indices('/').map(|(at, _)| &longest[..at]).chain([longest.as_str()]).collect();
    let index = IdIndex::from_ids(ids.iter().copied()).expect("all are ids");
    assert_eq!(index.count(&pattern("**")), ids.len());
    assert_eq!(index.count(&pattern("**/a")), ids.len());
    assert_eq!(index.count(&pattern("**/a/**")), ids.len());
    assert_eq!(index.count(&pattern("**/a/a/**")), ids.len() - 1);
    assert_eq!(index.count(&pattern(&filled("**/a/*/", "**"))), ids.len() - 2 * ((MAX_BYTES - 2) / 7) + 1);
}
