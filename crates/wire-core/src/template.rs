//! JSON with values in it, which no JSON library ever sees.

use keychain_core::{Code, Error, Result};

use crate::base64::put_base64;
use crate::output::Output;

/// Adds a text in which each NUL, which no JSON holds, is the place of a value as base64. `value` puts the next one, by
/// its number from 0. More or fewer places than `values` → `Internal`.
pub fn splice(
    output: &mut Output<'_>,
    template: &[u8],
    values: usize,
    mut with_value: impl FnMut(usize, &mut dyn FnMut(&[u8])) -> Result<()>,
) -> Result<()> {
    let mut places = 0;
    for (at, piece) in template.split(|byte| *byte == 0).enumerate() {
        if at > 0 {
            if at > values {
                return Err(mismatch());
            }
            with_value(at - 1, &mut |value| put_base64(output, value))?;
            places = at;
        }
        output.put(piece);
    }
    if places == values { Ok(()) } else { Err(mismatch()) }
}

fn mismatch() -> Error {
    Error::new(Code::Internal, "a message has not as many places as there are values")
}
