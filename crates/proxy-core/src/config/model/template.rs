//! Text with variables.

use super::Variable;

/// Text with variables.
#[derive(Debug, Clone, Default)]
pub struct Template(pub Vec<Part>);

impl Template {
    /// A text without variables.
    pub fn literal(text: &[u8]) -> Template {
        let part = (!text.is_empty()).then(|| Part::Literal(text.to_vec()));
        Template(part.into_iter().collect())
    }

    /// Whether its text is empty whatever the variables.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes as they are.
    Literal(Vec<u8>),
    /// A variable's value at that time.
    Variable(Variable),
}
