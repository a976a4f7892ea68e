//! References resolved by the daemon in one request: each to exactly one secret, a group to one or more with different ids,
//! while no plugin failed. Any other answer is JavaScript's, which asks again.

use std::collections::HashSet;
use std::time::Duration;

use pattern_matcher::Pattern;
use serde::Deserialize;
use serde::de::IgnoredAny;
use wire_core::Envelope;

use crate::config;
use crate::daemon::Daemon;
use crate::request::SCHEME;
use crate::start::Start;

/// The most secrets of one answer.
const MAX_ENVELOPES: usize = 10_000;

/// Secrets, and which of them each reference means.
pub(crate) struct Resolved {
    secrets: Vec<Envelope>,
    /// Their places, for each pattern.
    results: Vec<Vec<usize>>,
    /// The place of its pattern, for each reference and then for each group.
    asked: Vec<usize>,
    references: usize,
}

impl Resolved {
    /// The secret of each reference, in their order.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Envelope> {
        self.asked[..self.references].iter().map(|pattern| &self.secrets[self.results[*pattern][0]])
    }

    /// All secrets, each once, in the order of what was asked for.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Envelope> {
        let mut present = HashSet::new();
        let places = self.asked.iter().flat_map(|pattern| &self.results[*pattern]);
        places.filter(move |place| present.insert(**place)).map(|place| &self.secrets[*place])
    }

    /// The secrets of each group, in their order.
    pub(crate) fn groups(&self) -> impl Iterator<Item = impl Iterator<Item = &Envelope>> {
        let places = self.asked[self.references..].iter().map(|pattern| &self.results[*pattern]);
        places.map(|places| places.iter().map(|place| &self.secrets[*place]))
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

/// Resolves references and groups.
pub(crate) fn resolve(start: Start, references: &[&str], groups: &[&str]) -> Option<Resolved> {
    let mut patterns: Vec<&str> = Vec::new();
    let mut asked = Vec::new();
    for reference in references.iter().chain(groups) {
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
    if results.len() != patterns.len() || results.iter().any(|result| !result.is_clear(&reply.envelopes)) {
        return None;
    }
    let results: Vec<Vec<usize>> = results.into_iter().map(|result| result.envelopes).collect();
    let resolved = Resolved { secrets: reply.envelopes, results, asked, references: references.len() };
    let single = resolved.asked[..references.len()].iter().all(|pattern| resolved.results[*pattern].len() == 1);
    single.then_some(resolved)
}

impl PatternResult {
    /// Whether there are secrets, no two of one id, and no failure.
    fn is_clear(&self, secrets: &[Envelope]) -> bool {
        let mut ids = HashSet::new();
        !self.envelopes.is_empty()
            && self.envelopes.iter().all(|place| secrets.get(*place).is_some_and(|secret| ids.insert(&secret.id)))
            && self.outcomes.iter().all(|outcome| outcome.failure.is_none())
    }
}
