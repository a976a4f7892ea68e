//! What the parent of a command is told to do. It is written by the JavaScript command line and read by the launcher
//! that takes its place, over a descriptor that never touches a disk.
//!
//! Source: none; both ends are of one version. A magic number, the length of all that follows, then records: a tag,
//! the length, the fields, each field with its length. A tag that is not known is an error: a plan is followed as a
//! whole or not at all.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use keychain_core::{Code, Error, Result, SecretBytes};

use super::files;
use crate::secret_file::PathFile;

const MAGIC: [u8; 8] = *b"se-plan1";

/// Which of a command's streams are masked. Standard input never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskMode {
    /// Terminals; pipes and files, too, where the environment has a `CI`.
    Auto,
    /// Standard output and standard error, whatever they are.
    Always,
}

/// What a parent does for its command. Prints without values.
#[derive(Default)]
pub struct Plan {
    /// Whether output is masked.
    pub mask: Option<MaskMode>,
    /// What is masked: the id that is shown instead, and the value.
    pub values: Vec<(String, SecretBytes)>,
    /// Files that are there while the command runs.
    pub files: Vec<PathFile>,
    /// The folder where these files are noted, for those who remove them after a crash.
    pub records: PathBuf,
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Tag {
    Mask = 1,
    Value = 2,
    File = 3,
    Records = 4,
}

impl Plan {
    /// Writes the plan where only a program that this process becomes reads it: a sealed file in memory (Linux), else
    /// a pipe that a process of its own fills. The descriptor is closed by an exec: unmark it just before.
    pub fn to_descriptor(&self) -> Result<OwnedFd> {
        let parts = self.encode();
        carrier::filled(&parts).map_err(|error| {
            let reason = crate::output::reason(&error);
            Error::new(Code::Internal, format!("the plan for the command cannot be handed over: {reason}"))
                .with_source(error)
        })
    }

    /// Reads a plan from the descriptor of this number, which it closes.
    ///
    /// Failures: it is not open, or holds no plan → `InvalidOption`.
    pub fn from_descriptor(fd: RawFd) -> Result<Self> {
        let wrong =
            || Error::new(Code::InvalidOption, "this is started by se itself, with a plan").with_hint("se help run");
        // SAFETY: fcntl takes integers. An open descriptor is ours alone from here on: who starts us opened it for this.
        let mut file = unsafe {
            if fd <= 2 || libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) < 0 {
                return Err(wrong());
            }
            File::from_raw_fd(fd)
        };
        let mut start = [0; 16];
        file.read_exact(&mut start).map_err(|_| wrong())?;
        let (magic, len) = start.split_at(8);
        let len = len.try_into().map(u64::from_le_bytes).ok().and_then(|len| usize::try_from(len).ok());
        // What is longer than the file that it is in is none, and no memory is asked for it.
        let fits = |len: &usize| file.metadata().is_ok_and(|facts| !facts.is_file() || *len as u64 <= facts.len());
        let len = len.filter(|len| magic == MAGIC && *len < isize::MAX as usize && fits(len)).ok_or_else(wrong)?;
        let mut read = Ok(());
        let content = SecretBytes::with(len, |bytes| read = file.read_exact(bytes));
        read.map_err(|_| wrong())?;
        Self::decode(content.as_bytes()).ok_or_else(wrong)
    }

    fn encode(&self) -> Vec<Cow<'_, [u8]>> {
        let mut parts = Parts(vec![Cow::Borrowed(&MAGIC)]);
        if let Some(mask) = self.mask {
            parts.record(Tag::Mask, vec![Cow::Owned(vec![u8::from(mask == MaskMode::Always)])]);
        }
        for (id, value) in &self.values {
            parts.record(Tag::Value, vec![Cow::Borrowed(id.as_bytes()), Cow::Borrowed(value.as_bytes())]);
        }
        for file in &self.files {
            parts.record(Tag::File, files::fields(file));
        }
        if !self.files.is_empty() {
            parts.record(Tag::Records, vec![Cow::Borrowed(self.records.as_os_str().as_bytes())]);
        }
        let len: usize = parts.0[1..].iter().map(|part| part.len()).sum();
        parts.0.insert(1, Cow::Owned((len as u64).to_le_bytes().into()));
        parts.0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut plan = Self::default();
        let mut records = Fields(bytes);
        while !records.0.is_empty() {
            let tag = records.byte()?;
            let mut fields = Fields(records.field()?);
            match tag {
                tag if tag == Tag::Mask as u8 => {
                    let always = fields.field()? == [1];
                    plan.mask = Some(if always { MaskMode::Always } else { MaskMode::Auto });
                }
                tag if tag == Tag::Value as u8 => {
                    let id = String::from_utf8(fields.field()?.to_vec()).ok()?;
                    plan.values.push((id, SecretBytes::copy_from(fields.field()?)));
                }
                tag if tag == Tag::File as u8 => plan.files.push(files::from_fields(&mut fields)?),
                tag if tag == Tag::Records as u8 => plan.records = PathBuf::from(OsStr::from_bytes(fields.field()?)),
                _ => return None,
            }
            if !fields.0.is_empty() {
                return None;
            }
        }
        Some(plan)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.values.iter().map(|(id, _)| id).collect();
        f.debug_struct("Plan").field("mask", &self.mask).field("ids", &ids).field("files", &self.files).finish()
    }
}

struct Parts<'a>(Vec<Cow<'a, [u8]>>);

impl<'a> Parts<'a> {
    fn record(&mut self, tag: Tag, fields: Vec<Cow<'a, [u8]>>) {
        let len: usize = fields.iter().map(|field| 8 + field.len()).sum();
        let mut start = vec![tag as u8];
        start.extend((len as u64).to_le_bytes());
        self.0.push(Cow::Owned(start));
        for field in fields {
            self.0.push(Cow::Owned((field.len() as u64).to_le_bytes().into()));
            self.0.push(field);
        }
    }
}

/// The fields of a record, one after the other. None: there is no further one, or it is cut off.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next field.
    pub(super) fn field(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first_chunk::<8>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        self.0 = rest;
        Some(field)
    }

    /// The next field, a number.
    pub(super) fn number(&mut self) -> Option<u32> {
        self.field()?.try_into().ok().map(u32::from_le_bytes)
    }
}

#[cfg(target_os = "linux")]
mod carrier {
    use std::io::{Seek, Write};

    use super::{Cow, File, FromRawFd, OwnedFd, io};

    /// `MFD_NOEXEC_SEAL`, since Linux 6.3.
    const NOEXEC_SEAL: libc::c_uint = 8;

    pub(super) fn filled(parts: &[Cow<'_, [u8]>]) -> io::Result<OwnedFd> {
        let mut file = File::from(create(NOEXEC_SEAL).or_else(|_| create(0))?);
        for part in parts {
            file.write_all(part)?;
        }
        file.rewind()?;
        let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
        // SAFETY: fcntl takes integers.
        match unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&file), libc::F_ADD_SEALS, seals) } {
            0 => Ok(file.into()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn create(flags: libc::c_uint) -> io::Result<OwnedFd> {
        let flags = flags | libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: the name ends in NUL; a descriptor that is answered is ours.
        unsafe {
            match libc::memfd_create(c"se-plan".as_ptr(), flags) {
                -1 => Err(io::Error::last_os_error()),
                fd => Ok(OwnedFd::from_raw_fd(fd)),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod carrier {
    use std::os::fd::{AsRawFd, IntoRawFd};

    use super::{Cow, OwnedFd, io};

    /// A pipe holds less than a plan may need, so a process of its own fills it, which ends with the reader.
    pub(super) fn filled(parts: &[Cow<'_, [u8]>]) -> io::Result<OwnedFd> {
        let (read, write) = io::pipe()?;
        let [read, write] = [OwnedFd::from(read), OwnedFd::from(write)];
        // Two forks, so that nobody has to wait for the writer, and the command never sees a child of its own.
        // SAFETY: between a fork and its end, the child calls only what is safe in a signal handler.
        unsafe {
            match libc::fork() {
                -1 => return Err(io::Error::last_os_error()),
                0 => {
                    if libc::fork() == 0 {
                        libc::close(read.into_raw_fd());
                        pour(parts, write.as_raw_fd());
                    }
                    libc::_exit(0);
                }
                child => {
                    let mut status = 0;
                    while libc::waitpid(child, &raw mut status, 0) < 0
                        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
                    {}
                }
            }
        }
        Ok(read)
    }

    /// # Safety
    /// Runs in a fork of a process with threads: nothing here allocates or locks.
    unsafe fn pour(parts: &[Cow<'_, [u8]>], fd: i32) {
        for part in parts {
            let mut rest: &[u8] = part;
            while !rest.is_empty() {
                // SAFETY: the bytes are alive, and as many as is said.
                let written = unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) };
                match usize::try_from(written) {
                    Ok(len) => rest = &rest[len..],
                    Err(_) => return,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;
    use crate::secret_file::Access;

    fn plan() -> Plan {
        Plan {
            mask: Some(MaskMode::Always),
            values: vec![
                ("app/db".into(), SecretBytes::copy_from(b"a\0\xff")),
                ("app/empty".into(), SecretBytes::copy_from(b"")),
                ("app/long".into(), SecretBytes::copy_from(&vec![7; 200_000])),
            ],
            files: vec![PathFile {
                path: "/run/key".into(),
                access: Access::new(0o640, Some("1000:2000")).unwrap_or(Access::new(0o640, None).unwrap()),
                value: SecretBytes::copy_from(b"\x07\0"),
            }],
            records: "/run/records".into(),
        }
    }

    #[test]
    fn a_plan_arrives_as_it_was_sent() {
        let fd = plan().to_descriptor().unwrap();
        let read = Plan::from_descriptor(fd.into_raw_fd()).unwrap();
        assert_eq!(read.mask, Some(MaskMode::Always));
        let sent = plan().values;
        assert_eq!(read.values.len(), sent.len());
        for ((id, value), (sent_id, sent)) in read.values.iter().zip(&sent) {
            assert_eq!((id, value.as_bytes()), (sent_id, sent.as_bytes()));
        }
        let ([file], [sent]) = (&read.files[..], &plan().files[..]) else { panic!("one file") };
        assert_eq!((&file.path, file.access, file.value.as_bytes()), (&sent.path, sent.access, sent.value.as_bytes()));
        assert_eq!(read.records, plan().records);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let whole: Vec<u8> = plan().encode().concat();
        for (content, is_plan) in [
            (&whole[..], true),
            (&whole[..whole.len() - 1], false),
            (&whole[..20], false),
            (b"", false),
            (b"a file of anything else, long enough", false),
            (b"se-plan1\xff\xff\xff\xff\xff\xff\xff\x3f", false),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, content).unwrap();
            io::Seek::rewind(&mut file).unwrap();
            assert_eq!(Plan::from_descriptor(file.into_raw_fd()).is_ok(), is_plan, "{} bytes", content.len());
        }
        assert!(Plan::from_descriptor(0).is_err());
        assert!(Plan::from_descriptor(9_999).is_err());
    }

    #[test]
    fn a_record_that_is_not_known_or_too_long_is_refused() {
        let content: Vec<u8> = plan().encode()[2..].concat();
        assert!(Plan::decode(&content).is_some());
        let mut unknown = content.clone();
        unknown[0] = 99;
        assert!(Plan::decode(&unknown).is_none());
        let mut more = content;
        more[1] += 1;
        assert!(Plan::decode(&more).is_none());
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", plan());
        assert!(shown.contains("app/db") && !shown.contains('\u{7}'), "{shown}");
    }
}
