//! Running a command where exec does not exist: a parent that steps aside.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::size_of;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::ptr;

use keychain_core::{Code, Error, Result};
use windows_sys::Win32::Foundation::CloseHandle;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
    SetInformationJobObject,
};

use crate::environment::Environment;

/// Runs the command and answers its exit code. The standard handles, the folder and the console are shared; Ctrl-C
/// and Ctrl-Break reach the command from the console itself and are passed over here; when this process is ended, so
/// is the command.
///
/// The command is looked up on the `PATH` of `environment` with the endings of its `PATHEXT`. Nothing of that name →
/// `CommandNotFound`; it does not start → `CommandNotExecutable`; a value that is not UTF-8 → `NotText`.
pub fn spawn(arguments: &[Vec<u8>], environment: &Environment) -> Result<i32> {
    let path = locate(arguments, environment)?;
    let mut command = Command::new(&path);
    command.args(arguments.iter().skip(1).map(|argument| os_string(argument)));
    for (name, value) in environment.changed() {
        command.env(text(name, name)?, text(name, value)?);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| Environment::withholds(name.as_encoded_bytes())) {
        command.env_remove(name);
    }
    // SAFETY: the handler is a plain function that lives as long as the program.
    unsafe { SetConsoleCtrlHandler(Some(pass_over), 1) };
    let status = command.spawn().and_then(|mut child| {
        let _job = Job::around(&child);
        child.wait()
    });
    // SAFETY: as above.
    unsafe { SetConsoleCtrlHandler(Some(pass_over), 0) };
    let status = status.map_err(|error| {
        Error::new(Code::CommandNotExecutable, format!("{} cannot be executed", path.display()))
            .with_detail("command", String::from_utf8_lossy(&arguments[0]))
            .with_detail("path", path.display())
            .with_source(error)
    })?;
    Ok(status.code().unwrap_or(1))
}

/// Whether [`spawn`] would find the command. Fails as `spawn` does.
pub fn check(arguments: &[Vec<u8>], environment: &Environment) -> Result<()> {
    locate(arguments, environment).map(drop)
}

fn locate(arguments: &[Vec<u8>], environment: &Environment) -> Result<PathBuf> {
    let Some(name) = arguments.first().map(|argument| os_string(argument)) else {
        return Err(Error::new(Code::InvalidOption, "no command was given"));
    };
    find(&name, environment).ok_or_else(|| {
        let shown = name.to_string_lossy();
        Error::new(Code::CommandNotFound, format!("command not found: {shown}")).with_detail("command", &shown)
    })
}

fn os_string(bytes: &[u8]) -> OsString {
    // SAFETY: the bytes are those that `into_encoded_bytes` gave for one of this process's own arguments.
    unsafe { OsString::from_encoded_bytes_unchecked(bytes.to_vec()) }
}

fn text<'a>(name: &[u8], value: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(value).map_err(|_| {
        let name = String::from_utf8_lossy(name);
        Error::new(Code::NotText, format!("{name} is not UTF-8 text, which a variable must be on Windows"))
            .with_detail("variable", name)
    })
}

/// Where the command is: as named, or in a folder of the PATH, as it is or with one of the endings.
fn find(name: &OsStr, environment: &Environment) -> Option<PathBuf> {
    let value = |name| environment.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
    let endings = value("PATHEXT").unwrap_or_else(|| ".COM;.EXE;.BAT;.CMD".into());
    let folders = match Path::new(name).components().count() {
        1 => std::env::split_paths(&value("PATH").unwrap_or_default()).collect(),
        _ => vec![PathBuf::new()],
    };
    let with_ending = Path::new(name).extension().is_some();
    folders.iter().find_map(|folder| {
        let plain = folder.join(name);
        let candidates = endings.split(';').filter(|ending| !ending.is_empty()).map(|ending| {
            let mut path = plain.clone().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        });
        with_ending.then(|| plain.clone()).into_iter().chain(candidates).find(|path| path.is_file())
    })
}

unsafe extern "system" fn pass_over(event: u32) -> i32 {
    i32::from(event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT)
}

/// Ends the command when this process ends, however that happens. What the command itself starts is left alone.
struct Job(*mut std::ffi::c_void);

impl Job {
    fn around(child: &Child) -> io::Result<Self> {
        // SAFETY: the structure is plain data, valid zeroed; both handles are open during the calls.
        unsafe {
            let job = Self(CreateJobObjectW(ptr::null(), ptr::null()));
            let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = std::mem::zeroed();
            limits.BasicLimitInformation.LimitFlags =
                JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
            let set = SetInformationJobObject(
                job.0,
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32,
            );
            if set == 0 || AssignProcessToJobObject(job.0, child.as_raw_handle()) == 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(job)
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and closed once.
        unsafe { CloseHandle(self.0) };
    }
}
