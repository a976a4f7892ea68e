//! Masking as its users see it: the forms that real tools write, what is held back and released, what stays.

use std::sync::Arc;

use process_core::{MAX_MASKED_BYTES, MaskSet, Masker, UnmaskedReason};

fn masker(values: &[(&str, &[u8])]) -> Masker {
    let values: Vec<(String, &[u8])> = values.iter().map(|(id, value)| ((*id).into(), *value)).collect();
    Masker::new(Arc::new(MaskSet::new(&values).0))
}

fn push(masker: &mut Masker, text: &str) -> String {
    let mut out = Vec::new();
    masker.push(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

fn release(masker: &mut Masker) -> Option<String> {
    let mut out = Vec::new();
    masker.release(&mut out).then(|| String::from_utf8(out).unwrap())
}

fn finish(masker: &mut Masker) -> String {
    let mut out = Vec::new();
    masker.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn masked(values: &[(&str, &[u8])], text: &str) -> String {
    let mut masker = masker(values);
    push(&mut masker, text) + &finish(&mut masker)
}

/// Made by the tools that it names: value, tool and form, the bytes in hexadecimal digits.
#[test]
fn the_forms_that_tools_write_are_found() {
    let bytes = |digits: &str| -> Vec<u8> {
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    };
    let table: Vec<(&str, &str, Vec<u8>)> = include_str!("vectors/mask_forms.tsv")
        .lines()
        .map(|line| {
            let cells: Vec<_> = line.split('\t').collect();
            (cells[0], cells[1], bytes(cells[2]))
        })
        .collect();
    for (name, tool, form) in &table {
        let value = &table.iter().find(|(of, what, _)| of == name && *what == "value").unwrap().2;
        let mut masker = masker(&[("x", value)]);
        let mut out = Vec::new();
        masker.push(form, &mut out);
        masker.finish(&mut out);
        let leaked = form.windows(8).find(|eight| out.windows(8).any(|window| window == *eight));
        assert_eq!(leaked, None, "{name} by {tool}: {} gave {}", form.escape_ascii(), out.escape_ascii());
        assert!(out.windows(9).any(|window| window == b"[se://x]\n") || out.windows(8).any(|w| w == b"[se://x]"));
    }
    assert!(table.len() > 200);
}

/// Lines of this length, as tools end them.
fn in_lines(text: &str, width: usize, end: &str) -> String {
    text.as_bytes().chunks(width).map(|line| format!("{}{end}", std::str::from_utf8(line).unwrap())).collect()
}

#[test]
fn a_value_is_found_in_lines_of_base64_wherever_it_stands() {
    use base64::prelude::{BASE64_STANDARD, Engine};
    for length in [8, 38, 47, 64] {
        let value: Vec<u8> = (0..length).map(|at| b'0' + (at * 37 % 71) as u8).collect();
        let values = [("x".to_owned(), &value[..])];
        let set = Arc::new(MaskSet::new(&values).0);
        for before in 0..120 {
            for after in [0, 1, 2, 90] {
                let whole = [vec![b'u'; before], value.clone(), vec![b'v'; after]].concat();
                // The digits that depend on the value alone.
                let digits = BASE64_STANDARD.encode(&whole);
                let own = digits[(before * 8).div_ceil(6)..(before + length) * 8 / 6].to_owned();
                for (width, end) in [(76, "\n"), (64, "\n"), (76, "\r\n"), (64, "\r\n")] {
                    let mut masker = Masker::new(Arc::clone(&set));
                    let text = in_lines(&digits, width, end);
                    let out = (push(&mut masker, &text) + &finish(&mut masker)).replace(end, "");
                    let leak = own.as_bytes().windows(8).find(|eight| out.as_bytes().windows(8).any(|o| o == *eight));
                    assert!(leak.is_none(), "{length} behind {before} in lines of {width}: {out}");
                    assert!(out.contains("[se://x]"), "{length} behind {before} in lines of {width}: {out}");
                }
            }
        }
    }
}

#[test]
fn a_value_is_found_in_lines_of_hexadecimal_digits() {
    let value: Vec<u8> = (0..100).map(|at| b'0' + (at * 37 % 71) as u8).collect();
    let lower: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    for digits in [lower.clone(), lower.to_uppercase()] {
        for end in ["\n", "\r\n"] {
            assert_eq!(masked(&[("x", &value)], &in_lines(&digits, 60, end)), format!("[se://x]{end}"));
        }
    }
}

#[test]
fn what_cannot_be_a_value_is_never_held_back() {
    let mut masker = masker(&[("x", b"correct horse")]);
    assert_eq!(push(&mut masker, "Password: "), "Password: ");
    assert_eq!(masker.held(), 0);
    assert_eq!(push(&mut masker, "cor"), "");
    assert_eq!(masker.held(), 3);
    assert_eq!(push(&mut masker, "gi"), "corgi");
}

#[test]
fn a_value_is_replaced_as_soon_as_it_cannot_become_a_longer_one() {
    let mut masker = masker(&[("short", b"correct!"), ("long", b"correct! horse")]);
    assert_eq!(push(&mut masker, "correct!"), "");
    assert_eq!(push(&mut masker, "."), "[se://short].");
    assert_eq!(push(&mut masker, "correct! horse"), "[se://long]");
}

#[test]
fn a_complete_value_that_may_become_a_longer_one_is_released_as_its_label() {
    let mut masker = masker(&[("short", b"correct!"), ("long", b"correct! horse")]);
    push(&mut masker, "correct!");
    assert_eq!(release(&mut masker).as_deref(), Some("[se://short]"));
    assert_eq!(push(&mut masker, " horse."), "[se://long].");
}

#[test]
fn fewer_than_eight_bytes_are_released_and_the_rest_is_masked_all_the_same() {
    let mut masker = masker(&[("x", b"correct horse")]);
    push(&mut masker, "correct");
    assert_eq!(release(&mut masker).as_deref(), Some("correct"));
    assert_eq!(release(&mut masker), None);
    assert_eq!(push(&mut masker, " "), "");
    assert_eq!(release(&mut masker), None, "the eighth byte");
    assert_eq!(push(&mut masker, "horse."), "[se://x].");
    push(&mut masker, "correct ");
    assert_eq!(release(&mut masker), None);
    assert_eq!(push(&mut masker, "hors"), "");
    assert_eq!(push(&mut masker, "y"), "correct horsy");
}

#[test]
fn colours_inside_a_value_stay_behind_its_label() {
    let text = "a \x1b[31mcorr\x1b[0m\x1b[1mect\x1b7 horse\x1b[0m.";
    assert_eq!(masked(&[("x", b"correct horse")], text), "a \x1b[31m[se://x]\x1b[0m\x1b[1m\x1b7\x1b[0m.");
}

#[test]
fn a_value_that_a_pager_writes_over_the_right_edge_is_found() {
    let value = "correct hörse";
    for edge in (1..value.len()).filter(|edge| value.is_char_boundary(*edge)) {
        for jump in [" \x08", "\x1b[m \x08", " \x1b[7m\x08\x1b[m"] {
            let text = format!("a {}{jump}{}.", &value[..edge], &value[edge..]);
            let out = masked(&[("x", value.as_bytes())], &text);
            assert!(out.starts_with("a [se://x]") && out.ends_with('.') && !out.contains('\x08'), "{out:?}");
        }
    }
}

#[test]
fn a_window_title_is_text() {
    assert_eq!(masked(&[("x", b"correct horse")], "\x1b]0;correct horse\x07"), "\x1b]0;[se://x]\x07");
}

#[test]
fn values_side_by_side_have_a_label_each_and_overlapping_ones_hide_all() {
    let values: [(&str, &[u8]); 2] = [("a", b"abcdefgh"), ("b", b"efghijkl")];
    assert_eq!(masked(&values, "abcdefghabcdefgh"), "[se://a][se://a]");
    assert_eq!(masked(&values, "abcdefghijkl."), "[se://a][se://b].");
}

#[test]
fn lines_of_a_value_are_masked_alone_and_pem_frames_are_not() {
    let key = b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nabcdefghijk=\n-----END PRIVATE KEY-----\n";
    let whole = std::str::from_utf8(key).unwrap();
    assert_eq!(masked(&[("k", key)], whole), "[se://k]");
    assert_eq!(masked(&[("k", key)], &whole.replace('\n', "\r\n")), "[se://k]");
    assert_eq!(masked(&[("k", key)], "> abcdefghijk=\n"), "> [se://k]\n");
    assert_eq!(masked(&[("k", key)], "-----BEGIN PRIVATE KEY-----\n"), "-----BEGIN PRIVATE KEY-----\n");
}

#[test]
fn an_end_of_line_of_the_value_need_not_be_there() {
    assert_eq!(masked(&[("x", b"correct horse\n")], "correct horse."), "[se://x].");
}

#[test]
fn what_is_not_masked_is_told() {
    let long = vec![b'x'; MAX_MASKED_BYTES + 1];
    let values: [(String, &[u8]); 6] = [
        ("a".into(), b"abcd"),
        ("b".into(), b"admin\n"),
        ("c".into(), b"hunter2"),
        ("d".into(), b""),
        ("e".into(), &long),
        ("f".into(), b"        "),
    ];
    let (set, unmasked) = MaskSet::new(&values);
    let told: Vec<_> = unmasked.iter().map(|one| (one.id.as_str(), one.reason)).collect();
    use UnmaskedReason::{TooCommon, TooLong, TooShort};
    assert_eq!(told, [("a", TooShort), ("b", TooCommon), ("d", TooShort), ("e", TooLong), ("f", TooCommon)]);
    assert!(!set.is_empty());
    assert!(MaskSet::new(&values[..2]).0.is_empty());
}

#[test]
fn a_long_value_is_masked_whole_and_little_of_it_is_held_back() {
    let value: Vec<u8> = (0..200_000_u32).map(|at| b'!' + (at.wrapping_mul(at ^ 77) % 90) as u8).collect();
    let mut masker = masker(&[("x", &value)]);
    let (mut out, mut held) = (Vec::new(), 0);
    for chunk in value.chunks(1000) {
        masker.push(chunk, &mut out);
        held = held.max(masker.held());
    }
    masker.finish(&mut out);
    assert_eq!(out, b"[se://x]");
    assert!(held <= 64 << 10);
}

#[test]
fn escape_sequences_without_end_are_not_held_back_for_ever() {
    let mut masker = masker(&[("x", b"correct horse")]);
    let mut out = Vec::new();
    masker.push(b"c", &mut out);
    for _ in 0..10_000 {
        masker.push(b"\x1b[1m\x1b[2m", &mut out);
    }
    assert!(masker.held() < 10_000);
    masker.push(b"\x1b[", &mut out);
    for _ in 0..10_000 {
        masker.push(b"1111111", &mut out);
    }
    assert!(masker.held() < 10_000);
}
