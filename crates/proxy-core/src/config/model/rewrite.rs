//! What nginx's rewrite module does at a level, step by step.

use super::{Expression, Return, Template, Variable};

/// The directives of one level in the order of the file, those inside `if` among them.
#[derive(Debug, Default)]
pub struct Program {
    /// The steps.
    pub steps: Vec<Step>,
    /// What of it is told in the error log.
    pub telling: Telling,
}

/// What the error log is told of a program's steps.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// nginx: `rewrite_log`, off: what each expression came to.
    pub steps: bool,
    /// nginx: `uninitialized_variable_warn`, on: variables that were asked for before they were set.
    pub unset: bool,
    /// nginx: `log_subrequest`, off: subrequests have lines in the access log.
    pub subrequests: bool,
}

impl Default for Telling {
    fn default() -> Self {
        Telling { steps: false, unset: true, subrequests: false }
    }
}

impl Program {
    /// The `return` of a step.
    pub fn returned(&self, step: usize) -> Option<&Return> {
        match self.steps.get(step) {
            Some(Step::Return(answer)) => Some(answer),
            _ => None,
        }
    }

    /// The texts in it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.steps.iter().filter_map(|step| match step {
            Step::Rewrite(rewrite) => Some(&rewrite.to),
            Step::Return(answer) => answer.text.as_ref(),
            Step::Set { value, .. } | Step::SetArgs { value } | Step::SetRate { value } => {
                Some(value)
            }
            Step::If { test: Test::Equals(text) | Test::Stands(_, text), .. } => Some(text),
            Step::If { .. } | Step::Break => None,
        })
    }

    /// The variables that are asked for by themselves.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.steps.iter().filter_map(|step| match step {
            Step::If { subject, .. } => subject.as_ref(),
            _ => None,
        })
    }
}

/// One directive.
#[derive(Debug)]
pub enum Step {
    /// nginx: `rewrite`.
    Rewrite(Box<Rewrite>),
    /// nginx: `return`.
    Return(Return),
    /// nginx: `set` of one of the file's own variables.
    Set {
        /// Its index in `Config::own_variables`.
        variable: usize,
        /// Its value from now on.
        value: Template,
    },
    /// nginx: `set $args`.
    SetArgs {
        /// The query from now on.
        value: Template,
    },
    /// nginx: `set $limit_rate`.
    SetRate {
        /// Bytes a second from now on.
        value: Template,
    },
    /// nginx: `break`.
    Break,
    /// nginx: `if`.
    If {
        /// The variable that is looked at; none where it is a file.
        subject: Option<Variable>,
        /// What has to hold.
        test: Test,
        /// Whether it has to hold not.
        is_negated: bool,
        /// nginx: the hidden location whose settings are in force from then on, an index into
        /// `Server::locations`; none in a server.
        location: Option<usize>,
        /// How many steps are inside of it.
        inner: usize,
    },
}

/// What `if` asks.
#[derive(Debug)]
pub enum Test {
    /// It is neither empty nor `0`.
    Holds,
    /// It is this text.
    Equals(Template),
    /// The expression is found in it.
    Matches(Expression),
    /// nginx: `-f`, `-d`, `-e`, `-x`: this is at the path.
    Stands(FileTest, Template),
}

/// What is asked of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTest {
    /// nginx: `-f`: a regular file.
    File,
    /// nginx: `-d`: a folder.
    Folder,
    /// nginx: `-e`: a file or a folder.
    Either,
    /// nginx: `-x`: something that its owner may execute.
    Executable,
}

/// nginx: `rewrite EXPRESSION REPLACEMENT [FLAG]`.
#[derive(Debug)]
pub struct Rewrite {
    /// What is looked for in the path.
    pub from: Expression,
    /// What replaces the whole path, and the query behind its first `?`.
    pub to: Template,
    /// nginx: unless the replacement ends with `?`, the request's query follows its own.
    pub keeps_args: bool,
    /// What comes then.
    pub then: Then,
}

/// What comes after a `rewrite` that has matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next step; a location for the new path is looked for after the last one.
    Next,
    /// nginx: `last`: a location for the new path is looked for.
    Last,
    /// nginx: `break`: the request stays where it is.
    Break,
    /// nginx: `redirect`, `permanent`, or a replacement that begins with a scheme: the client is
    /// sent there with this status.
    Redirect(u16),
}
