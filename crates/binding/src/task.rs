//! Work that touches the operating system, on threads of our own: a prompt may stay open for minutes, and Node's pool is
//! small and shared.

use keychain_core::Result;
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, JsDeferred};

use crate::outcome::Outcome;

type Settle<T> = Box<dyn FnOnce(Env) -> napi::Result<Outcome<T>>>;

/// Runs the work on the `blocking` pool and gives JavaScript a promise of its [`Outcome`]. The promise never rejects.
/// Work that has begun runs to its end, even when the environment goes before it: what it made is dropped, and so wiped.
pub fn run<T: ToNapiValue + Send + 'static>(
    env: &Env,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> napi::Result<Object<'_>> {
    let (deferred, promise): (JsDeferred<Outcome<T>, Settle<T>>, _) = env.create_deferred()?;
    blocking::unblock(move || {
        let outcome = {
            // Until it is done, a regular exit does not wipe the values that it works with.
            let _in_use = keychain_core::in_use();
            Outcome::of(work)
        };
        deferred.resolve(Box::new(move |_| Ok(outcome)));
    })
    .detach();
    Ok(promise)
}
