//! Three lines of anything: two texts that may be patterns, and one that may be an id. What is refused is refused at a
//! sensible offset, and what is taken obeys the laws of sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pattern_matcher::{Id, Pattern};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (first, second, third) = (next(), next(), next());
    let id = Id::parse(third);
    if let Err(invalid) = &id {
        assert!(invalid.at <= third.len() && third.is_char_boundary(invalid.at));
    }
    let (Ok(a), Ok(b)) = (parse(first), parse(second)) else { return };
    let (matches_a, matches_b) = (a.matches(third), b.matches(third));
    let (a_has_b, b_has_a, overlap) = (a.includes(&b), b.includes(&a), a.overlaps(&b));

    assert!(a.includes(&a) && a.overlaps(&a));
    assert_eq!(overlap, b.overlaps(&a));
    assert!(overlap || !(a_has_b || b_has_a));
    assert!(overlap || !(matches_a && matches_b));
    assert!(matches_a || !(a_has_b && matches_b));
    assert!(matches_b || !(b_has_a && matches_a));
    assert!(id.is_ok() || !(matches_a || matches_b));
    if id.is_ok() {
        let single = Pattern::parse(third).expect("an id is a pattern");
        assert_eq!(matches_a, a.includes(&single));
        assert_eq!(matches_a, a.overlaps(&single));
        assert_eq!(matches_b, single.overlaps(&b));
    }
});

fn parse(text: &str) -> Result<Pattern, ()> {
    Pattern::parse(text).map_err(|invalid| assert!(invalid.at <= text.len() && text.is_char_boundary(invalid.at)))
}
