//! The verdict on a world: what must hold of all that was asked, answered and logged.

mod client;
mod guards;
mod log;
mod upstream;

use std::cell::RefCell;
use std::net::SocketAddr;

use crate::ledger::{Ask, Ledger, Line};
use crate::network::{Conn, Stage};
use crate::site::Settings;
use crate::socket::Shared;
use crate::world::World;

/// A client was refused: nothing may listen on its address.
pub fn check_refusal(world: &mut World, conn: usize) {
    let local = world.shared.borrow().network.conns[conn].local;
    let newest = world.reloaded_ms.len() - 1;
    if world.finished_ms.is_none() && world.sites[newest].listens_on(local) {
        world
            .ledger
            .fail(format!("c{conn} is refused, but generation {newest} listens on {local}"));
    }
}

/// Everybody is quiet and no end was asked for: every deadline has had its time.
pub fn check_rest(world: &mut World) {
    let mut wrong = Vec::new();
    for (index, worker) in world.workers.iter().enumerate() {
        let Some(engine) = &worker.engine else { continue };
        if engine.clients() > 0 || engine.links() > 0 {
            let (clients, links) = (engine.clients(), engine.links());
            wrong.push(format!("worker {index} rests with {clients} clients, {links} links"));
        }
    }
    for (conn, one) in world.shared.borrow().network.conns.iter().enumerate() {
        if one.stage == Stage::Queued {
            wrong.push(format!("c{conn} waits at {} and is never accepted", one.local));
        }
    }
    world.ledger.failures.extend(wrong);
}

/// All is over.
pub fn judge(world: &World) -> Vec<String> {
    let shared = world.shared.borrow();
    let judge = Judge { world, shared: &shared, wrong: RefCell::default() };
    judge.check_log();
    judge.check_counters();
    judge.check_clients();
    judge.check_upstreams();
    judge.check_guards();
    judge.wrong.into_inner()
}

/// A finished world with what is wrong with it.
struct Judge<'w> {
    world: &'w World,
    shared: &'w Shared,
    wrong: RefCell<Vec<String>>,
}

impl Judge<'_> {
    fn fail(&self, message: String) {
        self.wrong.borrow_mut().push(message);
    }

    fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    fn ask(&self, id: usize) -> &Ask {
        &self.world.ledger.asks[id]
    }

    fn conn(&self, conn: usize) -> &Conn {
        &self.shared.network.conns[conn]
    }

    /// The line of a request.
    fn line_of(&self, id: usize) -> Option<&Line> {
        let ask = self.ask(id);
        let remote = self.conn(ask.client).remote;
        self.ledger()
            .lines
            .iter()
            .find(|line| line.remote == remote && line.nth == ask.nth as u64 + 1)
    }

    fn lines_from(&self, remote: SocketAddr) -> impl Iterator<Item = &Line> {
        self.world.ledger.lines.iter().filter(move |line| line.remote == remote)
    }

    /// The settings that a request was served by: those of its line.
    fn settings_of(&self, line: &Line, ask: &Ask) -> Option<&Settings> {
        let local = self.conn(ask.client).local;
        let site = self.world.sites.get(line.generation)?;
        let block = site.block_for(local, &ask.host)?;
        site.blocks.iter().find(|one| one.name == block).map(|block| &block.settings)
    }
}
