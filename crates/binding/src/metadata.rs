//! Metadata, for JavaScript.

use std::collections::BTreeMap;

use napi::bindgen_prelude::{JsObjectValue, Object, Property, ToNapiValue, TypeName};
use napi::{Env, ValueType, sys};

/// Becomes an object with these members, whatever they are called: they are defined, not assigned, since assigning to
/// `__proto__` does something else.
pub struct Metadata(BTreeMap<String, String>);

impl From<BTreeMap<String, String>> for Metadata {
    fn from(metadata: BTreeMap<String, String>) -> Self {
        Self(metadata)
    }
}

impl TypeName for Metadata {
    fn type_name() -> &'static str {
        "Record<string, string>"
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl ToNapiValue for Metadata {
    unsafe fn to_napi_value(env: sys::napi_env, metadata: Self) -> napi::Result<sys::napi_value> {
        let env_ref = Env::from_raw(env);
        let mut object = Object::new(&env_ref)?;
        let members = metadata.0.into_iter();
        let members =
            members.map(|(name, value)| Property::new().with_name(&env_ref, name)?.with_napi_value(&env_ref, value));
        object.define_properties(&members.collect::<napi::Result<Vec<_>>>()?)?;
        // SAFETY: the object was made in this environment just now, and is converted for it.
        unsafe { ToNapiValue::to_napi_value(env, object) }
    }
}
