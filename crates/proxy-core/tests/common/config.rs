//! Configurations from their text, as the program makes them, but for what is outside of the file:
//! hosts that are addresses have them, names have none.

mod lowered;

use std::rc::Rc;
use std::sync::Arc;

use nginx_conf::Diag;
use proxy_core::config::model::Config;
use proxy_core::counters::Boards;
use proxy_core::files::FileSystem;
use proxy_core::generation::{Generation, Host};
use proxy_core::listeners::{Binding, Table};

use lowered::lowered;

/// The configuration that a good file means.
pub fn config(text: &str) -> Config {
    let (config, _) = lowered(text).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(Diag::headline).collect();
        panic!("{text}: {problems:#?}")
    });
    config
}

/// Takes a configuration into force with all the sockets that it needs.
pub fn generation(config: Arc<Config>, table: &mut Table) -> Rc<Generation> {
    generation_with(config, table, Host::default().files)
}

/// The same where there are files.
pub fn generation_with(
    config: Arc<Config>,
    table: &mut Table,
    files: FileSystem,
) -> Rc<Generation> {
    let plan = table.plan(&config);
    table.commit(&config, &plan, &[]);
    let bindings: Vec<Binding> = plan.keep.iter().chain(&plan.open).copied().collect();
    let host = Host { name: b"pod-1".to_vec(), pid: 42, files, boards: Boards::new(1) };
    Generation::new(config, bindings, Arc::new(host))
}
