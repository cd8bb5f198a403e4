//! Regular expressions with what they make, and the file's own variables.

use crate::config::pattern::Pattern;

/// A regular expression, and the variables that its named groups are.
#[derive(Debug, Clone)]
pub struct Expression {
    /// What is looked for.
    pub pattern: Pattern,
    /// Named groups: the group's number, and its index in `Config::own_variables`.
    pub named: Vec<(usize, usize)>,
}

/// A variable that the file makes.
#[derive(Debug)]
pub struct OwnVariable {
    /// Lower case, without `$`.
    pub name: String,
    /// Where its value comes from while a request has none.
    pub source: OwnSource,
}

/// Where the value of a variable comes from that nobody has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnSource {
    /// nginx: a named group whose expression has matched nothing: there is none.
    Group,
    /// nginx: `set` that was not come by: it is empty.
    Set,
    /// An index into `Config::maps`.
    Map(usize),
    /// An index into `Config::geos`.
    Geo(usize),
    /// An index into `Config::splits`.
    Split(usize),
}
