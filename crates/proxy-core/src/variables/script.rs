//! What of a path names a script, for FastCGI applications, and what an URL names, for others.

use super::View;
use crate::config::model::{Handler, PassUrl, Variable};
use crate::course::Passing;

impl View<'_> {
    /// nginx: `$fastcgi_script_name` and `$fastcgi_path_info`.
    pub(super) fn push_script(&self, variable: &Variable, out: &mut Vec<u8>) {
        let path = &self.request.uri.path;
        let script = &self.request.at.location(self.request.place).search.script;
        match (script, variable) {
            (Some(script), Variable::FastcgiPathInfo) => script.push_rest(path, out),
            (Some(script), _) => script.push_name(path, out),
            (None, Variable::FastcgiPathInfo) => {}
            (None, _) => out.extend_from_slice(path),
        }
    }

    /// The URL of the pass that is asked, where it is one of HTTP.
    pub(super) fn pass_url(&self) -> Option<&PassUrl> {
        match &self.request.at.location(self.request.place).handler {
            Handler::Proxy(pass)
                if self.request.course.passing == Passing::Yes && pass.fastcgi().is_none() =>
            {
                match pass.url.by_variables {
                    None => Some(&pass.url),
                    Some(_) => self.request.uri.made.as_deref(),
                }
            }
            _ => None,
        }
    }
}
