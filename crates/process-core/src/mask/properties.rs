//! The filter against a model of what it promises, with random forms, streams and splits.

use std::cell::Cell;
use std::sync::Arc;

use super::forms::each_form;
use super::{MaskSet, Masker};

/// A small generator (xorshift64*), so that a failure can be repeated from its seed.
struct Random(Cell<u64>);

impl Random {
    fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    fn below(&self, bound: usize) -> usize {
        let mut word = self.0.get();
        word ^= word >> 12;
        word ^= word << 25;
        word ^= word >> 27;
        self.0.set(word);
        (word.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn bytes(&self, length: usize, alphabet: &[u8]) -> Vec<u8> {
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

/// Escape sequences of a whole text: start and end of each.
fn sequences(text: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] != 0x1b {
            at += 1;
            continue;
        }
        let start = at;
        at += 1;
        let run = |at: usize, allowed: std::ops::RangeInclusive<u8>| {
            text[at..].iter().take_while(|byte| allowed.contains(byte)).count()
        };
        let last = if text.get(at) == Some(&b'[') {
            at += 1 + run(at + 1, 0x20..=0x3f);
            Some(0x40..=0x7e)
        } else if text.get(at).is_some_and(|byte| b"]PX^_".contains(byte)) {
            None // of a string: what is in it is text
        } else {
            at += run(at, 0x20..=0x2f);
            Some(0x30..=0x7e)
        };
        at += usize::from(text.get(at).zip(last).is_some_and(|(byte, last)| last.contains(byte)));
        at = at.min(start + 64);
        found.push((start, at));
    }
    found
}

struct Occurrence {
    start: usize,
    end: usize,
    value: u32,
    is_text: bool,
}

fn occurrences(forms: &[(Vec<u8>, u32)], text: &[u8]) -> Vec<Occurrence> {
    let sequences = sequences(text);
    let visible: Vec<usize> =
        (0..text.len()).filter(|at| !sequences.iter().any(|(start, end)| (start..end).contains(&at))).collect();
    let stripped: Vec<u8> = visible.iter().map(|at| text[*at]).collect();
    let mut found = Vec::new();
    for (form, value) in forms {
        let value = forms.iter().find(|(first, _)| first == form).map_or(*value, |(_, value)| *value);
        for start in 0..text.len() {
            if text[start..].starts_with(form) {
                found.push(Occurrence { start, end: start + form.len(), value, is_text: false });
            }
        }
        for start in 0..stripped.len() {
            if stripped[start..].starts_with(form) {
                let end = visible[start + form.len() - 1] + 1;
                found.push(Occurrence { start: visible[start], end, value, is_text: true });
            }
        }
    }
    found.sort_by_key(|one| (one.start, usize::MAX - one.end, !one.is_text));
    found
}

/// What comes out of a whole stream.
fn expected(forms: &[(Vec<u8>, u32)], text: &[u8]) -> Vec<u8> {
    let found = occurrences(forms, text);
    let sequences = sequences(text);
    let (mut out, mut covered, mut covered_value) = (Vec::new(), 0, None);
    for one in &found {
        if one.end <= covered {
            continue;
        }
        if one.start >= covered {
            out.extend_from_slice(&text[covered..one.start]);
        }
        if one.start >= covered || covered_value != Some(one.value) {
            out.extend_from_slice(format!("[se://{}]", one.value).as_bytes());
        }
        let from = one.start.max(covered);
        for &(start, end) in sequences.iter().filter(|(start, _)| one.is_text && (from..one.end).contains(start)) {
            if !found.iter().any(|raw| !raw.is_text && raw.start < end && raw.end > start) {
                out.extend_from_slice(&text[start..end]);
            }
        }
        (covered, covered_value) = (one.end, Some(one.value));
    }
    out.extend_from_slice(&text[covered..]);
    out
}

fn masked(set: &Arc<MaskSet>, text: &[u8], random: &Random, releases: bool) -> Vec<u8> {
    let mut masker = Masker::new(Arc::clone(set));
    let (mut out, mut rest) = (Vec::new(), text);
    let longest = [1, 3, 20, 200, text.len() + 1][random.below(5)];
    while !rest.is_empty() {
        let (now, later) = rest.split_at((1 + random.below(longest)).min(rest.len()));
        masker.push(now, &mut out);
        if releases && random.below(3) == 0 {
            masker.release(&mut out);
        }
        rest = later;
    }
    masker.finish(&mut out);
    out
}

fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    for found in memchr::memmem::find_iter(text, old) {
        out.extend_from_slice(&text[at..found]);
        out.extend_from_slice(new);
        at = found + old.len();
    }
    out.extend_from_slice(&text[at..]);
    out
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn what_comes_out_is_what_the_model_says() {
    let alphabets: [&[u8]; 6] = [b"a", b"ab", b"abc", b"ab\x1b", b"ab\x1b[m", b"ab1;\x1b[m]("];
    for seed in 0..6000 {
        let random = Random::new(seed);
        let of_forms = alphabets[random.below(alphabets.len())];
        let of_text = alphabets[random.below(alphabets.len())];
        let forms: Vec<(Vec<u8>, u32)> = (0..1 + random.below(6))
            .map(|_| (5 + random.below([1, 4, 12][random.below(3)]), random.below(3) as u32))
            .map(|(length, value)| (random.bytes(length, of_forms), value))
            .collect();
        let set = Arc::new(MaskSet::of_forms(&forms));
        let mut text = Vec::new();
        for _ in 0..random.below(12) {
            let form = &forms[random.below(forms.len())].0;
            match random.below(5) {
                0 => text.extend_from_slice(form),
                1 => text.extend_from_slice(&form[random.below(form.len())..]),
                2 => text.extend_from_slice(&form[..random.below(form.len())]),
                3 => {
                    for byte in form {
                        let sequence: &[u8] = [&b""[..], b"\x1b[1m", b"\x1b[m", b"\x1b7", b"\x1b(B"][random.below(5)];
                        text.extend_from_slice(sequence);
                        text.push(*byte);
                    }
                }
                _ => text.extend(random.bytes(1 + random.below(8), of_text)),
            }
        }
        let wanted = expected(&forms, &text);
        let out = masked(&set, &text, &random, false);
        assert!(
            out == wanted,
            "seed {seed}\nforms {:?}\ntext {}\nwanted {}\n   got {}",
            forms.iter().map(|(form, value)| (show(form), value)).collect::<Vec<_>>(),
            show(&text),
            show(&wanted),
            show(&out)
        );
    }
}

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const SIGNS: &[u8] = b"abcdefXYZ0189 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n\r\t\xc3\xa9";

fn value(random: &Random) -> Vec<u8> {
    let length = 8 + random.below([8, 40, 200][random.below(3)]);
    match random.below(4) {
        0 => random.bytes(length, LETTERS),
        1 => random.bytes(length, SIGNS),
        2 => (0..length).map(|_| random.below(256) as u8).collect(),
        _ => {
            let mut text = String::new();
            while text.len() < length {
                text.push(['a', 'Z', '7', 'é', '€', '𝄞', '"', '\n', '\u{8}', '/'][random.below(10)]);
            }
            text.into_bytes()
        }
    }
}

#[test]
fn no_eight_bytes_in_a_row_of_what_was_printed_whole_come_out() {
    for seed in 0..400 {
        let random = Random::new(seed);
        let values: Vec<(String, Vec<u8>)> =
            (0..1 + random.below(4)).map(|at| (format!("v{at}"), value(&random))).collect();
        let borrowed: Vec<(String, &[u8])> = values.iter().map(|(id, value)| (id.clone(), &value[..])).collect();
        let (set, _) = MaskSet::new(&borrowed);
        let set = Arc::new(set);
        let mut forms = Vec::new();
        for (_, value) in &values {
            if super::set::unmasked_reason(value).is_none() {
                each_form(value, true, &mut |form| forms.push(form.to_vec()));
            }
        }
        if forms.is_empty() {
            continue;
        }
        let (mut text, mut printed) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.below(10) {
            text.extend(random.bytes(random.below(12), b"#~|\x01\x02\x03"));
            let form = &forms[random.below(forms.len())];
            // What has a sequence of its own is not found among others, and one that begins at its end takes what follows.
            let coloured = random.below(3) == 0 && !forms.iter().any(|form| form.contains(&0x1b));
            for byte in form {
                if coloured && random.below(4) == 0 {
                    text.extend_from_slice(b"\x1b[31m");
                }
                text.push(*byte);
            }
            printed.push(form.clone());
        }
        for releases in [false, true] {
            // A byte that no value has in the place of each label, whose own letters must not make a form whole.
            let Some(sign) = (0x80..=0xff).find(|sign| !values.iter().any(|(_, value)| value.contains(sign))) else {
                continue;
            };
            let mut out = masked(&set, &text, &random, releases);
            for at in 0..values.len() {
                out = replaced(&out, format!("[se://v{at}]").as_bytes(), &[sign]);
            }
            let visible: Vec<u8> = {
                let sequences = sequences(&out);
                let hidden = |at: usize| sequences.iter().any(|(start, end)| (*start..*end).contains(&at));
                (0..out.len()).filter(|at| !hidden(*at)).map(|at| out[at]).collect()
            };
            for form in &printed {
                for eight in form.windows(8) {
                    for shown in [&out, &visible] {
                        // Noise is made of other bytes, so that nothing comes together by accident.
                        let leaks = memchr::memmem::find(shown, eight).is_some();
                        assert!(!leaks, "seed {seed}: {} of {} in {}", show(eight), show(form), show(shown));
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_changes_where_no_value_is() {
    for seed in 0..300 {
        let random = Random::new(seed);
        let values: Vec<(String, Vec<u8>)> =
            (0..1 + random.below(20)).map(|at| (format!("v{at}"), value(&random))).collect();
        let borrowed: Vec<(String, &[u8])> = values.iter().map(|(id, value)| (id.clone(), &value[..])).collect();
        let (set, _) = MaskSet::new(&borrowed);
        let mut forms = Vec::new();
        for (at, (_, value)) in values.iter().enumerate() {
            if super::set::unmasked_reason(value).is_none() {
                each_form(value, true, &mut |form| forms.push((form.to_vec(), at as u32)));
            }
        }
        let mut text = Vec::new();
        for _ in 0..30 {
            if !forms.is_empty() && random.below(2) == 0 {
                // A beginning, which is followed by something else.
                let form = &forms[random.below(forms.len())].0;
                let length = random.below(form.len().min(60));
                text.extend_from_slice(&form[..length]);
            }
            text.extend(random.bytes(random.below(40), b"\x00\x01\x02 \x1b[m31"));
        }
        if !occurrences(&forms, &text).is_empty() {
            continue;
        }
        let set = Arc::new(set);
        for releases in [false, true] {
            let out = masked(&set, &text, &random, releases);
            assert!(out == text, "seed {seed}\n{}\n{}", show(&text), show(&out));
        }
    }
}
