//! The matcher against its definition, over small alphabets: exhaustively where that is possible, else from fixed seeds.

mod common;

use common::{FRESH, Random, all};
use pattern_matcher::{Id, IdIndex, Pattern, PatternSet};

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid}"))
}

fn assert_relations(a: &str, b: &str) {
    let (pa, pb) = (pattern(a), pattern(b));
    assert_eq!(pa.includes(&pb), common::includes(a, b), "{a} includes {b}");
    assert_eq!(pb.includes(&pa), common::includes(b, a), "{b} includes {a}");
    assert_eq!(pa.overlaps(&pb), common::overlaps(a, b), "{a} overlaps {b}");
    assert_eq!(pb.overlaps(&pa), common::overlaps(a, b), "{b} overlaps {a}");
}

#[test]
fn the_definitions_agree_with_counting_ids() {
    let ids = all(&["a", "b", FRESH], 7);
    for a in all(&["a", "*", "**"], 3) {
        for b in all(&["a", "b", "*", "**"], 3) {
            let both: Vec<_> = ids.iter().map(|id| (common::matches(&a, id), common::matches(&b, id))).collect();
            assert_eq!(common::includes(&a, &b), both.iter().all(|(a, b)| *a || !b), "{a} includes {b}");
            assert_eq!(common::overlaps(&a, &b), both.iter().any(|(a, b)| *a && *b), "{a} overlaps {b}");
        }
    }
}

#[test]
fn every_short_pattern_matches_the_ids_it_should() {
    let ids = all(&["a", "b", FRESH], 5);
    for text in all(&["a", "b", "*", "**"], 4) {
        let pattern = pattern(&text);
        for id in &ids {
            assert_eq!(pattern.matches(id), common::matches(&text, id), "{text} matches {id}");
        }
    }
}

#[test]
fn every_pair_of_short_patterns_relates_as_its_sets_do() {
    let texts = all(&["a", "b", "*", "**"], 4);
    for (n, a) in texts.iter().enumerate() {
        for b in &texts[n..] {
            assert_relations(a, b);
        }
    }
}

#[test]
fn long_patterns_match_and_relate_as_their_sets_do() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let (a, b) = (random.pattern(12), random.pattern(12));
        assert_relations(&a, &b);
        let id = random.path(&["a", "b", FRESH], 12);
        assert_eq!(pattern(&a).matches(&id), common::matches(&a, &id), "{a} matches {id}");
    }
}

#[test]
fn a_pattern_relates_to_an_id_as_it_matches_it() {
    for seed in 0..5_000 {
        let mut random = Random::new(seed);
        let (text, id) = (random.pattern(8), random.path(&["a", "b", FRESH], 8));
        let (pattern, single) = (pattern(&text), pattern(&id));
        assert!(single.is_literal());
        assert_eq!(pattern.matches(&id), pattern.includes(&single), "{text} {id}");
        assert_eq!(pattern.matches(&id), pattern.overlaps(&single), "{text} {id}");
    }
}

#[test]
fn a_set_finds_the_patterns_that_match_one_by_one() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let patterns: Vec<Pattern> = (0..random.below(60)).map(|_| pattern(&random.pattern(6))).collect();
        let ids: Vec<String> = (0..40).map(|_| random.path(&["a", "b", FRESH, "not an id"], 7)).collect();
        let set = PatternSet::compile(&patterns);
        assert_eq!(set.len(), patterns.len());
        let mut pairs = Vec::new();
        for (position, id) in (0..).zip(&ids) {
            let rows: Vec<u32> = (0..).zip(&patterns).filter(|(_, p)| p.matches(id)).map(|(row, _)| row).collect();
            assert_eq!(set.matches(id), rows, "seed {seed}, {id}");
            pairs.extend(rows.into_iter().map(|row| (position, row)));
        }
        assert_eq!(set.match_many(ids.iter().map(String::as_str)), pairs, "seed {seed}");
    }
}

#[test]
fn an_index_finds_the_ids_that_match_one_by_one() {
    for seed in 0..600 {
        let mut random = Random::new(seed);
        // Small sets, large ones, and such with components that sort around the slash.
        let components: &[&str] = [&["a", "b", FRESH][..], &["a", "aa", "a-", "a.b", "b"], &["a"]][random.below(3)];
        let mut ids: Vec<String> = (0..random.below(80)).map(|_| random.path(components, 7)).collect();
        if random.below(2) == 0 {
            ids.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        }
        let index = IdIndex::from_ids(ids.iter().map(String::as_str)).expect("all are ids");
        assert_eq!(index.len(), ids.len());
        for _ in 0..40 {
            let text = random.pattern(7);
            let pattern = pattern(&text);
            let rows = (0..).zip(&ids).filter(|(_, id)| pattern.matches(id)).map(|(row, _)| row).collect();
            let rows = common::in_tree_order(&ids, rows);
            assert_eq!(index.count(&pattern), rows.len(), "seed {seed}: {text} of {ids:?}");
            assert_eq!(index.rows(&pattern), rows, "seed {seed}: {text} of {ids:?}");
            let mut list = Vec::new();
            index.for_each(&pattern, |id| list.push(id.to_owned()));
            let named: Vec<&String> = rows.iter().map(|row| &ids[*row as usize]).collect();
            assert_eq!(list.iter().collect::<Vec<_>>(), named, "seed {seed}: {text}");
        }
    }
}

#[test]
fn an_index_answers_every_short_pattern_over_every_short_id() {
    let ids = all(&["a", "b", FRESH], 5);
    let index = IdIndex::from_ids(ids.iter().map(String::as_str)).expect("all are ids");
    for text in all(&["a", "b", "*", "**"], 4) {
        let pattern = pattern(&text);
        let rows = (0..).zip(&ids).filter(|(_, id)| common::matches(&text, id)).map(|(row, _)| row).collect();
        assert_eq!(index.rows(&pattern), common::in_tree_order(&ids, rows), "{text}");
    }
}

#[test]
fn an_index_names_the_row_and_offset_of_what_is_not_an_id() {
    let refused = IdIndex::from_ids(["a", "b/c", "b//c"]).err().expect("the third is no id");
    assert_eq!((refused.row, refused.at), (2, Some(2)));
}

#[test]
fn an_empty_set_and_an_empty_index_match_nothing() {
    assert!(PatternSet::compile([]).is_empty());
    assert_eq!(PatternSet::compile([]).matches("a"), []);
    let index = IdIndex::from_ids([]).expect("no id is wrong");
    assert!(index.is_empty());
    for text in ["**", "*", "a", "a/**", "**/a", "**/a/**"] {
        assert_eq!(index.count(&pattern(text)), 0, "{text}");
    }
}

#[test]
fn texts_are_judged_as_the_grammar_says() {
    // What the grammar says, character by character, is repeated here in words rather than taken from the code.
    let good = |component: &str| {
        !component.is_empty() && component.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c))
    };
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let text: String = (0..random.below(7))
            .map(|_| random.pick(&["a", "Z", "9", ".", "_", ":", "-", "/", "*", " ", "é", "\0"]))
            .collect();
        assert_eq!(Id::parse(&text).is_ok(), text.split('/').all(good), "{text:?}");
        let is_pattern = text.split('/').all(|component| component == "*" || component == "**" || good(component));
        assert_eq!(Pattern::parse(&text).is_ok(), is_pattern, "{text:?}");
    }
}

#[test]
fn the_offset_is_where_a_text_stops_being_the_start_of_an_id_or_pattern() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let text: String = (0..random.below(7)).map(|_| random.pick(&["a", ".", "/", "*", "**", "é"])).collect();
        // A start is good when something can be put behind it that makes the whole good.
        let can_go_on = |parses: fn(&str) -> bool, start: &str| {
            ["", "a", "/a"].iter().any(|more| parses(&format!("{start}{more}")))
        };
        let first_wrong = |parses: fn(&str) -> bool| {
            let ends = text.char_indices().map(|(at, c)| (at, at + c.len_utf8()));
            ends.map(|(at, end)| (at, &text[..end]))
                .find(|(_, start)| !can_go_on(parses, start))
                .map_or(text.len(), |(at, _)| at)
        };
        if let Err(invalid) = Id::parse(&text) {
            assert_eq!(invalid.at, first_wrong(|text| Id::parse(text).is_ok()), "{text:?}");
        }
        if let Err(invalid) = Pattern::parse(&text) {
            assert_eq!(invalid.at, first_wrong(|text| Pattern::parse(text).is_ok()), "{text:?}");
        }
    }
}
