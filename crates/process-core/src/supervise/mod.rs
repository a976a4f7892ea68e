//! The parent that a command keeps while its output is masked or files of ours are there for it: native, with one
//! thread, and otherwise not to be noticed.
//!
//! It becomes undumpable, forwards signals, stops and goes on with the command, and ends as the command ends. It is to be
//! called in a program of our own that has one thread: it forks and goes on.

mod child;
mod descriptors;
mod files;
mod job;
mod line_ends;
mod masked;
mod memory;
mod monitor;
mod plan;
mod pump;
mod signals;
mod terminal;

use keychain_core::{Code, Error, Result, SecretBytes};

pub use self::child::{Command, Ended, end_as};
pub use self::files::WATCH;
use self::job::Job;
use self::masked::Masking;
pub use self::plan::{MaskMode, Plan};
use self::signals::Inherited;
use crate::{MaskSet, unmasked_warning};

/// The exit status where a command succeeded whose output could not be written.
const OUTPUT_LOST: i32 = 1;

/// Runs the command as the plan says, and answers how it ended. End as it did with [`end_as`]. Where there is nothing to
/// be done beside it, this process becomes the command.
///
/// `tell` hears, before the command starts, which values are not masked.
///
/// Failures, all before the command has started: those of `exec`; what keeps files from their places. What keeps them
/// from being removed is told to `tell` as well, and changes no status. Masked output that cannot be written is told, too, and
/// turns a success into status 1.
pub fn supervise(plan: Plan, command: Command, tell: impl Fn(&Error)) -> Result<Ended> {
    crate::harden();
    descriptors::hold_places();
    let Plan { mask, values, files, records } = plan;
    let masking = mask.and_then(|mode| Masking::find(mode, &command));
    let inherited = Inherited::capture();
    if masking.is_none() && files.is_empty() {
        inherited.restore();
        return Err(crate::exec::execute(&command.arguments, &command.environment));
    }
    let placed = files::place(&files, &records)?;
    // Their values are where they belong, and nowhere else from here on.
    drop(files);
    let ended = match masking {
        Some(masking) => masking.run(command, &inherited, || mask_set(values, &tell)),
        None => {
            drop(values);
            Job::start(command, &inherited).map(|job| (job.run(), None))
        }
    };
    if let Err(error) = placed.remove() {
        tell(&error);
    }
    let (ended, lost) = ended?;
    let Some(error) = lost else { return Ok(ended) };
    tell(&error);
    // Of a command that wrote to the end, only this process knows that it was not to the end.
    Ok(if ended == Ended::Exited(0) { Ended::Exited(OUTPUT_LOST) } else { ended })
}

/// Prepares the masker. The values are wiped then.
fn mask_set(values: Vec<(String, SecretBytes)>, tell: impl Fn(&Error)) -> MaskSet {
    let values_only: Vec<(String, &[u8])> = values.iter().map(|(id, value)| (id.clone(), value.as_bytes())).collect();
    let (set, unmasked) = MaskSet::new(&values_only);
    if let Some(warning) = unmasked_warning(&unmasked) {
        tell(&warning);
    }
    set
}

fn system_failure(what: &str) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::new(Code::Internal, format!("{what} failed: {error}")).with_source(error)
}
