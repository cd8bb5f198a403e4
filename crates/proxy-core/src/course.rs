//! How a request has gone through the proxy so far: what was changed, and how often.
//!
//! It remembers; phases decide.

use std::net::SocketAddr;

/// A request is sent to another place so often at most.
///
/// nginx: `NGX_HTTP_MAX_URI_CHANGES`.
pub const CHANGES_MAX: u32 = 10;
/// What has become of a request inside the proxy.
#[derive(Debug)]
pub struct Course {
    /// The address of the client's connection, where somebody has told who the client is.
    pub peer: Option<SocketAddr>,
    /// Internal redirects made.
    pub redirects: u32,
    /// Internal redirects, and new places by `rewrite`.
    pub changes: u32,
    /// nginx: it was changed here, so that locations that are `internal` may answer it, and what
    /// goes to an upstream is escaped.
    pub is_internal: bool,
    /// nginx: unless `rewrite … break` has put another path in its place, the location's prefix is
    /// at the front of the path.
    pub has_prefix: bool,
    /// nginx: what `try_files` has found follows an `alias` that is the whole path.
    pub follows_alias: bool,
    /// Whether an upstream is asked.
    pub passing: Passing,
    /// Whose request it is.
    pub role: Role,
    /// What has become of the client's body.
    pub body: TheBody,
    /// It has its page of the file's own.
    pub has_error_page: bool,
    /// The status that an answer gets in the place of its own.
    pub status: Option<u16>,
    /// Where a `rewrite` sends the client.
    pub moved_to: Vec<u8>,
}

/// Whose request it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// The client's.
    #[default]
    Client,
    /// An internal redirect has made it a GET.
    Get,
    /// It is a subrequest that asks whether the client's is let in.
    Sub,
    /// It is a subrequest whose content stands around that of the client's (nginx: `addition`).
    Part {
        /// The charset that the client's answer tells, by its place among those that are known.
        charset: Option<usize>,
    },
    /// It is a subrequest like the client's, whose answer nobody gets (nginx: `mirror`).
    Mirror {
        /// An internal redirect has made it a GET.
        is_get: bool,
    },
}

/// Whether an upstream is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Passing {
    /// None is, nor was since the last internal redirect.
    #[default]
    No,
    /// One is, or was.
    Yes,
    /// nginx: one would be, for an `if` said so; but another `if`, which followed, does not say
    /// which.
    Lost,
}

/// What has become of the client's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TheBody {
    /// It comes, if there is one, or went by as it came.
    #[default]
    Comes,
    /// All of it is at hand: so many bytes.
    Held(u64),
    /// What is left of it is of no use to anybody.
    Left,
    /// It has gone to an upstream, as far as it came, and a named location answers: not one that
    /// would be sent it, for without it that would be another request.
    Gone {
        /// The status of the page that answers then; nothing where that is a fault.
        instead: Option<u16>,
    },
}

impl Default for Course {
    fn default() -> Self {
        Course {
            peer: None,
            redirects: 0,
            changes: 0,
            is_internal: false,
            has_prefix: true,
            follows_alias: false,
            passing: Passing::No,
            role: Role::Client,
            body: TheBody::Comes,
            has_error_page: false,
            status: None,
            moved_to: Vec::new(),
        }
    }
}

impl Course {
    /// Forgets the last request.
    pub fn clear(&mut self) {
        self.peer = None;
        (self.redirects, self.changes) = (0, 0);
        (self.is_internal, self.has_prefix, self.follows_alias) = (false, true, false);
        (self.passing, self.role) = (Passing::No, Role::Client);
        (self.body, self.has_error_page, self.status) = (TheBody::Comes, false, None);
        self.moved_to.clear();
    }

    /// nginx: an internal redirect makes any method but HEAD a GET.
    pub fn become_get(&mut self) {
        match &mut self.role {
            Role::Client => self.role = Role::Get,
            Role::Mirror { is_get } => *is_get = true,
            Role::Get | Role::Sub | Role::Part { .. } => {}
        }
    }

    /// Whether it is a subrequest.
    pub fn is_sub(&self) -> bool {
        self.has_no_answer() || self.is_part()
    }

    /// Whether nobody gets its answer, of which the status is of interest at most.
    pub fn has_no_answer(&self) -> bool {
        self.role == Role::Sub || self.is_mirror()
    }

    /// Whether its content is a part of another's.
    pub fn is_part(&self) -> bool {
        matches!(self.role, Role::Part { .. })
    }

    /// Whether it is a subrequest like the client's request.
    pub fn is_mirror(&self) -> bool {
        matches!(self.role, Role::Mirror { .. })
    }

    /// Whether it goes in a circle.
    pub fn is_endless(&self) -> bool {
        self.changes > CHANGES_MAX
    }
}
