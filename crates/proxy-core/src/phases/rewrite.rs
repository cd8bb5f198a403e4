//! nginx's rewrite module: the steps of a level carried out.
//!
//! It changes the request's path, query and variables, and its place where an `if` holds. It makes
//! no answer.

use super::{Content, Seen};
use crate::config::model::{
    ErrorLevel, Handler, Part, Program, Rewrite, Step, Template, Test, Then, Variable,
};
use crate::content::file::{self, shown};
use crate::course::Passing;
use crate::fault::Fault;
use crate::request::Request;
use crate::variables::own::VALUE_BYTES_MAX;

/// Whose steps are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The server's.
    Server,
    /// A location's, an index into `Server::locations`.
    Location(usize),
}

/// What the steps came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The request goes on; a location for its new path is looked for if it `is_moved`.
    Next { is_moved: bool },
    /// It is answered.
    Done(Content),
}

/// Carries out the steps of a level.
pub(super) fn run(request: &mut Request, level: Level, seen: &Seen<'_>) -> Outcome {
    let at = request.at.clone();
    let program = at.program(request.place, level);
    let mut walk =
        Walk { program, seen, is_quoting: true, is_moved: false, has_pass: false, is_lost: false };
    let mut next = 0;
    while let Some(step) = program.steps.get(next) {
        match walk.step(request, step) {
            Ok(On::Next) => next += 1,
            Ok(On::Skip(count)) => next += 1 + count,
            Ok(On::End) => break,
            Ok(On::Return) => return Outcome::Done(Content::Return { level, step: next }),
            Ok(On::Moved(status)) => return Outcome::Done(Content::Moved(status)),
            Err(fault) => return Outcome::Done(Content::Fault(fault)),
        }
    }
    if walk.is_lost && !walk.is_moved {
        request.course.passing = Passing::Lost;
    }
    Outcome::Next { is_moved: walk.is_moved }
}

/// What comes after a step.
enum On {
    Next,
    /// So many steps are left out.
    Skip(usize),
    End,
    Return,
    Moved(u16),
}

struct Walk<'w> {
    program: &'w Program,
    seen: &'w Seen<'w>,
    /// nginx: until a first `rewrite` has matched, groups are escaped in texts, if the client had
    /// escaped something.
    is_quoting: bool,
    is_moved: bool,
    /// An `if` with an upstream was entered.
    has_pass: bool,
    /// nginx: what it answers with is kept, yet where it is to go is another one's to say, who does
    /// not.
    is_lost: bool,
}

impl Walk<'_> {
    fn step(&mut self, request: &mut Request, step: &Step) -> Result<On, Fault> {
        Ok(match step {
            Step::Rewrite(rewrite) => return self.rewrite(request, rewrite),
            Step::Return(_) => On::Return,
            Step::Break => {
                // nginx: a path that was rewritten before stays, as with `rewrite … break`.
                if std::mem::take(&mut self.is_moved) {
                    request.course.has_prefix = false;
                }
                On::End
            }
            Step::Set { variable, value } => {
                let value = self.text(request, value, self.is_quoting)?;
                request.values.get_mut().set(*variable, value);
                On::Next
            }
            Step::SetArgs { value } => {
                let value = self.text(request, value, self.is_quoting)?;
                request.uri.set_args(&value);
                On::Next
            }
            Step::SetRate { value } => {
                let text = self.text(request, value, self.is_quoting)?;
                let size = std::str::from_utf8(&text).ok().and_then(nginx_conf::units::size);
                match size {
                    Some(rate) => request.values.get_mut().rate = Some(rate),
                    None => {
                        let line = format!("invalid $limit_rate \"{}\"", shown(&text));
                        request.values.get_mut().note(ErrorLevel::Error, line);
                    }
                }
                On::Next
            }
            Step::If { subject, test, is_negated, location, inner } => {
                if self.holds(request, subject.as_ref(), test)? == *is_negated {
                    return Ok(On::Skip(*inner));
                }
                if location.is_some() {
                    request.place.location = *location;
                    let handler = &request.at.location(request.place).handler;
                    let is_pass = matches!(handler, Handler::Proxy(_));
                    (self.is_lost, self.has_pass) =
                        (self.has_pass && !is_pass, self.has_pass || is_pass);
                }
                On::Next
            }
        })
    }

    fn holds(
        &self,
        request: &mut Request,
        subject: Option<&Variable>,
        test: &Test,
    ) -> Result<bool, Fault> {
        let mut value = Vec::new();
        if let Some(subject) = subject {
            self.seen.view(request).push_variable(subject, &mut value);
        }
        Ok(match test {
            Test::Holds => !value.is_empty() && value != b"0",
            Test::Stands(what, path) => {
                let path = self.text(request, path, self.is_quoting)?;
                file::stands(*what, &path, &self.seen.view(request))
            }
            Test::Equals(text) => value == self.text(request, text, self.is_quoting)?,
            Test::Matches(expression) => {
                let values = request.values.get_mut();
                let is_found = values.matches(expression, &value);
                if !is_found {
                    values.forget_groups();
                }
                self.tell(request, expression.pattern.text(), &value, is_found);
                is_found
            }
        })
    }

    /// nginx: `rewrite`: the replacement takes the place of the path, or the client is sent there.
    fn rewrite(&mut self, request: &mut Request, rewrite: &Rewrite) -> Result<On, Fault> {
        let Rewrite { from, to, keeps_args, then } = rewrite;
        let path = std::mem::take(&mut request.uri.path);
        let is_found = request.values.get_mut().matches(from, &path);
        self.tell(request, from.pattern.text(), &path, is_found);
        request.uri.path = path;
        if !is_found {
            request.values.get_mut().forget_groups();
            return Ok(On::Next);
        }
        if let Then::Redirect(status) = then {
            return self.redirect(request, to, *keeps_args, *status);
        }
        request.uri.target.clear();
        request.course.is_internal = true;
        if *then == Then::Break {
            request.course.has_prefix = false;
            self.is_moved = false;
        } else {
            self.is_moved = true;
        }
        let (path, args) = self.replacement(request, to)?;
        match args {
            Some(mut args) => {
                if *keeps_args && !request.uri.args.is_empty() {
                    args.push(b'&');
                    args.extend_from_slice(&request.uri.args);
                }
                request.uri.args = args;
                request.uri.has_new_args = true;
            }
            None if !keeps_args => {
                request.uri.has_new_args |= !request.uri.args.is_empty();
                request.uri.args.clear();
            }
            None => {}
        }
        self.is_quoting = false;
        if self.program.telling.steps {
            let (path, args) = (shown(&path), shown(&request.uri.args));
            note(request, format!("rewritten data: \"{path}\", args: \"{args}\""));
        }
        if path.is_empty() {
            return Err(Fault::EmptyPath);
        }
        request.uri.path = path;
        Ok(if *then == Then::Next { On::Next } else { On::End })
    }

    fn redirect(
        &mut self,
        request: &mut Request,
        to: &Template,
        keeps_args: bool,
        status: u16,
    ) -> Result<On, Fault> {
        let text = self.text(request, to, true)?;
        let moved_to = &mut request.course.moved_to;
        moved_to.clear();
        http1::path::unescape_redirect(&text, moved_to);
        if keeps_args && !request.uri.args.is_empty() {
            moved_to.push(if has_question_mark(to) { b'&' } else { b'?' });
            moved_to.extend_from_slice(&request.uri.args);
        }
        if self.program.telling.steps {
            let line = format!("rewritten redirect: \"{}\"", shown(moved_to));
            note(request, line);
        }
        Ok(On::Moved(status))
    }

    /// The path that a replacement makes, and the query behind its first `?`. nginx: in the query
    /// groups are escaped, if the client had escaped something; what comes out of variables begins
    /// no query.
    fn replacement(
        &self,
        request: &Request,
        to: &Template,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), Fault> {
        let mut path = Vec::new();
        let mut args: Option<Vec<u8>> = None;
        for part in &to.0 {
            match (part, &mut args) {
                (Part::Literal(text), None) => match text.iter().position(|byte| *byte == b'?') {
                    Some(at) => {
                        path.extend_from_slice(text.get(..at).unwrap_or_default());
                        args = Some(text.get(at + 1..).unwrap_or_default().to_vec());
                    }
                    None => path.extend_from_slice(text),
                },
                (part, Some(args)) => self.push_part(request, part, true, args)?,
                (part, None) => self.push_part(request, part, false, &mut path)?,
            }
        }
        Ok((path, args))
    }

    fn text(
        &self,
        request: &Request,
        template: &Template,
        is_quoting: bool,
    ) -> Result<Vec<u8>, Fault> {
        let mut text = Vec::new();
        for part in &template.0 {
            self.push_part(request, part, is_quoting, &mut text)?;
        }
        Ok(text)
    }

    fn push_part(
        &self,
        request: &Request,
        part: &Part,
        is_quoting: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match part {
            Part::Literal(text) => out.extend_from_slice(text),
            Part::Variable(Variable::Group(number)) if is_quoting && request.is_quoted() => {
                let values = request.values.borrow();
                http1::path::escape_argument(values.group(*number).unwrap_or_default(), out);
            }
            Part::Variable(variable) => {
                self.seen.view(request).push_variable(variable, out);
            }
        }
        if out.len() > VALUE_BYTES_MAX { Err(Fault::ValueTooLong) } else { Ok(()) }
    }

    fn tell(&self, request: &mut Request, expression: &str, text: &[u8], is_found: bool) {
        if self.program.telling.steps {
            let verb = if is_found { "matches" } else { "does not match" };
            note(request, format!("\"{expression}\" {verb} \"{}\"", shown(text)));
        }
    }
}

fn has_question_mark(to: &Template) -> bool {
    to.0.iter().any(|part| matches!(part, Part::Literal(text) if text.contains(&b'?')))
}

/// nginx: what `rewrite_log` tells is a notice.
fn note(request: &mut Request, line: String) {
    request.values.get_mut().note(ErrorLevel::Notice, line);
}
