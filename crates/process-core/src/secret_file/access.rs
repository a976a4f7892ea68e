//! Who may read a file: its mode, and the user and group that it is given to.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;

use keychain_core::{Code, Error, Result};

/// The longest entry of a user or a group that is read.
const MAX_ENTRY_BYTES: usize = 1 << 20;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Read and write bits, such as 0400.
    mode: u32,
    user: Option<libc::uid_t>,
    group: Option<libc::gid_t>,
}

impl Access {
    /// A mode, and an owner as `user`, `user:group` or numbers in their places.
    ///
    /// A name that the system does not know → `InvalidOption`; an owner that this process may not give files to →
    /// `AccessDenied`.
    pub fn new(mode: u32, owner: Option<&str>) -> Result<Self> {
        let mode = mode & 0o777;
        let Some(owner) = owner else { return Ok(Self { mode, user: None, group: None }) };
        let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
        let access = Self {
            mode,
            user: Some(number_of(user, user_number, "user")?),
            group: group.map(|group| number_of(group, group_number, "group")).transpose()?,
        };
        match access.may_be_given() {
            true => Ok(access),
            false => Err(Error::new(Code::AccessDenied, format!("only root may give a file to {owner}"))
                .with_hint("leave owner= out: the file is yours then")
                .with_detail("owner", owner)),
        }
    }

    /// The mode, the user and the group as numbers, the highest one for unchanged.
    pub(crate) fn to_numbers(self) -> [u32; 3] {
        [self.mode, self.user.unwrap_or(u32::MAX), self.group.unwrap_or(u32::MAX)]
    }

    /// What [`to_numbers`](Self::to_numbers) answered.
    pub(crate) fn from_numbers([mode, user, group]: [u32; 3]) -> Self {
        let changed = |number| Some(number).filter(|number| *number != u32::MAX);
        Self { mode, user: changed(user), group: changed(group) }
    }

    /// For its maker alone.
    pub(super) fn private() -> Self {
        Self { mode: 0o400, user: None, group: None }
    }

    /// Gives a file this owner and this mode, the mode last: nobody but its maker can read it before.
    pub(super) fn give(&self, file: &File) -> io::Result<()> {
        let unchanged = libc::uid_t::MAX;
        let (user, group) = (self.user.unwrap_or(unchanged), self.group.unwrap_or(unchanged));
        // SAFETY: an open descriptor and integers.
        unsafe {
            if (user, group) != (unchanged, unchanged) && libc::fchown(file.as_raw_fd(), user, group) != 0 {
                return Err(io::Error::last_os_error());
            }
            if libc::fchmod(file.as_raw_fd(), self.mode as libc::mode_t) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    /// Whose file it is then.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn user(&self) -> u32 {
        self.user.unwrap_or_else(own_user)
    }

    /// Whether a folder's owner may be trusted with the file: root, this user, or whom the file is given to.
    pub(super) fn trusts(&self, user: libc::uid_t) -> bool {
        user == 0 || user == own_user() || Some(user) == self.user
    }

    fn may_be_given(&self) -> bool {
        let own = own_user();
        let own_group = |group| group == own_group() || own_groups().contains(&group);
        own == 0 || (self.user.is_none_or(|user| user == own) && self.group.is_none_or(own_group))
    }
}

fn number_of(text: &str, find: impl Fn(&str) -> io::Result<Option<u32>>, kind: &str) -> Result<u32> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // The last number means "unchanged" to the system.
        return text.parse().ok().filter(|number| *number != u32::MAX).ok_or_else(|| {
            Error::new(Code::InvalidOption, format!("{text} is no number of a {kind}")).with_detail("owner", text)
        });
    }
    match find(text) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => Err(Error::new(Code::InvalidOption, format!("there is no {kind} {text}"))
            .with_hint(format!("give the {kind}'s number, where this machine does not know the name"))
            .with_detail("owner", text)),
        Err(error) => Err(Error::new(Code::InvalidOption, format!("the {kind} {text} cannot be looked up"))
            .with_detail("owner", text)
            .with_source(error)),
    }
}

fn user_number(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    look_up::<libc::passwd>(|entry, text, length, found| {
        // SAFETY: the name ends in NUL, and the others are places of the lengths that are said.
        unsafe { libc::getpwnam_r(name.as_ptr(), entry, text, length, found) }
    })
    .map(|entry| entry.map(|entry| entry.pw_uid))
}

fn group_number(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    look_up::<libc::group>(|entry, text, length, found| {
        // SAFETY: as above.
        unsafe { libc::getgrnam_r(name.as_ptr(), entry, text, length, found) }
    })
    .map(|entry| entry.map(|entry| entry.gr_gid))
}

/// Calls one of the functions that write an entry, with more room each time that it was not enough.
fn look_up<T>(ask: impl Fn(*mut T, *mut libc::c_char, usize, *mut *mut T) -> libc::c_int) -> io::Result<Option<T>> {
    let mut length = 1024;
    loop {
        let mut text = vec![0; length];
        let mut entry = MaybeUninit::<T>::uninit();
        let mut found = ptr::null_mut();
        match ask(entry.as_mut_ptr(), text.as_mut_ptr(), length, &raw mut found) {
            0 if found.is_null() => return Ok(None),
            // SAFETY: it was found, so it was written. Its texts are not looked at: they are gone.
            0 => return Ok(Some(unsafe { entry.assume_init() })),
            libc::ERANGE if length < MAX_ENTRY_BYTES => length *= 4,
            // What systems without the name say in other words.
            libc::ENOENT | libc::ESRCH => return Ok(None),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

pub(super) fn own_user() -> libc::uid_t {
    // SAFETY: cannot fail.
    unsafe { libc::geteuid() }
}

fn own_group() -> libc::gid_t {
    // SAFETY: cannot fail.
    unsafe { libc::getegid() }
}

fn own_groups() -> Vec<libc::gid_t> {
    // SAFETY: without room only the number is answered; then there is room for as many as are said.
    unsafe {
        let count = libc::getgroups(0, ptr::null_mut());
        let mut groups = vec![0; usize::try_from(count).unwrap_or_default()];
        let count = libc::getgroups(groups.len() as libc::c_int, groups.as_mut_ptr());
        groups.truncate(usize::try_from(count).unwrap_or_default());
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_owners() {
        if own_user() != 0 {
            return;
        }
        let access = |owner| Access::new(0o640, Some(owner)).map(|access| (access.user, access.group));
        assert_eq!(access("root").unwrap(), (Some(0), None));
        assert_eq!(access("1000:2000").unwrap(), (Some(1000), Some(2000)));
        assert_eq!(access("root:root").unwrap(), (Some(0), Some(0)));
        assert_eq!(access("4294967294").unwrap(), (Some(u32::MAX - 1), None));
    }

    #[test]
    fn what_is_nobody_is_named() {
        for (owner, text) in [
            ("no-such-user", "there is no user no-such-user"),
            ("root:no-such-group", "there is no group no-such-group"),
            ("4294967295", "4294967295 is no number of a user"),
            ("99999999999", "99999999999 is no number of a user"),
        ] {
            let error = Access::new(0o400, Some(owner)).unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), (Code::InvalidOption, text));
        }
    }

    #[test]
    fn without_an_owner_nothing_is_given_away() {
        assert_eq!(Access::new(0o400, None).unwrap(), Access { mode: 0o400, user: None, group: None });
    }
}
