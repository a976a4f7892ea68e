/// A pattern: an id in which a whole component may be `*` (one component) or `**` (zero or more).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: Box<str>,
}

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern {
    /// Offset, in bytes, of the first thing that is wrong.
    pub at: usize,
}

impl Pattern {
    /// Takes a text that follows the grammar of a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let mut at = 0;
        for component in text.split('/') {
            if !matches!(component, "*" | "**")
                && let Err(invalid) = crate::Id::parse(component)
            {
                return Err(InvalidPattern { at: at + invalid.at });
            }
            at += component.len() + 1;
        }
        Ok(Self { text: text.into() })
    }

    /// Whether the pattern matches the id.
    pub fn matches(&self, id: &str) -> bool {
        fn go(p: &[&str], c: &[&str]) -> bool {
            match p.split_first() {
                None => c.is_empty(),
                Some((&"**", rest)) => (0..=c.len()).any(|n| go(rest, &c[n..])),
                Some((&head, rest)) => {
                    c.split_first().is_some_and(|(c, cs)| (head == "*" || head == *c) && go(rest, cs))
                }
            }
        }
        go(&self.text.split('/').collect::<Vec<_>>(), &id.split('/').collect::<Vec<_>>())
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
