//! Generic credentials of this Windows account: the five calls of `wincred.h`, made safe.

use std::ptr;
use std::time::{Duration, SystemTime};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BAD_USERNAME, ERROR_INVALID_FLAGS, ERROR_INVALID_PARAMETER, ERROR_NO_SUCH_LOGON_SESSION,
    ERROR_NOT_FOUND, ERROR_NOT_SUPPORTED, ERROR_SERVICE_DISABLED, ERROR_SERVICE_NOT_ACTIVE, FILETIME, GetLastError,
};
use windows_sys::Win32::Security::Credentials::{
    CRED_PERSIST_LOCAL_MACHINE, CRED_TYPE, CRED_TYPE_GENERIC, CREDENTIAL_ATTRIBUTEW, CREDENTIALW, CredDeleteW,
    CredEnumerateW, CredFree, CredReadW, CredWriteW,
};
use zeroize::Zeroize;

use crate::credential_manager::{Credential, NewCredential};
use crate::{Code, Error, Result, SecretBytes};

// From `winerror.h`; windows-sys lists the first with the RPC functions, and both as other types.
const RPC_S_SERVER_UNAVAILABLE: u32 = 1722;
const RPC_X_BAD_STUB_DATA: u32 = 1783;

/// Reads the credential of this name, if there is one.
pub(super) fn read(target: &str) -> Result<Option<Credential>> {
    let name = wide(target);
    let mut found: *mut CREDENTIALW = ptr::null_mut();
    // SAFETY: the name ends with a NUL and outlives the call; `found` receives memory that `Owned` gives back.
    if unsafe { CredReadW(name.as_ptr(), CRED_TYPE_GENERIC, 0, &mut found) } == 0 {
        return absent_or_failure(&format!("cannot read the credential {target}"));
    }
    let _owned = Owned(found.cast());
    // SAFETY: the call succeeded, so `found` points at a credential, alive as long as `_owned` is.
    Ok(Some(unsafe { copy(found) }))
}

/// Reads all generic credentials whose names begin with this prefix, in any case of letters.
pub(super) fn enumerate(prefix: &str) -> Result<Vec<Credential>> {
    let filter = wide(&format!("{prefix}*"));
    let filter = if prefix.is_empty() { ptr::null() } else { filter.as_ptr() };
    let mut count = 0;
    let mut found: *mut *mut CREDENTIALW = ptr::null_mut();
    // SAFETY: the filter ends with a NUL and outlives the call; `found` receives memory that `Owned` gives back.
    if unsafe { CredEnumerateW(filter, 0, &mut count, &mut found) } == 0 {
        return Ok(absent_or_failure(&format!("cannot list the credentials of {prefix}"))?.unwrap_or_default());
    }
    let _owned = Owned(found.cast());
    // SAFETY: the call succeeded, so `found` points at `count` pointers to credentials, alive as long as `_owned` is.
    let all = unsafe { std::slice::from_raw_parts(found, count as usize) };
    // SAFETY: as above, each of them points at a credential, which nobody else uses.
    let copies = all.iter().filter_map(|one| unsafe { (type_of(*one) == CRED_TYPE_GENERIC).then(|| copy(*one)) });
    Ok(copies.collect())
}

/// Writes a credential, in one piece, over one of the same name. It stays on this machine until it is deleted.
pub(super) fn write(new: &NewCredential<'_>) -> Result<()> {
    let mut target = wide(new.target);
    let mut user = wide(new.user);
    let mut keywords: Vec<Vec<u16>> = new.attributes.keys().map(|name| wide(name)).collect();
    let mut attributes: Vec<CREDENTIAL_ATTRIBUTEW> = keywords
        .iter_mut()
        .zip(new.attributes.values())
        .map(|(keyword, value)| CREDENTIAL_ATTRIBUTEW {
            Keyword: keyword.as_mut_ptr(),
            Flags: 0,
            ValueSize: value.len() as u32,
            Value: value.as_ptr().cast_mut(),
        })
        .collect();
    let credential = CREDENTIALW {
        Flags: 0,
        Type: CRED_TYPE_GENERIC,
        TargetName: target.as_mut_ptr(),
        Comment: ptr::null_mut(),
        LastWritten: FILETIME::default(),
        CredentialBlobSize: new.blob.len() as u32,
        CredentialBlob: new.blob.as_ptr().cast_mut(),
        Persist: CRED_PERSIST_LOCAL_MACHINE,
        AttributeCount: attributes.len() as u32,
        Attributes: attributes.as_mut_ptr(),
        TargetAlias: ptr::null_mut(),
        UserName: user.as_mut_ptr(),
    };
    // SAFETY: every pointer is to memory above that outlives the call, with its true length; the call only reads it.
    if unsafe { CredWriteW(&credential, 0) } == 0 {
        return Err(failure(&format!("cannot write the credential {}", new.target)));
    }
    Ok(())
}

/// Deletes the credential of this name. Answers whether there was one.
pub(super) fn delete(target: &str) -> Result<bool> {
    let name = wide(target);
    // SAFETY: the name ends with a NUL and outlives the call.
    if unsafe { CredDeleteW(name.as_ptr(), CRED_TYPE_GENERIC, 0) } != 0 {
        return Ok(true);
    }
    Ok(absent_or_failure::<()>(&format!("cannot delete the credential {target}"))?.is_some())
}

/// Memory that the Credential Manager handed out.
struct Owned(*const std::ffi::c_void);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the pointer came from CredReadW or CredEnumerateW and is freed once.
        unsafe { CredFree(self.0) };
    }
}

/// # Safety
/// As for [`copy`].
unsafe fn type_of(credential: *const CREDENTIALW) -> CRED_TYPE {
    // SAFETY: as the caller promises.
    unsafe { credential.read_unaligned().Type }
}

/// Copies a credential and wipes the value in the original, which is freed without that.
///
/// Wine packs credentials, their attributes and texts without gaps, so nothing here counts on alignment.
///
/// # Safety
/// The pointer is to a credential that CredReadW or CredEnumerateW handed out and that nobody else uses.
unsafe fn copy(credential: *const CREDENTIALW) -> Credential {
    // SAFETY: as the caller promises; the fields are as `wincred.h` documents them, null where there is nothing.
    unsafe {
        let credential = credential.read_unaligned();
        let blob: &mut [u8] = if credential.CredentialBlob.is_null() {
            &mut []
        } else {
            std::slice::from_raw_parts_mut(credential.CredentialBlob, credential.CredentialBlobSize as usize)
        };
        let value = SecretBytes::copy_from(blob);
        blob.zeroize();
        let count = if credential.Attributes.is_null() { 0 } else { credential.AttributeCount as usize };
        let attributes = (0..count).filter_map(|at| copy_attribute(&credential.Attributes.add(at).read_unaligned()));
        Credential {
            target: narrow(credential.TargetName),
            attributes: attributes.collect(),
            blob: value,
            written_at: time(credential.LastWritten),
        }
    }
}

/// # Safety
/// The attribute is one of a credential as for [`copy`].
unsafe fn copy_attribute(attribute: &CREDENTIAL_ATTRIBUTEW) -> Option<(String, String)> {
    let value = if attribute.Value.is_null() {
        Vec::new()
    } else {
        // SAFETY: a value that is not null has the size beside it.
        unsafe { std::slice::from_raw_parts(attribute.Value, attribute.ValueSize as usize) }.to_vec()
    };
    // SAFETY: a keyword is null or ends with a NUL.
    Some((unsafe { narrow(attribute.Keyword) }, String::from_utf8(value).ok()?))
}

/// # Safety
/// The pointer is null or to UTF-16 that ends with a NUL.
unsafe fn narrow(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises, there is a NUL, and everything before it may be read.
    let units = (0..).map(|at| unsafe { text.add(at).read_unaligned() }).take_while(|unit| *unit != 0);
    String::from_utf16_lossy(&units.collect::<Vec<_>>())
}

pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A FILETIME counts tenths of a microsecond since 1601. Zero means that nobody knows.
fn time(time: FILETIME) -> Option<SystemTime> {
    const SECONDS_FROM_1601_TO_1970: u64 = 11_644_473_600;
    let ticks = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    let since_1601 = Duration::new(ticks / 10_000_000, (ticks % 10_000_000) as u32 * 100);
    let since_1970 = since_1601.checked_sub(Duration::from_secs(SECONDS_FROM_1601_TO_1970))?;
    SystemTime::UNIX_EPOCH.checked_add(since_1970)
}

fn absent_or_failure<T>(message: &str) -> Result<Option<T>> {
    // SAFETY: reads a number of this thread.
    if unsafe { GetLastError() } == ERROR_NOT_FOUND { Ok(None) } else { Err(failure(message)) }
}

/// Turns the calling thread's last error into one of ours. One line for each code that these calls are known for.
pub(super) fn failure(message: &str) -> Error {
    // SAFETY: reads a number of this thread.
    let number = unsafe { GetLastError() };
    let code = match number {
        ERROR_NOT_FOUND => Code::NotFound,
        ERROR_ACCESS_DENIED => Code::AccessDenied,
        // A logon without a credential set: some services, and network logons such as a remote shell's.
        ERROR_NO_SUCH_LOGON_SESSION => Code::StoreUnavailable,
        // The service behind the Credential Manager is off, or went away.
        ERROR_SERVICE_DISABLED | ERROR_SERVICE_NOT_ACTIVE | RPC_S_SERVER_UNAVAILABLE => Code::StoreUnavailable,
        // What CredWriteW says when a field is longer than the other side takes.
        RPC_X_BAD_STUB_DATA => Code::ValueTooLarge,
        ERROR_BAD_USERNAME | ERROR_NOT_SUPPORTED => Code::Unsupported,
        // We built the call wrongly.
        ERROR_INVALID_FLAGS | ERROR_INVALID_PARAMETER => Code::Internal,
        _ => Code::StoreFailure,
    };
    let error = Error::new(code, message)
        .with_detail("windowsError", number)
        .with_source(std::io::Error::from_raw_os_error(number as i32));
    match code {
        Code::StoreUnavailable => error.with_hint(
            "The Credential Manager answers in an interactive logon of a user; elsewhere use the file store: se store use file",
        ),
        _ => error,
    }
}
