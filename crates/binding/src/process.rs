//! Commands, prompts and values that come in or go out, for JavaScript.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keychain_core::{Code, Error, Result};
use napi::Env;
use napi::bindgen_prelude::Object;
use napi_derive::napi;
use process_core::{EditFile, Environment, FileRequest, Format, MAX_VARIABLE_BYTES, Mode, Problem};

use crate::metadata::Metadata;
use crate::outcome::Outcome;
use crate::secret::SecretHandle;
use crate::task;

/// A variable whose value begins with `se://`.
#[napi(object, object_from_js = false)]
pub struct VariableReference {
    /// Its place, for `bind`.
    pub index: u32,
    /// The variable's name.
    pub name: String,
    /// The reference.
    pub text: String,
}

/// Why the variables cannot be given to the command.
#[napi(object, object_from_js = false)]
pub struct LaunchProblem {
    /// The code of the error that this amounts to.
    pub code: String,
    /// What is wrong with which variable.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Plain facts.
    pub details: HashMap<String, String>,
}

/// What a file is to be like.
#[napi(object, object_to_js = false)]
pub struct FileOptions {
    /// Where it is to be. Without it the file is in memory, and has no name.
    pub path: Option<String>,
    /// Read and write bits.
    pub mode: u32,
    /// Whom it is given to: `user` or `user:group`, each a name or a number.
    pub owner: Option<String>,
}

impl From<FileOptions> for FileRequest {
    fn from(options: FileOptions) -> Self {
        Self { path: options.path.map(PathBuf::from), mode: options.mode, owner: options.owner }
    }
}

/// All that keeps a file from being made, as far as that is known without its value.
#[napi(ts_return_type = "Outcome<null>[]")]
pub fn file_problems(options: FileOptions) -> Vec<Outcome<()>> {
    FileRequest::from(options).problems().into_iter().map(|problem| Outcome::of(|| Err(problem))).collect()
}

/// Removes the files that killed processes left, as the records in this folder tell.
#[napi(ts_return_type = "Outcome<null>")]
pub fn sweep_files(records: String) -> Outcome<()> {
    Outcome::of(|| {
        #[cfg(unix)]
        process_core::sweep(&PathBuf::from(&records))
            .map_err(|error| Error::new(Code::OutputFailure, format!("{records} cannot be read")).with_source(error))?;
        #[cfg(windows)]
        drop(records);
        Ok(())
    })
}

/// A command to be: the last arguments of this process, its environment, and what it inherited.
#[napi]
pub struct Launch {
    parts: Mutex<Parts>,
}

struct Parts {
    arguments: process_core::Arguments,
    environment: Environment,
    #[cfg(unix)]
    descriptors: process_core::Descriptors,
    #[cfg(unix)]
    plan: process_core::supervise::Plan,
    #[cfg(target_os = "linux")]
    memory_files: Vec<process_core::MemoryFile>,
    #[cfg(unix)]
    note: Option<process_core::StartNote>,
}

impl Parts {
    /// Puts a value into a file, and the path of that into the variable at this place.
    #[cfg(unix)]
    fn bind_file(&mut self, index: usize, value: &[u8], request: FileRequest, records: PathBuf) -> Result<()> {
        let access = process_core::Access::new(request.mode, request.owner.as_deref())?;
        if let Some(path) = request.path {
            self.environment.bind(index, path.as_os_str().as_encoded_bytes());
            let value = keychain_core::SecretBytes::copy_from(value);
            self.plan.files.push(process_core::PathFile { path, access, value });
            self.plan.records = records;
            return Ok(());
        }
        self.bind_memory_file(index, value, access)
    }

    #[cfg(target_os = "linux")]
    fn bind_memory_file(&mut self, index: usize, value: &[u8], access: process_core::Access) -> Result<()> {
        let file = process_core::MemoryFile::create(value, access)?;
        self.environment.bind(index, file.path(std::process::id()).as_bytes());
        self.descriptors.keep(file.descriptor());
        self.memory_files.push(file);
        Ok(())
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    fn bind_memory_file(&mut self, _index: usize, _value: &[u8], _access: process_core::Access) -> Result<()> {
        Err(FileRequest::unsupported())
    }

    #[cfg(windows)]
    fn bind_file(&mut self, _index: usize, _value: &[u8], _request: FileRequest, _records: PathBuf) -> Result<()> {
        Err(FileRequest::unsupported())
    }
}

impl Launch {
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Captures what a command will get. `words` of this process's arguments, counted from the end, are the command. To be
/// called before anything opens a descriptor that outlives the call.
#[napi(ts_return_type = "Outcome<Launch>")]
pub fn capture_launch(words: u32) -> Outcome<Launch> {
    Outcome::of(|| {
        let mut arguments = process_core::arguments()?;
        let first = arguments.len().saturating_sub(words as usize);
        arguments.drain(..first);
        #[cfg(unix)]
        let note = process_core::StartNote::of_this_process()?;
        let parts = Parts {
            arguments,
            environment: Environment::current()?,
            #[cfg(unix)]
            descriptors: process_core::Descriptors::capture(note.as_ref()).map_err(|error| {
                Error::new(Code::Internal, "this process's descriptors cannot be listed").with_source(error)
            })?,
            #[cfg(unix)]
            plan: process_core::supervise::Plan::default(),
            #[cfg(target_os = "linux")]
            memory_files: Vec::new(),
            #[cfg(unix)]
            note,
        };
        Ok(Launch { parts: Mutex::new(parts) })
    })
}

#[napi]
impl Launch {
    /// The variables whose value begins with `se://`, in order.
    #[napi]
    pub fn references(&self) -> Vec<VariableReference> {
        let references = self.parts().environment.references();
        references
            .into_iter()
            .map(|one| VariableReference {
                index: u32::try_from(one.index).unwrap_or(u32::MAX),
                name: one.name,
                text: one.text,
            })
            .collect()
    }

    /// Sets a variable to a text, in its place where it is there.
    #[napi]
    pub fn set(&self, name: String, value: String) {
        self.parts().environment.set(&name, value.as_bytes());
    }

    /// Sets a variable to a value, likewise. Places of `references` mean nothing after that.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn set_value(&self, name: String, value: &SecretHandle) -> Outcome<()> {
        Outcome::of(|| value.with(|value| self.parts().environment.set(&name, value)))
    }

    /// Whether a variable of this name is there.
    #[napi]
    pub fn has(&self, name: String) -> bool {
        self.parts().environment.has(&name)
    }

    /// Gives the variable at this place of `references` a value.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn bind(&self, index: u32, value: &SecretHandle) -> Outcome<()> {
        Outcome::of(|| value.with(|value| self.parts().environment.bind(index as usize, value)))
    }

    /// Puts a value into a file for the command, and the file's path into the variable at this place of `references`. A
    /// file with a path of its own appears when a parent of ours starts the command, and is noted in the folder `records`.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn bind_file(&self, index: u32, value: &SecretHandle, options: FileOptions, records: String) -> Outcome<()> {
        Outcome::of(|| {
            value.with(|value| self.parts().bind_file(index as usize, value, options.into(), records.into()))?
        })
    }

    /// All that keeps the variables from being given to the command.
    #[napi]
    pub fn problems(&self) -> Vec<LaunchProblem> {
        let parts = self.parts();
        parts.environment.problems(&parts.arguments).into_iter().map(LaunchProblem::from).collect()
    }

    /// The variables that were set or bound, as text: `shell`, `json` or `dotenv`.
    #[napi(ts_return_type = "Outcome<SecretHandle>")]
    pub fn render(&self, #[napi(ts_arg_type = "'shell' | 'json' | 'dotenv'")] format: String) -> Outcome<SecretHandle> {
        Outcome::of(|| {
            let format = match format.as_str() {
                "json" => Format::Json,
                "dotenv" => Format::Dotenv,
                _ => Format::Shell,
            };
            process_core::render(&self.parts().environment, format).map(SecretHandle::new)
        })
    }

    /// Whether the command would be found, and may be executed.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn check(&self) -> Outcome<()> {
        Outcome::of(|| {
            let parts = self.parts();
            process_core::check(&parts.arguments, &parts.environment)
        })
    }

    /// Becomes the command. Returns only when that failed. Not on Windows.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn exec(&self) -> Outcome<()> {
        Outcome::of(|| {
            let parts = self.parts();
            #[cfg(unix)]
            let error =
                process_core::exec(&parts.arguments, &parts.environment, &parts.descriptors, parts.note.as_ref());
            #[cfg(windows)]
            let error =
                Error::new(Code::Unsupported, "Windows has no exec").with_detail("words", parts.arguments.len());
            Err(error)
        })
    }

    /// Has the value masked as `[se://id]` in what the command writes, when a parent of ours masks it.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn mask(&self, id: String, value: &SecretHandle) -> Outcome<()> {
        Outcome::of(|| {
            let value = value.copy()?;
            #[cfg(unix)]
            self.parts().plan.values.push((id, value));
            #[cfg(windows)]
            drop((id, value));
            Ok(())
        })
    }

    /// Becomes the launcher at this path, which runs the command below it, puts files at their paths before and removes
    /// them after, and masks what it writes: `auto` or `always`.
    /// Returns only when that failed. Not on Windows.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn supervise(
        &self,
        launcher: String,
        #[napi(ts_arg_type = "'auto' | 'always'")] mask: Option<String>,
    ) -> Outcome<()> {
        Outcome::of(|| {
            #[cfg(unix)]
            let error = {
                let mut parts = self.parts();
                use process_core::supervise::MaskMode;
                parts.plan.mask = mask.map(|mask| if mask == "always" { MaskMode::Always } else { MaskMode::Auto });
                process_core::exec_launcher(
                    launcher.as_bytes(),
                    &parts.plan,
                    &parts.arguments,
                    &parts.environment,
                    &parts.descriptors,
                    parts.note.as_ref(),
                )
            };
            #[cfg(windows)]
            let error = Error::new(Code::Unsupported, "Windows has no exec")
                .with_detail("launcher", launcher)
                .with_detail("mask", mask.unwrap_or_default());
            Err(error)
        })
    }

    /// Runs the command below this process and answers its exit code. Only on Windows; blocks this thread, which would
    /// only wait.
    #[napi(ts_return_type = "Outcome<number>")]
    pub fn spawn(&self) -> Outcome<i32> {
        Outcome::of(|| {
            let parts = self.parts();
            #[cfg(windows)]
            let result = process_core::spawn(&parts.arguments, &parts.environment);
            #[cfg(unix)]
            let result = Err(Error::new(Code::Unsupported, "a command is not spawned here, it is become")
                .with_detail("words", parts.arguments.len()));
            result
        })
    }
}

impl From<Problem> for LaunchProblem {
    fn from(problem: Problem) -> Self {
        let facts =
            |pairs: &[(&str, String)]| pairs.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        match problem {
            Problem::Nul { name } => Self {
                code: Code::ValueHasNul.as_str().into(),
                message: format!("{name}: the value holds a zero byte, which a variable cannot carry"),
                hint: "give it to a command as a file: se run --file NAME=REF".into(),
                details: facts(&[("variable", name)]),
            },
            Problem::TooLong { name, bytes } => Self {
                code: Code::ValueTooLarge.as_str().into(),
                message: format!("{name}: the variable has {bytes} bytes, and the system takes {MAX_VARIABLE_BYTES}"),
                hint: "give it to a command as a file: se run --file NAME=REF".into(),
                details: facts(&[
                    ("variable", name),
                    ("bytes", bytes.to_string()),
                    ("limit", MAX_VARIABLE_BYTES.to_string()),
                ]),
            },
            Problem::TotalTooLong { bytes, limit } => Self {
                code: Code::ValueTooLarge.as_str().into(),
                message: format!("arguments and environment have {bytes} bytes together, and the system takes {limit}"),
                hint: "give the command fewer or shorter variables".into(),
                details: facts(&[("bytes", bytes.to_string()), ("limit", limit.to_string())]),
            },
        }
    }
}

/// Keeps other programs of the same user from reading this process's memory. For our own program only.
#[napi]
pub fn harden() -> bool {
    process_core::harden()
}

/// Collects garbage so that as little memory as possible stays in use, and gives what is free back to the system. Holds
/// JavaScript up for as long: some twenty milliseconds for a heap of ten megabytes. For our own program only.
#[napi]
pub fn give_memory_back(env: Env) -> napi::Result<()> {
    // Node-API has no function that collects. But V8 collects, and shrinks what it keeps for later, when it is told that
    // more memory hangs on its objects than its heap may ever have.
    const MORE_THAN_ANY_HEAP: i64 = 1 << 40;
    env.adjust_external_memory(MORE_THAN_ANY_HEAP)?;
    env.adjust_external_memory(-MORE_THAN_ANY_HEAP)?;
    process_core::trim_memory();
    Ok(())
}

/// A value that was read, with the facts that came with it.
#[napi(object, object_from_js = false)]
pub struct SecretInput {
    /// The value.
    pub secret: SecretHandle,
    /// The metadata of a JSON object.
    #[napi(ts_type = "Record<string, string>")]
    pub metadata: Option<Metadata>,
}

/// Reads standard input to its end. `objects`: a JSON object is taken apart, though anything else is verbatim.
#[napi(ts_return_type = "Promise<Outcome<SecretInput>>")]
pub fn secret_from_stdin(env: &Env, verbatim: bool, objects: Option<bool>) -> napi::Result<Object<'_>> {
    let mode = match (verbatim, objects) {
        (true, Some(true)) => Mode::Object,
        (true, _) => Mode::Verbatim,
        (false, _) => Mode::Line,
    };
    task::run(env, move || {
        let input = process_core::from_stdin(mode)?;
        Ok(SecretInput { secret: SecretHandle::new(input.value), metadata: input.metadata.map(Metadata::from) })
    })
}

/// Asks at the terminal, twice where `confirm` is given.
#[napi(ts_return_type = "Promise<Outcome<SecretHandle>>")]
pub fn prompt_secret(env: &Env, text: String, confirm: Option<String>) -> napi::Result<Object<'_>> {
    task::run(env, move || process_core::prompt(&text, confirm.as_deref()).map(SecretHandle::new))
}

/// The part of one of this process's arguments, counted from the last one (1), from byte `offset` on.
#[napi(ts_return_type = "Outcome<SecretHandle>")]
pub fn secret_from_argument(from_end: u32, offset: u32) -> Outcome<SecretHandle> {
    Outcome::of(|| process_core::from_argument(from_end as usize, offset as usize).map(SecretHandle::new))
}

/// Makes a random value of `length` characters of the alphabet.
#[napi(ts_return_type = "Outcome<SecretHandle>")]
pub fn generate_secret(length: u32, alphabet: String) -> Outcome<SecretHandle> {
    Outcome::of(|| process_core::generate(length as usize, &alphabet).map(SecretHandle::new))
}

/// The value as a member of a JSON object: `"value":"…"`, or `"valueBase64":"…"` when it is not UTF-8.
#[napi(ts_return_type = "Outcome<SecretHandle>")]
pub fn json_member(value: &SecretHandle) -> Outcome<SecretHandle> {
    Outcome::of(|| value.with(process_core::json_member)?.map(SecretHandle::new))
}

/// Writes a value to a descriptor. When the reader has gone, the rest is dropped.
#[napi(ts_return_type = "Promise<Outcome<null>>")]
pub fn write_secret<'env>(env: &'env Env, fd: i32, value: &SecretHandle) -> napi::Result<Object<'env>> {
    let value = value.copy();
    task::run(env, move || process_core::write_to(fd, value?.as_bytes()))
}

/// Writes a value to a file that only its owner may read, as a whole or not at all.
#[napi(ts_return_type = "Promise<Outcome<null>>")]
pub fn write_secret_file<'env>(env: &'env Env, path: String, value: &SecretHandle) -> napi::Result<Object<'env>> {
    let value = value.copy();
    task::run(env, move || process_core::write_file(&PathBuf::from(path), value?.as_bytes()))
}

/// A value in a file in memory, for an editor.
#[napi]
pub struct SecretEditFile {
    file: EditFile,
}

/// Puts a value into a file in memory, noted in the folder `records`. The launcher at this path removes it should this
/// process be killed.
#[napi(ts_return_type = "Outcome<SecretEditFile>")]
pub fn create_edit_file(value: &SecretHandle, records: String, launcher: String) -> Outcome<SecretEditFile> {
    let create = |value: &[u8]| EditFile::create(value, Path::new(&records), Path::new(&launcher));
    Outcome::of(|| Ok(SecretEditFile { file: value.with(create)?? }))
}

#[napi]
impl SecretEditFile {
    /// Where the file is.
    #[napi(getter)]
    pub fn path(&self) -> String {
        self.file.path().to_string_lossy().into_owned()
    }

    /// Reads what the editor left.
    #[napi(ts_return_type = "Outcome<SecretHandle>")]
    pub fn read(&self) -> Outcome<SecretHandle> {
        Outcome::of(|| self.file.read().map(SecretHandle::new))
    }

    /// Leaves the file there when this object goes.
    #[napi]
    pub fn keep(&mut self) {
        self.file.keep();
    }

    /// Wipes and removes the file and all beside it.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn remove(&mut self) -> Outcome<()> {
        Outcome::of(|| -> Result<()> { self.file.remove() })
    }
}
