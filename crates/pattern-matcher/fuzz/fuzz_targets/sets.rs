//! Patterns a line each, an empty line, ids a line each: a set and an index answer as the patterns do one by one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pattern_matcher::{Id, IdIndex, Pattern, PatternSet};

fuzz_target!(|text: &str| {
    let (patterns, ids) = text.split_once("\n\n").unwrap_or((text, ""));
    let patterns: Vec<Pattern> = patterns.split('\n').filter_map(|text| Pattern::parse(text).ok()).collect();
    let texts: Vec<&str> = ids.split('\n').collect();
    let set = PatternSet::compile(&patterns);
    for text in &texts {
        let expected: Vec<u32> = (0..).zip(&patterns).filter(|(_, p)| p.matches(text)).map(|(row, _)| row).collect();
        assert_eq!(set.matches(text), expected);
    }
    assert_eq!(IdIndex::from_ids(texts.iter().copied()).is_ok(), texts.iter().all(|text| Id::parse(text).is_ok()));
    let ids: Vec<&str> = texts.into_iter().filter(|text| Id::parse(text).is_ok()).collect();
    let index = IdIndex::from_ids(ids.iter().copied()).expect("all are ids");
    for pattern in &patterns {
        let mut expected: Vec<u32> = (0..).zip(&ids).filter(|(_, id)| pattern.matches(id)).map(|(row, _)| row).collect();
        expected.sort_by_key(|row| (ids[*row as usize].split('/').collect::<Vec<_>>(), *row));
        assert_eq!(index.rows(pattern), expected);
        assert_eq!(index.count(pattern), expected.len());
        let mut rows = expected.iter();
        index.for_each(pattern, |id| assert_eq!(rows.next().map(|row| ids[*row as usize]), Some(id)));
        assert_eq!(rows.next(), None);
    }
});
