//! The classes through which JavaScript holds a secret value without having it.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;

use keychain_core::{Code, Error, MAX_VALUE_BYTES, Result, SecretBytes};
use napi::bindgen_prelude::{FromNapiValue, JsValue, Object, ObjectFinalize, Uint8Array, Unknown};
use napi::{Env, JsString, check_status, sys};
use napi_derive::napi;

use crate::held::Held;
use crate::outcome::Outcome;

/// Owns one value in native memory. JavaScript's `Secret` wraps it; whatever makes a value here returns one of these, and
/// whatever consumes a value takes one. Wiped when disposed, collected, or at exit.
#[napi(custom_finalize)]
pub struct SecretHandle {
    held: Arc<Held>,
    /// What `adopt` announced to the garbage collector and nobody has taken back.
    announced: Cell<i64>,
}

/// The garbage collector is told of values from this length on: those below it weigh no more than the object that holds them.
const ANNOUNCED_FROM: usize = 4096;

fn too_large(length: usize) -> Error {
    Error::new(Code::ValueTooLarge, format!("a value of {length} bytes is longer than {MAX_VALUE_BYTES}"))
        .with_detail("length", length)
        .with_detail("limit", MAX_VALUE_BYTES)
}

impl SecretHandle {
    /// Takes over a value.
    pub fn new(value: SecretBytes) -> Self {
        Self { held: Held::new(value), announced: Cell::new(0) }
    }

    /// Lets `read` see the value. Disposed before → `Disposed`.
    pub fn with<T>(&self, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        match self.held.lock().as_ref() {
            Some(value) => {
                let answer = read(value.as_bytes());
                keychain_core::clear_registers();
                Ok(answer)
            }
            None => Err(Error::new(Code::Disposed, "the secret was disposed before")),
        }
    }

    fn announce(&self, env: &Env, length: usize) -> napi::Result<u32> {
        if length >= ANNOUNCED_FROM {
            self.announced.set(i64::try_from(length).unwrap_or(i64::MAX));
            env.adjust_external_memory(self.announced.get())?;
        }
        Ok(u32::try_from(length).unwrap_or(u32::MAX))
    }

    fn take_back(&self, env: &Env) -> napi::Result<()> {
        match self.announced.take() {
            0 => Ok(()),
            announced => env.adjust_external_memory(-announced).map(drop),
        }
    }

    /// A copy of the value, for work on another thread: it stays whole when the handle is disposed meanwhile.
    pub fn copy(&self) -> Result<SecretBytes> {
        self.with(SecretBytes::copy_from)
    }
}

/// A text of this many bytes as UTF-8.
fn encoded(text: &JsString<'_>, length: usize) -> SecretBytes {
    let raw = text.value();
    // Node-API ends the text with a zero byte, which needs room.
    let terminated = SecretBytes::with(length + 1, |buffer| {
        // SAFETY: the string is alive for the length of this call, and the buffer has the length that is given.
        unsafe {
            sys::napi_get_value_string_utf8(
                raw.env,
                raw.value,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                ptr::null_mut(),
            );
        }
    });
    SecretBytes::copy_from(&terminated.as_bytes()[..length])
}

impl ObjectFinalize for SecretHandle {
    fn finalize(self, env: Env) -> napi::Result<()> {
        self.take_back(&env)
    }
}

#[napi]
impl SecretHandle {
    /// Copies bytes, at most 16 MiB. The caller wipes its own.
    #[napi(ts_return_type = "Outcome<SecretHandle>")]
    pub fn from_bytes(bytes: &[u8]) -> Outcome<SecretHandle> {
        Outcome::of(|| {
            if bytes.len() > MAX_VALUE_BYTES {
                return Err(too_large(bytes.len()));
            }
            Ok(Self::new(SecretBytes::copy_from(bytes)))
        })
    }

    /// Encodes a text as UTF-8, without a copy elsewhere. A lone surrogate has no UTF-8 form and becomes U+FFFD: the
    /// caller has refused those.
    #[napi(ts_return_type = "Outcome<SecretHandle>")]
    pub fn from_text(text: JsString<'_>) -> napi::Result<Outcome<SecretHandle>> {
        let raw = text.value();
        let mut length = 0;
        // SAFETY: the string is alive for the length of this call; without a buffer only the length is written.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(raw.env, raw.value, ptr::null_mut(), 0, &raw mut length)
        })?;
        if length > MAX_VALUE_BYTES {
            return Ok(Err(too_large(length)).into());
        }
        Ok(Ok(Self::new(encoded(&text, length))).into())
    }

    /// Copies short bytes into a handle whose value was disposed: it is cheaper than a new one.
    #[napi]
    pub fn refill(&self, bytes: &[u8]) {
        *self.held.lock() = Some(SecretBytes::copy_from(bytes));
    }

    /// Tells the garbage collector how much this handle holds, and returns that length. To be called once, by the `Secret`
    /// that takes the handle over: without it, many large values behind small objects would never be collected.
    #[napi]
    pub fn adopt(&self, env: &Env) -> napi::Result<u32> {
        let length = self.held.lock().as_ref().map_or(0, |value| value.as_bytes().len());
        self.announce(env, length)
    }

    /// Copies the value into an array of exactly its length.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn copy_into(&self, mut target: Uint8Array) -> Outcome<()> {
        Outcome::of(|| {
            self.with(|value| {
                // SAFETY: JavaScript waits for this call, and no worker has the array: it was made for this copy.
                let target = unsafe { target.as_mut() };
                if target.len() != value.len() {
                    return Err(Error::new(Code::Internal, "the array does not have the length of the value"));
                }
                target.copy_from_slice(value);
                Ok(())
            })?
        })
    }

    /// The value as text. Not UTF-8 → `NotText`.
    #[napi(ts_return_type = "Outcome<string>")]
    pub fn text<'env>(&self, env: &'env Env) -> napi::Result<Outcome<JsString<'env>>> {
        let value = self.held.lock();
        let Some(value) = value.as_ref() else {
            return Ok(Err(Error::new(Code::Disposed, "the secret was disposed before")).into());
        };
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Ok(env.create_string(text)?).into()),
            Err(error) => Ok(Err(Error::new(Code::NotText, "the value is not UTF-8 text")
                .with_hint("read it with bytes() or use() instead of text()")
                .with_detail("at", error.valid_up_to()))
            .into()),
        }
    }

    /// Whether both hold the same bytes, in a time that does not depend on where they differ.
    #[napi(ts_return_type = "Outcome<boolean>")]
    pub fn equals(&self, other: &[u8]) -> Outcome<bool> {
        Outcome::of(|| {
            self.held
                .lock()
                .as_ref()
                .map(|value| value.equals(other))
                .ok_or_else(|| Error::new(Code::Disposed, "the secret was disposed before"))
        })
    }

    /// Whether both hold the same bytes, in a time that does not depend on where they differ.
    #[napi(ts_return_type = "Outcome<boolean>")]
    pub fn equals_handle(&self, other: &SecretHandle) -> Outcome<bool> {
        Outcome::of(|| {
            // A copy, since one lock must not be taken inside the other: two threads could take them in either order.
            let other = other.copy()?;
            self.with(|value| other.equals(value))
        })
    }

    /// A fresh copy of the value that JavaScript can look at, until it is closed.
    #[napi(ts_return_type = "Outcome<SecretView>")]
    pub fn view(&self) -> Outcome<SecretView> {
        Outcome::of(|| self.copy().map(SecretView::new))
    }

    /// Another handle on a copy of the value.
    #[napi(ts_return_type = "Outcome<SecretHandle>")]
    pub fn duplicate(&self) -> Outcome<SecretHandle> {
        Outcome::of(|| Ok(Self::new(self.copy()?)))
    }

    /// Wipes the value. Again: nothing.
    #[napi]
    pub fn dispose(&self, env: &Env) -> napi::Result<()> {
        drop(self.held.lock().take());
        self.take_back(env)
    }
}

/// A copy of a value that JavaScript sees as an `ArrayBuffer` until `close` wipes it.
///
/// The memory stays mapped until the buffer is collected, wherever it was transferred: a use after `close` reads zeros.
#[napi]
pub struct SecretView {
    held: Arc<Held>,
}

impl SecretView {
    /// Takes over a value.
    pub fn new(value: SecretBytes) -> Self {
        Self { held: Held::new(value) }
    }
}

#[napi]
impl SecretView {
    /// The buffer. To be called once. Electron forbids buffers outside its cage: there it is the engine's own memory, and
    /// `close` wipes it through the buffer.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn open<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "boolean")] inside: bool,
    ) -> napi::Result<Unknown<'env>> {
        let mut buffer = ptr::null_mut();
        let (data, length) = self.held.lock().as_mut().map_or((ptr::null_mut(), 0), |value| {
            let bytes = value.as_bytes_mut();
            (bytes.as_mut_ptr(), bytes.len())
        });
        let mut status = sys::Status::napi_no_external_buffers_allowed;
        if length > 0 && !inside {
            let keep = Arc::into_raw(Arc::clone(&self.held));
            // SAFETY: the memory belongs to `held`, never moves, and is freed by the last owner; the finalizer is one.
            status = unsafe {
                sys::napi_create_external_arraybuffer(
                    env.raw(),
                    data.cast(),
                    length,
                    Some(release),
                    keep.cast_mut().cast(),
                    &raw mut buffer,
                )
            };
            if status != sys::Status::napi_ok {
                // SAFETY: the buffer was not made, so the finalizer never gets this reference.
                drop(unsafe { Arc::from_raw(keep) });
            }
        }
        if status == sys::Status::napi_no_external_buffers_allowed {
            let mut copy = ptr::null_mut();
            // SAFETY: the engine gives memory of the length asked for; nothing is copied when it is zero.
            status = unsafe { sys::napi_create_arraybuffer(env.raw(), length, &raw mut copy, &raw mut buffer) };
            if status == sys::Status::napi_ok && length > 0 {
                // SAFETY: both are `length` bytes, and they do not overlap.
                unsafe { ptr::copy_nonoverlapping(data, copy.cast(), length) };
                self.held.wipe();
            }
        }
        check_status!(status)?;
        // SAFETY: the buffer was made in this environment just now.
        unsafe { Unknown::from_napi_value(env.raw(), buffer) }
    }

    /// Wipes what `open` gave out and detaches it, so that it is dead for whoever kept it. Again: nothing.
    #[napi]
    pub fn close(&self, env: &Env, #[napi(ts_arg_type = "ArrayBuffer")] buffer: Object<'_>) -> napi::Result<()> {
        self.held.wipe();
        let raw = buffer.value().value;
        let (mut data, mut length) = (ptr::null_mut(), 0);
        // SAFETY: the caller gives the buffer of `open`, which is alive during this call.
        check_status!(unsafe { sys::napi_get_arraybuffer_info(env.raw(), raw, &raw mut data, &raw mut length) })?;
        if length > 0 && !data.is_null() {
            // SAFETY: the engine says that this memory is the buffer's; JavaScript waits for this call.
            unsafe { ptr::write_bytes(data.cast::<u8>(), 0, length) };
            std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
        }
        let mut detached = false;
        // SAFETY: as above.
        check_status!(unsafe { sys::napi_is_detached_arraybuffer(env.raw(), raw, &raw mut detached) })?;
        if !detached {
            // SAFETY: as above; buffers of both kinds that `open` makes can be detached.
            check_status!(unsafe { sys::napi_detach_arraybuffer(env.raw(), raw) })?;
        }
        Ok(())
    }
}

extern "C" fn release(_env: sys::napi_env, _data: *mut std::ffi::c_void, keep: *mut std::ffi::c_void) {
    // SAFETY: `open` gave this reference away, to exactly one finalizer.
    drop(unsafe { Arc::from_raw(keep.cast_const().cast::<Held>()) });
}
