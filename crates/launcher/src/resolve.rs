//! References resolved by the daemon in one request: each to exactly one secret, while no plugin failed. Any other answer
//! is JavaScript's, which asks again.

use std::time::Duration;

use keychain_core::SecretBytes;
use pattern_matcher::Pattern;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config;
use crate::daemon::Daemon;
use crate::start::Start;

const SCHEME: &str = "se://";
/// The most secrets of one answer.
const MAX_ENVELOPES: usize = 10_000;

/// Secrets, and which of them each reference means.
pub(crate) struct Resolved {
    secrets: Vec<wire_core::Envelope>,
    places: Vec<usize>,
}

impl Resolved {
    /// The id and the value of each reference, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &SecretBytes)> {
        self.places.iter().map(|place| (self.secrets[*place].id.as_str(), &self.secrets[*place].value))
    }
}

/// The part of an answer that says which secrets belong to which pattern.
#[derive(Deserialize)]
struct Rest {
    results: Vec<PatternResult>,
}

#[derive(Deserialize)]
struct PatternResult {
    #[serde(default)]
    envelopes: Vec<usize>,
    #[serde(default)]
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    failure: Option<IgnoredAny>,
}

/// Resolves references.
pub(crate) fn resolve(start: Start, references: &[&str]) -> Option<Resolved> {
    let mut patterns: Vec<&str> = Vec::new();
    let mut asked = Vec::new();
    for reference in references {
        let pattern = reference.strip_prefix(SCHEME).filter(|pattern| Pattern::parse(pattern).is_ok())?;
        let place = patterns.iter().position(|present| *present == pattern);
        asked.push(place.unwrap_or(patterns.len()));
        if place.is_none() {
            patterns.push(pattern);
        }
    }
    let config = config::read(start)?;
    let mut daemon = Daemon::find(start, &config)?;
    // Values come from here on.
    process_core::harden();
    // Nothing in a pattern is escaped in JSON.
    let body = format!(r#"{{"patterns":["{}"],"times":false,"withoutValues":false}}"#, patterns.join(r#"",""#));
    let limit = config.timeout_ms.map(Duration::from_millis);
    let answer = daemon.ask("/senative.engine.v1.EngineService/GetBatch", body.as_bytes(), limit)?;
    let reply = wire_core::decode_reply(answer.as_bytes(), MAX_ENVELOPES).ok()?;
    let Rest { results } = serde_json::from_str(&reply.rest).ok()?;
    if results.len() != patterns.len() {
        return None;
    }
    let mut places = Vec::new();
    for PatternResult { envelopes, outcomes } in results {
        match envelopes[..] {
            [place] if place < reply.envelopes.len() && outcomes.iter().all(|outcome| outcome.failure.is_none()) => {
                places.push(place);
            }
            _ => return None,
        }
    }
    Some(Resolved { secrets: reply.envelopes, places: asked.iter().map(|at| places[*at]).collect() })
}
