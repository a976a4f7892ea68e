//! Masking, for JavaScript.

use std::sync::{Arc, Mutex, PoisonError};

use keychain_core::SecretBytes;
use napi::Env;
use napi::bindgen_prelude::{Buffer, Object};
use napi_derive::napi;
use process_core::{MaskSet, Masker, Unmasked, UnmaskedReason};

use crate::outcome::Outcome;
use crate::secret::SecretHandle;
use crate::task;

/// Values to be masked, while they are collected.
#[napi]
#[derive(Default)]
pub struct MaskValues {
    values: Vec<(String, SecretBytes)>,
}

#[napi]
impl MaskValues {
    /// An empty collection.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a copy of a value.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn add(&mut self, id: String, value: &SecretHandle) -> Outcome<()> {
        Outcome::of(|| {
            self.values.push((id, value.copy()?));
            Ok(())
        })
    }

    /// Prepares them to be looked for. The copies are wiped.
    #[napi]
    pub fn prepare(&mut self) -> PreparedMask {
        let values = std::mem::take(&mut self.values);
        let borrowed: Vec<(String, &[u8])> = values.iter().map(|(id, value)| (id.clone(), value.as_bytes())).collect();
        let (set, unmasked) = MaskSet::new(&borrowed);
        PreparedMask { set: Arc::new(set), unmasked }
    }

    /// What has GitHub's runner mask them.
    #[napi]
    pub fn github_masks(&self) -> SecretHandle {
        let values: Vec<&[u8]> = self.values.iter().map(|(_, value)| value.as_bytes()).collect();
        SecretHandle::new(process_core::github_masks(&values))
    }
}

/// A value that is not masked.
#[napi(object, object_from_js = false)]
pub struct UnmaskedValue {
    /// Its id.
    pub id: String,
    /// Why.
    #[napi(ts_type = "'short' | 'common' | 'long'")]
    pub reason: String,
}

/// What people are told of values that are not masked.
#[napi(object, object_from_js = false)]
pub struct MaskWarning {
    /// Names them.
    pub message: String,
    /// What is masked.
    pub hint: Option<String>,
}

impl From<&Unmasked> for UnmaskedValue {
    fn from(unmasked: &Unmasked) -> Self {
        let reason = match unmasked.reason {
            UnmaskedReason::TooShort => "short",
            UnmaskedReason::TooCommon => "common",
            UnmaskedReason::TooLong => "long",
        };
        Self { id: unmasked.id.clone(), reason: reason.into() }
    }
}

/// Values that can be looked for.
#[napi]
pub struct PreparedMask {
    set: Arc<MaskSet>,
    unmasked: Vec<Unmasked>,
}

#[napi]
impl PreparedMask {
    /// Which values are not masked.
    #[napi]
    pub fn unmasked(&self) -> Vec<UnmaskedValue> {
        self.unmasked.iter().map(UnmaskedValue::from).collect()
    }

    /// What people are told of them.
    #[napi]
    pub fn warning(&self) -> Option<MaskWarning> {
        process_core::unmasked_warning(&self.unmasked)
            .map(|warning| MaskWarning { message: warning.to_string(), hint: warning.hint().map(str::to_owned) })
    }

    /// A filter for one stream.
    #[napi]
    pub fn masker(&self) -> StreamMasker {
        StreamMasker { masker: Mutex::new(Masker::new(Arc::clone(&self.set))) }
    }

    /// Filters one descriptor into another, to its end.
    #[napi(ts_return_type = "Promise<Outcome<null>>")]
    pub fn redact<'env>(&self, env: &'env Env, input: i32, output: i32) -> napi::Result<Object<'env>> {
        let set = Arc::clone(&self.set);
        task::run(env, move || process_core::redact_stream(input, output, set))
    }
}

/// The filter of one stream.
#[napi]
pub struct StreamMasker {
    masker: Mutex<Masker>,
}

impl StreamMasker {
    fn take(&self, work: impl FnOnce(&mut Masker, &mut Vec<u8>)) -> Buffer {
        let mut out = Vec::new();
        work(&mut self.masker.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        out.into()
    }
}

#[napi]
impl StreamMasker {
    /// Takes bytes, and gives out what is certain.
    #[napi(ts_return_type = "Buffer")]
    pub fn push(&self, bytes: &[u8]) -> Buffer {
        self.take(|masker, out| {
            out.reserve(bytes.len());
            masker.push(bytes, out);
        })
    }

    /// How many bytes are held back.
    #[napi]
    pub fn held(&self) -> u32 {
        u32::try_from(self.masker.lock().unwrap_or_else(PoisonError::into_inner).held()).unwrap_or(u32::MAX)
    }

    /// Gives out what was held back, after a silence.
    #[napi(ts_return_type = "Buffer")]
    pub fn release(&self) -> Buffer {
        self.take(|masker, out| {
            masker.release(out);
        })
    }

    /// Ends the stream.
    #[napi(ts_return_type = "Buffer")]
    pub fn finish(&self) -> Buffer {
        self.take(Masker::finish)
    }
}

/// After how many milliseconds of silence `release` is to be called.
#[napi]
pub fn mask_release_after_ms() -> u32 {
    u32::try_from(process_core::RELEASE_AFTER.as_millis()).unwrap_or(u32::MAX)
}
