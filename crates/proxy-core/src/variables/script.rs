//! What of a path names a script, for FastCGI applications.

use super::View;
use crate::config::model::Variable;

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
}
