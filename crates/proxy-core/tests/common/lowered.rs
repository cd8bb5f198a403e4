//! What a file means as it stands, with nothing around it.

use std::path::Path;

use nginx_conf::{Context, Diag, Included, Reading};
use proxy_core::config::lower::{Surroundings, lower_all};
use proxy_core::config::model::Config;

/// What a whole file means, with warnings; or what is wrong with it.
pub fn lowered(text: &str) -> Result<(Config, Vec<Diag>), Vec<Diag>> {
    let surroundings = Surroundings {
        folder: Path::new("/etc/nginx"),
        conf_folder: Path::new("/etc/nginx"),
        is_root: true,
        hostname: "pod-1",
        resolve: &|_, _| Vec::new(),
    };
    let main = Included { name: "t".to_owned(), bytes: text.into(), is_stock: false };
    let mut none = |_: &str, _: &str| Ok(vec![]);
    let Reading { tree, findings, is_sound } = nginx_conf::read(main, Context::Main, &mut none);
    lower_all(&tree, findings, is_sound, &surroundings)
}
