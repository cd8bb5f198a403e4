//! A subrequest: for a while the request asks for another place of its server, then it is itself
//! again.

use std::cell::RefCell;

use super::{Request, Uri};
use crate::clock::Moment;
use crate::config::pattern::Captures;
use crate::course::{Course, Role};
use crate::generation::Place;

/// What a request is apart from its subrequest.
#[derive(Debug)]
pub struct Main {
    place: Place,
    uri: Uri,
    course: Course,
    /// Of its last match. nginx: each request has its own, while variables are shared.
    groups: Captures,
}

impl Main {
    /// Where it is.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("path", &self.uri.path).finish_non_exhaustive()
    }
}

impl Request {
    /// Becomes a subrequest for a path. nginx: it is a GET without a body and a query; the client's
    /// fields and its target stay as they are.
    pub fn ask(&mut self, path: &[u8]) -> Main {
        debug_assert!(!self.course.is_sub(), "one at a time");
        let Uri { host, is_host_told, origin, .. } = &self.uri;
        let uri = Uri {
            host: host.clone(),
            is_host_told: *is_host_told,
            origin: *origin,
            path: path.to_vec(),
            ..Uri::default()
        };
        let course = Course {
            peer: self.course.peer,
            is_internal: true,
            role: Role::Sub,
            ..Course::default()
        };
        let place = Place { location: None, ..self.place };
        Main {
            place: std::mem::replace(&mut self.place, place),
            uri: std::mem::replace(&mut self.uri, uri),
            course: std::mem::replace(&mut self.course, course),
            groups: self.values.get_mut().replace_groups(Captures::default()),
        }
    }

    /// A request like this one for another path: a subrequest that goes its own way. nginx: method,
    /// query, fields and target are those of the request.
    pub fn mirror(&self, path: &[u8], now: Moment) -> Request {
        let Uri { args, has_new_args, .. } = &self.uri;
        let role = Role::Mirror { is_get: self.course.role == Role::Get };
        let mut mirror = self.other(path, role, now);
        (mirror.uri.args, mirror.uri.has_new_args) = (args.clone(), *has_new_args);
        mirror
    }

    /// A subrequest for a path whose content stands around this one's. nginx: it is a GET without a
    /// query; here it has no body either. `charset`: the one of this one's answer, by its place among
    /// those that are known.
    pub fn part(&self, path: &[u8], charset: Option<usize>, now: Moment) -> Request {
        self.other(path, Role::Part { charset }, now)
    }

    fn other(&self, path: &[u8], role: Role, now: Moment) -> Request {
        debug_assert!(!self.course.is_sub(), "what is asked for beside it is the client's");
        let Uri { host, is_host_told, origin, .. } = &self.uri;
        let course =
            Course { peer: self.course.peer, is_internal: true, role, ..Course::default() };
        Request {
            at: self.at.clone(),
            place: Place { location: None, ..self.place },
            client: self.client.clone(),
            began: now,
            bytes: self.bytes.clone(),
            head: self.head.clone(),
            uri: Uri {
                host: host.clone(),
                is_host_told: *is_host_told,
                origin: *origin,
                path: path.to_vec(),
                ..Uri::default()
            },
            values: RefCell::new(self.values.borrow().for_mirror()),
            course,
            body_bytes: self.body_bytes,
            body_wire_bytes: self.body_wire_bytes,
            // nginx: `$request_id` is the request's.
            seed: self.seed ^ self.began.unix_ms ^ now.unix_ms,
        }
    }

    /// Is itself again.
    pub fn be_main(&mut self, main: Main) {
        debug_assert!(self.course.is_sub(), "it was one");
        (self.place, self.uri, self.course) = (main.place, main.uri, main.course);
        self.values.get_mut().replace_groups(main.groups);
    }
}
