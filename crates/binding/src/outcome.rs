//! How results cross into JavaScript: as values. An async export cannot reject with a code of our own
//! (<https://github.com/napi-rs/napi-rs/issues/2333>), and an error made in JavaScript has the caller's stack.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use keychain_core::{Code, Error, Result};
use napi::bindgen_prelude::{JsObjectValue, Object, ToNapiValue, TypeName};
use napi::{Env, ValueType, sys};
use napi_derive::napi;

/// Becomes `{ value }` or `{ error: { code, message, hint?, details, cause? } }`.
pub struct Outcome<T>(Result<T>);

impl<T> Outcome<T> {
    /// Runs work that may fail or panic. A panic becomes `SE_INTERNAL`; its message is left out, since it may quote data.
    pub fn of(work: impl FnOnce() -> Result<T>) -> Self {
        Self(catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            Err(Error::new(Code::Internal, "the native part failed unexpectedly")
                .with_hint("please report this, with what you did"))
        }))
    }
}

impl<T> Outcome<Option<T>> {
    /// Nothing where the work gave nothing: an object costs more than short work.
    pub fn transpose(self) -> Option<Outcome<T>> {
        self.0.transpose().map(Outcome)
    }
}

impl<T> From<Result<T>> for Outcome<T> {
    fn from(result: Result<T>) -> Self {
        Self(result)
    }
}

impl<T> TypeName for Outcome<T> {
    fn type_name() -> &'static str {
        "Outcome"
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl<T: ToNapiValue> ToNapiValue for Outcome<T> {
    unsafe fn to_napi_value(env: sys::napi_env, outcome: Self) -> napi::Result<sys::napi_value> {
        let env_ref = Env::from_raw(env);
        let mut object = Object::new(&env_ref)?;
        match outcome.0 {
            Ok(value) => object.set_named_property("value", value)?,
            Err(error) => object.set_named_property("error", error_object(&env_ref, &error)?)?,
        }
        // SAFETY: the object was made in this environment just now, and is converted for it.
        unsafe { ToNapiValue::to_napi_value(env, object) }
    }
}

fn error_object<'env>(env: &'env Env, error: &Error) -> napi::Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_named_property("code", error.code().as_str())?;
    object.set_named_property("message", error.to_string())?;
    if let Some(hint) = error.hint() {
        object.set_named_property("hint", hint)?;
    }
    let mut details = Object::new(env)?;
    for (name, value) in error.details() {
        details.set_named_property(name, value.as_str())?;
    }
    object.set_named_property("details", details)?;
    if let Some(source) = error.source() {
        object.set_named_property("cause", chain(source))?;
    }
    Ok(object)
}

/// All messages of a chain of causes, the outermost first.
fn chain(source: &(dyn std::error::Error + 'static)) -> String {
    let mut text = source.to_string();
    let mut next = source.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// All codes that the native part knows, for the test that holds the tables equal.
#[napi]
pub fn native_error_codes() -> Vec<&'static str> {
    Code::ALL.iter().map(|code| code.as_str()).collect()
}

/// The version of the native part, which the loader holds against its own.
#[napi]
pub fn native_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
