//! Sets of patterns and indexes of ids, held natively. Ids cross many at a time, as one text with a line each.

use std::cell::Cell;

use keychain_core::{Code, Error, Result};
use napi::bindgen_prelude::{JsValue, ObjectFinalize, Uint32ArraySlice};
use napi::{Env, JsString, check_status, sys};
use napi_derive::napi;
use pattern_matcher::{IdIndex, IdIndexBuilder, MAX_BYTES, Matcher, Pattern, PatternSet};

use crate::outcome::Outcome;

/// Lists cross in texts of about this many bytes: far below the longest string that V8 can make.
const LIST_BYTES: usize = 1 << 24;

fn pattern(text: &str) -> Result<Pattern> {
    Pattern::parse(text)
        .map_err(|invalid| Error::new(Code::InvalidPattern, "the text is not a pattern").with_detail("at", invalid.at))
}

/// Up to this many numbers are copied into JavaScript's own memory; more are handed over as they are.
const COPIED: usize = 1 << 16;

// An array that is handed over costs as much as copying some hundred kilobytes: it needs a finalizer.
fn numbers(env: &Env, list: Vec<u32>) -> Result<Uint32ArraySlice<'_>> {
    let array = if list.len() <= COPIED {
        Uint32ArraySlice::copy_from(env, list)
    } else {
        Uint32ArraySlice::from_data(env, list)
    };
    array.map_err(|_| Error::new(Code::Internal, "the array could not be made"))
}

/// A compiled set of patterns.
#[napi]
pub struct NativePatternSet {
    matcher: Matcher<PatternSet>,
    found: Vec<u32>,
}

#[napi]
impl NativePatternSet {
    /// Compiles patterns, one a line; none when `count` is 0.
    #[napi(ts_return_type = "Outcome<NativePatternSet>")]
    pub fn compile(patterns: String, count: u32) -> Outcome<NativePatternSet> {
        Outcome::of(|| {
            let patterns = patterns.split('\n').take(count as usize).map(pattern).collect::<Result<Vec<_>>>()?;
            Ok(Self { matcher: Matcher::new(PatternSet::compile(&patterns)), found: Vec::new() })
        })
    }

    /// Row numbers of the patterns that match the id, ascending.
    #[napi(catch_unwind)]
    pub fn matches(&mut self, id: JsString<'_>) -> napi::Result<Vec<u32>> {
        // On the stack, since an id is short and this call is as well. Node-API ends the text with a zero byte.
        let mut buffer = [0_u8; MAX_BYTES + 2];
        let raw = id.value();
        let mut length = 0;
        // SAFETY: the string is alive for the length of this call, and the buffer has the length that is given.
        check_status!(unsafe {
            let (start, room) = (buffer.as_mut_ptr().cast(), buffer.len());
            sys::napi_get_value_string_utf8(raw.env, raw.value, start, room, &raw mut length)
        })?;
        self.found.clear();
        // What was cut off is too long to be an id, with or without the cut character; it matches nothing.
        if let Ok(id) = std::str::from_utf8(&buffer[..length]) {
            self.matcher.matches_into(id, &mut self.found);
        }
        Ok(self.found.clone())
    }

    /// Matches ids, one a line: pairs of a line and a row number, flat and ascending. Nothing when there are not `count`
    /// lines, that is, when some id holds a line end.
    #[napi(ts_return_type = "Outcome<Uint32Array | null>")]
    pub fn match_many<'env>(
        &mut self,
        env: &'env Env,
        ids: String,
        count: u32,
    ) -> Outcome<Option<Uint32ArraySlice<'env>>> {
        Outcome::of(|| {
            if ids.split('\n').count() != count as usize {
                return Ok(None);
            }
            let mut pairs = Vec::new();
            for (line, id) in (0..).zip(ids.split('\n')) {
                self.found.clear();
                self.matcher.matches_into(id, &mut self.found);
                pairs.extend(self.found.iter().flat_map(|row| [line, *row]));
            }
            numbers(env, pairs).map(Some)
        })
    }
}

/// Takes the ids of an index in portions.
#[derive(Default)]
#[napi]
pub struct NativeIdIndexBuilder {
    builder: IdIndexBuilder,
}

#[napi]
impl NativeIdIndexBuilder {
    /// Begins an index.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds ids, one a line. False when one of them is no id, or does not fit any more, or when there are not `count` lines:
    /// the builder is of no use then.
    #[napi(ts_return_type = "Outcome<boolean>")]
    pub fn add(&mut self, ids: String, count: u32) -> Outcome<bool> {
        Outcome::of(|| {
            let before = self.builder.len();
            let all = ids.split('\n').all(|id| self.builder.add(id).is_ok());
            Ok(all && self.builder.len() - before == count as usize)
        })
    }

    /// Builds the index; the builder is empty then.
    #[napi(ts_return_type = "Outcome<NativeIdIndex>")]
    pub fn finish(&mut self, env: &Env) -> Outcome<NativeIdIndex> {
        Outcome::of(|| {
            let index = std::mem::take(&mut self.builder).finish();
            let bytes = i64::try_from(index.heap_bytes()).unwrap_or(i64::MAX);
            let announced = env.adjust_external_memory(bytes).map_or(0, |_| bytes);
            Ok(NativeIdIndex { index, announced: Cell::new(announced) })
        })
    }
}

/// An index of ids.
#[napi(custom_finalize)]
pub struct NativeIdIndex {
    index: IdIndex,
    /// What the garbage collector was told that this holds.
    announced: Cell<i64>,
}

impl ObjectFinalize for NativeIdIndex {
    fn finalize(self, env: Env) -> napi::Result<()> {
        env.adjust_external_memory(-self.announced.take()).map(drop)
    }
}

#[napi]
impl NativeIdIndex {
    /// How many ids there are.
    #[napi(getter)]
    pub fn size(&self) -> u32 {
        // The builder takes fewer than 2^32 components in all.
        self.index.len() as u32
    }

    /// Bytes of native memory.
    #[napi(getter)]
    pub fn bytes(&self) -> f64 {
        self.index.heap_bytes() as f64
    }

    /// How many ids the pattern matches.
    #[napi(ts_return_type = "Outcome<number>")]
    pub fn count(&self, pattern: String) -> Outcome<u32> {
        Outcome::of(|| Ok(self.index.count(&self::pattern(&pattern)?) as u32))
    }

    /// Row numbers of the ids that the pattern matches, in the order of the tree.
    #[napi(ts_return_type = "Outcome<Uint32Array>")]
    pub fn rows<'env>(&self, env: &'env Env, pattern: String) -> Outcome<Uint32ArraySlice<'env>> {
        Outcome::of(|| numbers(env, self.index.rows(&self::pattern(&pattern)?)))
    }

    /// The ids that the pattern matches, in the order of the tree: texts of one id a line.
    #[napi(ts_return_type = "Outcome<string[]>")]
    pub fn list(&self, pattern: String) -> Outcome<Vec<String>> {
        Outcome::of(|| {
            let mut texts = Vec::new();
            let mut text = String::new();
            self.index.for_each(&self::pattern(&pattern)?, |id| {
                if text.len() + id.len() >= LIST_BYTES {
                    texts.push(std::mem::take(&mut text));
                }
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(id);
            });
            if !text.is_empty() {
                texts.push(text);
            }
            Ok(texts)
        })
    }
}
