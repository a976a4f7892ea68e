//! The client of a daemon, for JavaScript.

use napi::Env;
use napi::JsString;
use napi::bindgen_prelude::{ClassInstance, Object};
use napi_derive::napi;

use crate::outcome::Outcome;
use crate::secret::SecretHandle;
use crate::wire::WireEnvelope;

/// An answer of a daemon.
#[napi(object, object_from_js = false)]
pub struct DaemonReply {
    /// The HTTP status.
    pub status: u16,
    /// The secrets of its member `envelopes`.
    pub envelopes: Vec<WireEnvelope>,
    /// The JSON object without that member; of an error, the whole of it.
    pub body: String,
}

/// A client for the daemon at this address, whose process must be `uid`'s or root's.
#[napi(ts_return_type = "Outcome<NativeClient>")]
pub fn open_daemon_client(address: String, uid: u32) -> Outcome<NativeClient> {
    Outcome::of(|| system::Client::open(&address, uid).map(|client| NativeClient { client }))
}

/// A client of one daemon.
#[napi]
pub struct NativeClient {
    client: system::Client,
}

#[napi]
impl NativeClient {
    /// Begins a unary Connect request in JSON; each NUL of the body is the place of a value as base64.
    #[napi]
    pub fn call(
        &self,
        procedure: String,
        body: JsString<'_>,
        values: Vec<ClassInstance<'_, SecretHandle>>,
        timeout_ms: Option<f64>,
    ) -> napi::Result<DaemonCall> {
        self.client.call(&procedure, &body, &values, timeout_ms).map(|call| DaemonCall { call })
    }

    /// Closes idle connections.
    #[napi]
    pub fn close(&self) {
        self.client.close();
    }
}

/// A request that can be given up.
#[napi]
pub struct DaemonCall {
    call: system::Call,
}

#[napi]
impl DaemonCall {
    /// The answer. To be called once.
    #[napi(ts_return_type = "Promise<Outcome<DaemonReply>>")]
    pub fn reply<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.call.reply(env)
    }

    /// Closes the request's connection.
    #[napi]
    pub fn cancel(&self) {
        self.call.cancel();
    }
}

#[cfg(unix)]
mod system {
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use keychain_core::{Code, Error, Result};
    use napi::bindgen_prelude::{ClassInstance, Object};
    use napi::{Env, JsDeferred, JsString};
    use process_core::Address;
    use wire_core::Response;

    use super::DaemonReply;
    use crate::outcome::Outcome;
    use crate::secret::SecretHandle;
    use crate::wire::{MAX_ENVELOPES, WireEnvelope, with_text};

    /// Longer answers are read on a thread of their own, so that others need not wait.
    const READ_AT_ONCE_BYTES: usize = 256 << 10;

    pub(super) struct Client(wire_core::Client);

    pub(super) struct Call {
        /// None when nothing was sent.
        call: Option<wire_core::Call>,
        slot: Arc<Slot>,
    }

    type Settle = Box<dyn FnOnce(Env) -> napi::Result<Outcome<DaemonReply>>>;
    type Promised = JsDeferred<Outcome<DaemonReply>, Settle>;

    /// Where the answer and the one who waits for it meet.
    #[derive(Default)]
    struct Slot(Mutex<Meeting>);

    #[derive(Default)]
    enum Meeting {
        #[default]
        Nobody,
        Waits(Promised),
        Answered(Outcome<DaemonReply>),
        Over,
    }

    fn settle(promised: Promised, outcome: Outcome<DaemonReply>) {
        promised.resolve(Box::new(move |_| Ok(outcome)));
    }

    impl Slot {
        fn answer(&self, outcome: Outcome<DaemonReply>) {
            let mut meeting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match std::mem::replace(&mut *meeting, Meeting::Over) {
                Meeting::Waits(promised) => settle(promised, outcome),
                _ => *meeting = Meeting::Answered(outcome),
            }
        }

        fn wait(&self, promised: Promised) {
            let mut meeting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match std::mem::replace(&mut *meeting, Meeting::Over) {
                Meeting::Nobody => *meeting = Meeting::Waits(promised),
                Meeting::Answered(outcome) => settle(promised, outcome),
                before => {
                    *meeting = before;
                    settle(promised, Err(Error::new(Code::Internal, "the answer was asked for before")).into());
                }
            }
        }
    }

    impl Client {
        pub(super) fn open(address: &str, uid: u32) -> Result<Self> {
            Ok(Self(wire_core::Client::new(Address::parse(address)?, uid)))
        }

        pub(super) fn call(
            &self,
            procedure: &str,
            body: &JsString<'_>,
            values: &[ClassInstance<'_, SecretHandle>],
            timeout_ms: Option<f64>,
        ) -> napi::Result<Call> {
            // Above what Connect can say, it is as good as none.
            let timeout = timeout_ms.filter(|ms| *ms < 9_999_999_999.0).map(|ms| ms.max(0.0).ceil() as u64);
            let request = with_text(body, |template| {
                wire_core::request(procedure, timeout, |output| {
                    wire_core::splice(output, template, values.len(), |at, put| values[at].with(put))
                })
            })?;
            let slot = Arc::new(Slot::default());
            let call = match request {
                Ok(request) => {
                    let slot = Arc::clone(&slot);
                    Some(
                        self.0
                            .call(request, timeout.map(Duration::from_millis), move |response| receive(slot, response)),
                    )
                }
                Err(error) => {
                    slot.answer(Err(error).into());
                    None
                }
            };
            Ok(Call { call, slot })
        }

        pub(super) fn close(&self) {
            self.0.close();
        }
    }

    impl Call {
        pub(super) fn reply<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
            let (promised, promise): (Promised, _) = env.create_deferred()?;
            self.slot.wait(promised);
            Ok(promise)
        }

        pub(super) fn cancel(&self) {
            if let Some(call) = &self.call {
                call.cancel();
            }
        }
    }

    fn receive(slot: Arc<Slot>, response: Result<Response>) {
        match response {
            Ok(response) if response.body.as_bytes().len() > READ_AT_ONCE_BYTES => {
                blocking::unblock(move || {
                    let _in_use = keychain_core::in_use();
                    slot.answer(Outcome::of(|| read(&response)));
                })
                .detach();
            }
            response => slot.answer(Outcome::of(|| read(&response?))),
        }
    }

    fn read(response: &Response) -> Result<DaemonReply> {
        let body = response.body.as_bytes();
        if response.status == 200 {
            let reply = wire_core::decode_reply(body, MAX_ENVELOPES)?;
            let envelopes = reply.envelopes.into_iter().map(WireEnvelope::from).collect();
            return Ok(DaemonReply { status: 200, envelopes, body: reply.rest });
        }
        let body = String::from_utf8_lossy(body).into_owned();
        Ok(DaemonReply { status: response.status, envelopes: Vec::new(), body })
    }
}

#[cfg(windows)]
mod system {
    use keychain_core::{Code, Error, Result};
    use napi::bindgen_prelude::{ClassInstance, Object};
    use napi::{Env, JsString};

    use crate::secret::SecretHandle;

    /// There is none here.
    pub(super) enum Client {}

    /// There is none here.
    pub(super) enum Call {}

    impl Client {
        pub(super) fn open(_address: &str, _uid: u32) -> Result<Self> {
            Err(Error::new(Code::Unsupported, "there is no daemon on Windows")
                .with_hint("everything runs in the process itself here; no daemon is needed"))
        }

        pub(super) fn call(
            &self,
            _procedure: &str,
            _body: &JsString<'_>,
            _values: &[ClassInstance<'_, SecretHandle>],
            _timeout_ms: Option<f64>,
        ) -> napi::Result<Call> {
            match *self {}
        }

        pub(super) fn close(&self) {
            match *self {}
        }
    }

    impl Call {
        pub(super) fn reply<'env>(&self, _env: &'env Env) -> napi::Result<Object<'env>> {
            match *self {}
        }

        pub(super) fn cancel(&self) {
            match *self {}
        }
    }
}
