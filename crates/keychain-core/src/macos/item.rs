//! Generic passwords in one file-based keychain: the four calls of `SecItem.h`, made safe.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::time::{Duration, SystemTime};

use core_foundation::array::CFArray;
use core_foundation::base::{CFType, CFTypeRef, OSStatus, TCFType};
use core_foundation::boolean::CFBoolean;
use core_foundation::data::CFData;
use core_foundation::date::CFDate;
use core_foundation::dictionary::{CFDictionary, CFDictionaryRef};
use core_foundation::string::{CFString, CFStringRef};
use security_framework::os::macos::keychain::SecKeychain;
use security_framework_sys::base::{SecKeychainRef, errSecItemNotFound, errSecSuccess};
use security_framework_sys::item::{
    kSecAttrAccount, kSecAttrLabel, kSecAttrService, kSecClass, kSecClassGenericPassword, kSecMatchLimit,
    kSecMatchLimitAll, kSecMatchSearchList, kSecReturnAttributes, kSecReturnData, kSecUseKeychain, kSecValueData,
};
use security_framework_sys::keychain_item::{SecItemAdd, SecItemCopyMatching, SecItemDelete, SecItemUpdate};

use super::failure;
use crate::{Result, SecretBytes};

// Names that security-framework-sys 2.17 lacks.
#[link(name = "Security", kind = "framework")]
unsafe extern "C" {
    static kSecAttrGeneric: CFStringRef;
    static kSecAttrAccessible: CFStringRef;
    static kSecAttrAccessibleAfterFirstUnlock: CFStringRef;
    static kSecAttrCreationDate: CFStringRef;
    static kSecAttrModificationDate: CFStringRef;
    fn SecKeychainGetStatus(keychain: SecKeychainRef, status: *mut u32) -> OSStatus;
    fn SecKeychainGetPath(keychain: SecKeychainRef, length: *mut u32, path: *mut c_char) -> OSStatus;
}

/// A constant of the Security framework.
macro_rules! key {
    ($key:ident) => {
        // SAFETY: a constant that the framework has set before any of our code runs.
        unsafe { $key }
    };
}

/// The bit of a keychain's status that says it is unlocked.
const UNLOCKED: u32 = 1;

/// What a keychain item says without its value being asked for.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) account: String,
    pub(super) label: String,
    pub(super) generic: Option<Vec<u8>>,
    pub(super) created_at: Option<SystemTime>,
    pub(super) modified_at: Option<SystemTime>,
}

/// What is written of an item. What is `None` stays as it is.
pub(super) struct Content<'a> {
    pub(super) account: &'a str,
    pub(super) label: &'a str,
    pub(super) generic: &'a [u8],
    pub(super) value: Option<&'a SecretBytes>,
}

/// The generic passwords of one service in one keychain. Service and account are unique together.
pub(super) struct Items {
    keychain: SecKeychain,
    service: String,
}

type Pairs = Vec<(CFString, CFType)>;

impl Items {
    pub(super) fn new(keychain: SecKeychain, service: String) -> Self {
        Self { keychain, service }
    }

    /// Reads what an item says, without its value. Prompts for nothing, even where the keychain is locked.
    pub(super) fn attributes(&self, account: &str) -> Result<Option<Attributes>> {
        let mut query = self.search(Some(account));
        query.push((name(key!(kSecReturnAttributes)), yes()));
        Ok(self.copy(&query)?.and_then(|found| dictionary(&found)).map(|found| attributes(&found)))
    }

    /// Reads the value of an item. The system may ask a person whether this program may see it.
    pub(super) fn value(&self, account: &str) -> Result<Option<SecretBytes>> {
        let mut query = self.search(Some(account));
        query.push((name(key!(kSecReturnData)), yes()));
        let Some(found) = self.copy(&query)? else { return Ok(None) };
        // An empty value comes back as no data at all.
        Ok(Some(
            found
                .downcast::<CFData>()
                .map_or_else(|| SecretBytes::copy_from(&[]), |data| SecretBytes::copy_from(data.bytes())),
        ))
    }

    /// Reads what all items of the service say.
    pub(super) fn all(&self) -> Result<Vec<Attributes>> {
        let mut query = self.search(None);
        query.push((name(key!(kSecReturnAttributes)), yes()));
        query.push((name(key!(kSecMatchLimit)), name(key!(kSecMatchLimitAll)).into_CFType()));
        let Some(found) = self.copy(&query)? else { return Ok(Vec::new()) };
        let Some(array) = found.downcast::<CFArray>() else {
            return Ok(dictionary(&found).iter().map(attributes).collect());
        };
        // SAFETY: the array holds dictionaries, since attributes were asked for.
        let items = array.iter().map(|item| unsafe { CFDictionary::wrap_under_get_rule(*item as CFDictionaryRef) });
        Ok(items.map(|found| attributes(&found)).collect())
    }

    /// Adds an item; one with the same service and account makes it fail with `Exists`.
    pub(super) fn add(&self, new: &Content<'_>) -> Result<()> {
        let mut item = content(new);
        item.push((name(key!(kSecClass)), name(key!(kSecClassGenericPassword)).into_CFType()));
        item.push((name(key!(kSecAttrService)), CFString::new(&self.service).into_CFType()));
        item.push((name(key!(kSecAttrAccessible)), name(key!(kSecAttrAccessibleAfterFirstUnlock)).into_CFType()));
        item.push((name(key!(kSecUseKeychain)), self.keychain.as_CFType()));
        let item = CFDictionary::from_CFType_pairs(&item);
        // SAFETY: the dictionary outlives the call, and no result is asked for.
        check(unsafe { SecItemAdd(item.as_concrete_TypeRef(), ptr::null_mut()) }, "cannot add to the keychain")
    }

    /// Changes an item in one step. It keeps its creation date and who may read it.
    pub(super) fn update(&self, account: &str, new: &Content<'_>) -> Result<()> {
        let query = CFDictionary::from_CFType_pairs(&self.search(Some(account)));
        let changes = CFDictionary::from_CFType_pairs(&content(new));
        // SAFETY: both dictionaries outlive the call.
        let status = unsafe { SecItemUpdate(query.as_concrete_TypeRef(), changes.as_concrete_TypeRef()) };
        check(status, "cannot change an item in the keychain")
    }

    /// Deletes an item. Answers whether there was one.
    pub(super) fn delete(&self, account: &str) -> Result<bool> {
        let query = CFDictionary::from_CFType_pairs(&self.search(Some(account)));
        // SAFETY: the dictionary outlives the call.
        let status = unsafe { SecItemDelete(query.as_concrete_TypeRef()) };
        if status == errSecItemNotFound {
            return Ok(false);
        }
        check(status, "cannot delete from the keychain").map(|()| true)
    }

    /// Whether the keychain is locked. Unlocks nothing.
    pub(super) fn is_locked(&self) -> Option<bool> {
        let mut status = 0;
        // SAFETY: the keychain is alive, and `status` receives a number.
        let outcome = unsafe { SecKeychainGetStatus(self.keychain.as_concrete_TypeRef(), &mut status) };
        (outcome == errSecSuccess).then_some(status & UNLOCKED == 0)
    }

    /// The file of the keychain.
    pub(super) fn path(&self) -> Option<String> {
        let mut buffer = [0; 1025];
        let mut length = buffer.len() as u32 - 1;
        // SAFETY: the keychain is alive, and the buffer is one longer than the call is told, so that it ends with a NUL.
        let outcome = unsafe {
            SecKeychainGetPath(self.keychain.as_concrete_TypeRef(), &mut length, buffer.as_mut_ptr().cast::<c_char>())
        };
        let path = CStr::from_bytes_until_nul(&buffer).ok()?;
        (outcome == errSecSuccess).then(|| path.to_string_lossy().into_owned())
    }

    fn search(&self, account: Option<&str>) -> Pairs {
        let mut query = vec![
            (name(key!(kSecClass)), name(key!(kSecClassGenericPassword)).into_CFType()),
            (name(key!(kSecAttrService)), CFString::new(&self.service).into_CFType()),
            (
                name(key!(kSecMatchSearchList)),
                CFArray::from_CFTypes(std::slice::from_ref(&self.keychain)).into_CFType(),
            ),
        ];
        query.extend(account.map(|account| (name(key!(kSecAttrAccount)), CFString::new(account).into_CFType())));
        query
    }

    fn copy(&self, query: &Pairs) -> Result<Option<CFType>> {
        let query = CFDictionary::from_CFType_pairs(query);
        let mut found: CFTypeRef = ptr::null();
        // SAFETY: the dictionary outlives the call; `found` receives an object that becomes ours.
        let status = unsafe { SecItemCopyMatching(query.as_concrete_TypeRef(), &mut found) };
        if status == errSecItemNotFound || (status == errSecSuccess && found.is_null()) {
            return Ok(None);
        }
        check(status, "cannot read the keychain")?;
        // SAFETY: the call succeeded and handed out one reference.
        Ok(Some(unsafe { CFType::wrap_under_create_rule(found) }))
    }
}

fn name(key: CFStringRef) -> CFString {
    // SAFETY: every key passed here is a constant string of the framework.
    unsafe { CFString::wrap_under_get_rule(key) }
}

fn yes() -> CFType {
    CFBoolean::true_value().into_CFType()
}

fn content(new: &Content<'_>) -> Pairs {
    let mut pairs = vec![
        (name(key!(kSecAttrAccount)), CFString::new(new.account).into_CFType()),
        (name(key!(kSecAttrLabel)), CFString::new(new.label).into_CFType()),
        (name(key!(kSecAttrGeneric)), CFData::from_buffer(new.generic).into_CFType()),
    ];
    pairs.extend(
        new.value.map(|value| (name(key!(kSecValueData)), CFData::from_buffer(value.as_bytes()).into_CFType())),
    );
    pairs
}

fn dictionary(found: &CFType) -> Option<CFDictionary> {
    found.downcast::<CFDictionary>()
}

fn attributes(found: &CFDictionary) -> Attributes {
    let text = |key| get::<CFString>(found, key).map(|text| text.to_string()).unwrap_or_default();
    Attributes {
        account: text(key!(kSecAttrAccount)),
        label: text(key!(kSecAttrLabel)),
        generic: get::<CFData>(found, key!(kSecAttrGeneric)).map(|data| data.bytes().to_vec()),
        created_at: get::<CFDate>(found, key!(kSecAttrCreationDate)).and_then(|date| time(&date)),
        modified_at: get::<CFDate>(found, key!(kSecAttrModificationDate)).and_then(|date| time(&date)),
    }
}

fn get<T: TCFType + core_foundation::ConcreteCFType>(found: &CFDictionary, key: CFStringRef) -> Option<T> {
    let value = *found.find(key.cast::<std::ffi::c_void>())?;
    // SAFETY: the values of this dictionary are objects, alive as long as it is.
    unsafe { CFType::wrap_under_get_rule(value) }.downcast::<T>()
}

/// Dates count seconds since 2001.
fn time(date: &CFDate) -> Option<SystemTime> {
    const SECONDS_FROM_1970_TO_2001: f64 = 978_307_200.0;
    let seconds = Duration::try_from_secs_f64(date.abs_time() + SECONDS_FROM_1970_TO_2001).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(seconds)
}

fn check(status: OSStatus, what: &str) -> Result<()> {
    if status == errSecSuccess { Ok(()) } else { Err(failure(status, what)) }
}
