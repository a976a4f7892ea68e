//! The one error type of the stores. No message, detail or source ever holds a value.

use std::fmt;

/// What went wrong, as a stable code. The table of all codes, with their meanings, is `docs/errors.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The text is not an id.
    InvalidId,
    /// The text is not a pattern.
    InvalidPattern,
    /// An option has a wrong value, or two contradict each other.
    InvalidOption,
    /// A value, or the metadata beside it, is longer than the store can keep.
    ValueTooLarge,
    /// Nothing is stored under the id.
    NotFound,
    /// Something is stored under the id already, and replacing it was not asked for. Nothing was written.
    Exists,
    /// The store is locked, and could not be unlocked without a person.
    Locked,
    /// The system refused access.
    AccessDenied,
    /// A person was asked and dismissed the prompt.
    PromptDismissed,
    /// A person must be asked, and that was not allowed or is not possible here.
    InteractionRequired,
    /// The passphrase or key does not open the store.
    WrongKey,
    /// A file that holds secrets or keys may be read or written by others.
    LaxMode,
    /// The store is not there or does not answer.
    StoreUnavailable,
    /// The service runs, but has no collection to keep secrets in.
    NoCollection,
    /// Several items claim the same id.
    Ambiguous,
    /// What is stored cannot be understood: truncated, altered, or malformed.
    Corrupt,
    /// The store cannot do what was asked, here or at all.
    Unsupported,
    /// The store failed in a way that no other code describes.
    StoreFailure,
    /// The store or secret was closed or disposed before.
    Disposed,
    /// The value is not UTF-8, and text was asked for.
    NotText,
    /// The value holds a zero byte, which a variable cannot carry.
    ValueHasNul,
    /// What was asked for could not be written out.
    OutputFailure,
    /// The command to run does not exist.
    CommandNotFound,
    /// The command to run cannot be executed.
    CommandNotExecutable,
    /// No daemon answers on the socket.
    DaemonUnreachable,
    /// Another program listens on the socket already.
    DaemonRunning,
    /// The socket belongs to somebody else.
    SocketUnsafe,
    /// Too many at once, or an answer that is too large.
    LimitExceeded,
    /// The caller stopped waiting.
    Aborted,
    /// The answer did not come in time.
    Timeout,
    /// A fault of this program.
    Internal,
}

impl Code {
    /// All codes, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::InvalidId,
        Self::InvalidPattern,
        Self::InvalidOption,
        Self::ValueTooLarge,
        Self::NotFound,
        Self::Exists,
        Self::Locked,
        Self::AccessDenied,
        Self::PromptDismissed,
        Self::InteractionRequired,
        Self::WrongKey,
        Self::LaxMode,
        Self::StoreUnavailable,
        Self::NoCollection,
        Self::Ambiguous,
        Self::Corrupt,
        Self::Unsupported,
        Self::StoreFailure,
        Self::Disposed,
        Self::NotText,
        Self::ValueHasNul,
        Self::OutputFailure,
        Self::CommandNotFound,
        Self::CommandNotExecutable,
        Self::DaemonUnreachable,
        Self::DaemonRunning,
        Self::SocketUnsafe,
        Self::LimitExceeded,
        Self::Aborted,
        Self::Timeout,
        Self::Internal,
    ];

    /// The code as it is written everywhere else, such as `SE_NOT_FOUND`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidId => "SE_INVALID_ID",
            Self::InvalidPattern => "SE_INVALID_PATTERN",
            Self::InvalidOption => "SE_INVALID_OPTION",
            Self::ValueTooLarge => "SE_VALUE_TOO_LARGE",
            Self::NotFound => "SE_NOT_FOUND",
            Self::Exists => "SE_EXISTS",
            Self::Locked => "SE_LOCKED",
            Self::AccessDenied => "SE_ACCESS_DENIED",
            Self::PromptDismissed => "SE_PROMPT_DISMISSED",
            Self::InteractionRequired => "SE_INTERACTION_REQUIRED",
            Self::WrongKey => "SE_WRONG_KEY",
            Self::LaxMode => "SE_LAX_MODE",
            Self::StoreUnavailable => "SE_STORE_UNAVAILABLE",
            Self::NoCollection => "SE_NO_COLLECTION",
            Self::Ambiguous => "SE_AMBIGUOUS",
            Self::Corrupt => "SE_CORRUPT",
            Self::Unsupported => "SE_UNSUPPORTED",
            Self::StoreFailure => "SE_STORE_FAILURE",
            Self::Disposed => "SE_DISPOSED",
            Self::NotText => "SE_NOT_TEXT",
            Self::ValueHasNul => "SE_VALUE_HAS_NUL",
            Self::OutputFailure => "SE_OUTPUT_FAILURE",
            Self::CommandNotFound => "SE_COMMAND_NOT_FOUND",
            Self::CommandNotExecutable => "SE_COMMAND_NOT_EXECUTABLE",
            Self::DaemonUnreachable => "SE_DAEMON_UNREACHABLE",
            Self::DaemonRunning => "SE_DAEMON_RUNNING",
            Self::SocketUnsafe => "SE_SOCKET_UNSAFE",
            Self::LimitExceeded => "SE_LIMIT_EXCEEDED",
            Self::Aborted => "SE_ABORTED",
            Self::Timeout => "SE_TIMEOUT",
            Self::Internal => "SE_INTERNAL",
        }
    }
}

/// A failure: what failed and on what (`message`), what to do next (`hint`), plain facts (`details`).
#[derive(Debug)]
pub struct Error {
    code: Code,
    message: String,
    hint: Option<String>,
    details: Vec<(&'static str, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure with its message: one sentence without a full stop, naming the id, file or service.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, details: Vec::new(), source: None }
    }

    /// Adds what a person can do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a plain fact, such as an id, a path or a count.
    #[must_use]
    pub fn with_detail(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.details.push((name, value.to_string()));
        self
    }

    /// Adds the failure behind this one.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What went wrong.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What to do next, where something can be done.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Plain facts by name.
    pub fn details(&self) -> &[(&'static str, String)] {
        &self.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
