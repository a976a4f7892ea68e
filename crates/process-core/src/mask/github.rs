//! Masks of GitHub Actions.

use keychain_core::SecretBytes;

use super::commonness::is_line_masked;
use super::set::unmasked_reason;
use super::wiped::Wiped;

/// The workflow commands that have GitHub's runner mask these values in a job's log: one for each, and one for each line
/// of a value that has several. None for what a [`super::MaskSet`] does not mask either.
pub fn github_masks(values: &[&[u8]]) -> SecretBytes {
    let mut commands = Wiped::with_capacity(0);
    for value in values.iter().filter(|value| unmasked_reason(value).is_none()) {
        let value = value.trim_ascii_end();
        if !value.contains(&b'\n') {
            add(value, &mut commands);
            continue;
        }
        for line in value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| is_line_masked(line)) {
            add(line, &mut commands);
        }
    }
    SecretBytes::copy_from(commands.as_slice())
}

/// The runner reads `%25`, `%0D` and `%0A` as the signs that would end a command.
fn add(line: &[u8], commands: &mut Wiped) {
    commands.extend(b"::add-mask::");
    for byte in line {
        match byte {
            b'%' => commands.extend(b"%25"),
            b'\r' => commands.extend(b"%0D"),
            _ => commands.push(*byte),
        }
    }
    commands.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_for_each_value_and_for_each_line_of_one() {
        let values: [&[u8]; 5] = [
            b"100% secret",
            b"-----BEGIN KEY-----\r\nabcdefgh\r\n}\n  ijkl mnop\n",
            b"short",
            b"ends with one\n",
            b"a\rb c d e",
        ];
        let commands = github_masks(&values);
        assert_eq!(
            commands.as_bytes(),
            b"::add-mask::100%25 secret\n::add-mask::abcdefgh\n::add-mask::ijkl mnop\n::add-mask::ends with one\n\
              ::add-mask::a%0Db c d e\n"
        );
    }
}
