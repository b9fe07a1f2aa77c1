//! Request scopes: what was given in each and has not ended, and what is to be told in it.
//!
//! On Workers nothing of one request may be continued in another, so the outcome of an
//! enrichment is told in the request that gave it, whichever request sent it. Scope 0 is
//! outside of any request; everywhere but on Workers it is the only one.

use std::collections::VecDeque;

use super::outcome::Output;

#[derive(Debug)]
struct Scope {
    number: u64,
    unsettled: u64,
    told: VecDeque<Output>,
}

/// The scopes in which anything goes on: one, or as many as a Worker serves requests at a time.
#[derive(Debug, Default)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Something was given in `scope` that will end.
    pub fn enter(&mut self, scope: u64) {
        self.scope(scope).unsettled += 1;
    }

    /// Something that was given in `scope` has ended.
    pub fn leave(&mut self, scope: u64) {
        let scope = self.scope(scope);
        scope.unsettled = scope.unsettled.saturating_sub(1);
        self.let_go();
    }

    /// `output` is to be told in `scope`.
    pub fn tell(&mut self, scope: u64, output: Output) {
        self.scope(scope).told.push_back(output);
    }

    /// What is to be told in `scope` next, or outside of any.
    pub fn next_told(&mut self, scope: u64) -> Option<Output> {
        let concerned = |of: &&mut Scope| of.number == scope || of.number == 0;
        let told = self.0.iter_mut().filter(concerned).find_map(|scope| scope.told.pop_front());
        if told.is_some() {
            self.let_go();
        }
        told
    }

    /// Whether anything given in `scope` has not ended, or its end was not told yet.
    pub fn is_busy(&self, scope: u64) -> bool {
        self.0.iter().any(|of| of.number == scope)
    }

    fn scope(&mut self, number: u64) -> &mut Scope {
        let place = self.0.iter().position(|scope| scope.number == number).unwrap_or_else(|| {
            self.0.push(Scope { number, unsettled: 0, told: VecDeque::new() });
            self.0.len() - 1
        });
        &mut self.0[place]
    }

    fn let_go(&mut self) {
        self.0.retain(|scope| scope.unsettled > 0 || !scope.told.is_empty());
    }
}
