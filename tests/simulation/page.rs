//! A browser's pages, one after the other: hidden, left, resting in the back/forward cache, back again, without a
//! network, killed; and the store in which each finds what dead ones left.

use std::collections::BTreeMap;

use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::registry::Turn;
use honeyhive_edge::core::wire::Answer;
use serde_json::Value;

use super::bugs::Bug;
use super::calls::markers_in;
use super::program::{LEASE_MS, Program};
use super::world::World;

/// Longer than anything is kept.
const EIGHT_DAYS_MS: u64 = 8 * 24 * 3_600_000;

/// What is particular to a program that is a page.
#[derive(Debug, Default)]
pub struct Page {
    pub is_offline: bool,
    is_hidden: bool,
    /// It is hidden or left, and sends what it has.
    pub is_left: bool,
    pub is_resting: bool,
    /// How many things users had done when it last rested.
    pub rested_at: u64,
    /// Keys in the store, and texts, of what the core was told that earlier pages left, in that order.
    claimed: Vec<((usize, u64), String)>,
    /// It is back, and this is what it found in the store a moment ago.
    found: Option<Vec<i64>>,
    /// When the last record of another page that the core took over was said, and about which session: what
    /// is kept next may be that.
    taken: Option<(Value, Value)>,
}

/// What IndexedDB holds, by the page that kept it and the number it has there.
#[derive(Debug, Default)]
pub struct Store {
    records: BTreeMap<(usize, u64), Record>,
}

#[derive(Debug)]
struct Record {
    /// The page that answers for it.
    owner: usize,
    json: String,
}

impl Store {
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether the page has under `id` what it alone answers for.
    pub fn keeps(&self, page: usize, id: u64) -> bool {
        self.records.get(&(page, id)).is_some_and(|record| record.owner == page)
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

impl World {
    /// Something happens to the page.
    pub fn page_step(&mut self) -> Result<(), String> {
        let Some(page) = &mut self.programs[self.here].page else { return Ok(()) };
        if page.found.is_some() {
            return self.come_back();
        }
        match self.random.u8(..13) {
            0..4 => {
                page.is_hidden ^= true;
                let is_hidden = page.is_hidden;
                if is_hidden && self.random.u8(..4) == 0 {
                    let now = self.clock.now();
                    self.trace(&Turn::StoreFails);
                    self.programs[self.here].registry.turn(Turn::StoreFails, now);
                }
                match is_hidden {
                    true if self.random.bool() => self.turn(Turn::Hides)?,
                    true => self.turn(Turn::Leaves)?,
                    false => self.go_on()?,
                }
            }
            4..6 => {
                if page.is_offline {
                    self.go_online()?
                } else {
                    page.is_offline = true;
                    self.turn(Turn::Offline)?
                }
            }
            6..9 => {
                self.leave()?;
                self.open_page()?;
            }
            9 => self.kill()?,
            10 => self.visit_another_site()?,
            _ => {
                let resting = |program: &Program| {
                    !program.is_dead && program.page.as_ref().is_some_and(|page| page.is_resting)
                };
                let Some(place) = self.programs.iter().position(resting) else { return Ok(()) };
                self.leave()?;
                // By a clock of milliseconds, two pages of one millisecond would have no order.
                self.clock.pass(1);
                self.here = place;
                self.look_in_store();
                if self.random.bool() {
                    self.come_back()?;
                }
            }
        }
        if self.random.u8(..20) == 0 {
            self.sleep(EIGHT_DAYS_MS);
        }
        Ok(())
    }

    fn turn(&mut self, turn: Turn) -> Result<(), String> {
        let now = self.clock.now();
        self.trace(&turn);
        let program = &mut self.programs[self.here];
        program.registry.turn(turn, now);
        program.told_to_wait.clear();
        if let Some(page) = &mut program.page {
            page.is_left = turn == Turn::Leaves || (page.is_left && turn == Turn::Offline);
        }
        program.wakes.insert(0, 0);
        self.pump()
    }

    /// The page goes on, and looks whether another one died meanwhile.
    fn go_on(&mut self) -> Result<(), String> {
        self.turn(Turn::GoesOn { in_document: true })?;
        let now = self.clock.now();
        let program = &mut self.programs[self.here];
        if program.page.as_ref().is_some_and(|page| page.is_offline) {
            program.registry.turn(Turn::Offline, now);
        }
        self.claim()
    }

    /// The tab shows another page: this one rests, or is over.
    fn leave(&mut self) -> Result<(), String> {
        self.turn(Turn::Leaves)?;
        if self.random.bool() {
            return self.kill_here();
        }
        let now = self.clock.now();
        self.trace(&Turn::Rests);
        let program = &mut self.programs[self.here];
        program.registry.turn(Turn::Rests, now);
        for sent in std::mem::take(&mut program.on_the_way) {
            let flight = sent.flight;
            // The core waits for its answer for a while.
            program.failures.push(sent.lost(self.clock.awake_ms + LEASE_MS));
            if self.random.bool() {
                let answer = Answer::None { why: "the page was away".into() };
                program.registry.finish_request(flight, &answer, now);
            }
        }
        if let Some(page) = &mut program.page {
            page.is_resting = true;
            page.rested_at = self.order;
            page.found = None;
        }
        Ok(())
    }

    /// The tab shows a page of another site, and this one again; or a new one, if it did not rest.
    fn visit_another_site(&mut self) -> Result<(), String> {
        self.leave()?;
        if !self.is_resting() {
            return self.open_page();
        }
        self.clock.pass(self.random.u64(..60_000));
        self.look_in_store();
        if self.random.bool() { self.come_back() } else { Ok(()) }
    }

    /// The page ends without a word, and the next one begins.
    fn kill(&mut self) -> Result<(), String> {
        self.kill_here()?;
        self.open_page()
    }

    pub fn kill_here(&mut self) -> Result<(), String> {
        self.trace(&"dies");
        let program = &mut self.programs[self.here];
        program.is_dead = true;
        program.on_the_way.clear();
        for (id, call) in &program.calls {
            let is_kept = self.store.records.contains_key(&(self.here, *id));
            let waits = call.end.is_none() && !call.is_handed_over && call.refusal.is_none();
            if waits && call.is_kept && !is_kept {
                return Err(format!("{id} was not kept: {call:?}"));
            }
        }
        Ok(())
    }

    /// The tab shows a new page.
    pub fn open_page(&mut self) -> Result<(), String> {
        self.clock.pass(1 + self.random.u64(..500));
        let program = Program::new(&mut self.random, Place::Page);
        self.programs.push(program);
        self.here = self.programs.len() - 1;
        if self.random.u8(..4) == 0 {
            self.turn(Turn::Doubts)?;
        }
        self.claim()?;
        self.turn(Turn::GoesOn { in_document: true })
    }

    /// Makes what dead and resting pages left this page's own.
    fn claim(&mut self) -> Result<(), String> {
        let has_name = |place: usize| {
            let program = &self.programs[place];
            !program.is_dead && program.page.as_ref().is_some_and(|page| !page.is_resting)
        };
        let mut texts = Vec::new();
        let mut claimed = Vec::new();
        for (key, record) in &mut self.store.records {
            if record.owner != self.here && !has_name(record.owner) {
                record.owner = self.here;
                claimed.push((*key, record.json.clone()));
                texts.push(record.json.clone());
            }
        }
        for ((program, id), _) in &claimed {
            self.programs[*program].has_handed_over = true;
            // What it tells of it from now on says nothing.
            if let Some(whose) = self.programs[*program].inherited.get_mut(id) {
                *whose = None;
            }
            if let Some(call) = self.programs[*program].calls.get_mut(id) {
                call.is_handed_over = true;
            }
        }
        self.forget_totals(&texts);
        let now = self.clock.now();
        let program = &mut self.programs[self.here];
        if let Some(page) = &mut program.page {
            page.claimed.append(&mut claimed);
        }
        program.registry.restore(&serde_json::json!(texts).to_string(), 0, now);
        program.wakes.insert(0, 0);
        self.hold_busy(None);
        self.pump()
    }

    /// What earlier pages said of metrics is what this one adds to, if it has said nothing of them itself.
    fn forget_totals(&mut self, texts: &[String]) {
        let face = &mut self.programs[self.here].face;
        for text in texts.iter().filter(|text| text.contains("\"tokens\"")) {
            let id = parsed(text)["session"].as_str().unwrap_or_default().to_owned();
            let names = face.tracers.iter().map(|tracer| tracer.session.clone());
            let known: Vec<_> = names.filter(|name| name.id == id).collect();
            known.into_iter().for_each(|name| {
                face.totals.insert(name, None);
            });
            self.inherited_totals.insert(id);
        }
    }

    /// The page is back, and reads what nobody took over meanwhile.
    fn look_in_store(&mut self) {
        let here = self.here;
        let mine = self.store.records.iter().filter(|(_, record)| record.owner == here);
        let page = self.programs[here].page.as_ref();
        let claimed = page.map_or(&[][..], |page| &page.claimed);
        let number = |key: &(usize, u64)| match key {
            (kept_by, id) if *kept_by == here => Some(*id as i64),
            key => claimed.iter().rposition(|(it, _)| it == key).map(|place| -1 - place as i64),
        };
        let mut found: Vec<i64> = mine.filter_map(|(key, _)| number(key)).collect();
        if self.bug == Some(Bug::OverlooksWhatIsKept) {
            found.pop();
        }
        if let Some(page) = &mut self.programs[here].page {
            page.found = Some(found);
        }
    }

    pub fn come_back(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let program = &mut self.programs[self.here];
        let Some(page) = &mut program.page else { return Ok(()) };
        page.is_resting = false;
        if let Some(found) = page.found.take() {
            program.registry.only_kept(&found, now);
            self.trace(&("comes back with", found));
        }
        let program = &mut self.programs[self.here];
        program.wakes.insert(0, 0);
        self.go_on()
    }

    /// The network is there.
    pub fn go_online(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let program = &mut self.programs[self.here];
        let Some(page) = &mut program.page else { return Ok(()) };
        if std::mem::take(&mut page.is_offline) {
            // Deadlines stood still, and begin anew.
            for call in program.calls.values_mut().filter(|call| call.end.is_none()) {
                call.given.mono_ms = now.mono_ms;
            }
        }
        self.go_on()
    }

    /// Whether the page is one that rests, and so runs nothing.
    pub fn is_resting(&self) -> bool {
        self.programs[self.here].page.as_ref().is_some_and(|page| page.is_resting)
    }

    /// Whether nothing of the page runs.
    pub fn is_frozen(&self) -> bool {
        let page = self.programs[self.here].page.as_ref();
        page.is_some_and(|page| page.is_resting && page.found.is_none())
    }

    /// The core has something kept.
    pub fn keep(&mut self, id: u64, json: String) -> Result<(), String> {
        let program = &mut self.programs[self.here];
        let Some(page) = &mut program.page else { return Err("nobody has a store here".into()) };
        let record = parsed(&json);
        let what = (record["at"].clone(), record["session"].clone());
        if page.taken.take() == Some(what) {
            let marker = markers_in(&json).find(|marker| self.markers.contains_key(marker));
            let whose = marker.and_then(|marker| self.markers.get(&marker).copied());
            program.inherited.insert(id, whose);
        }
        self.store.records.insert((self.here, id), Record { owner: self.here, json });
        Ok(())
    }

    /// The core needs some of what is kept no longer.
    pub fn forget(&mut self, ids: &[i64]) -> Result<(), String> {
        let program = &mut self.programs[self.here];
        let Some(page) = &mut program.page else { return Err("nobody has a store here".into()) };
        for id in ids {
            let Ok(place) = usize::try_from(-id - 1) else {
                self.store.records.remove(&(self.here, *id as u64));
                continue;
            };
            let (key, json) = page.claimed.get(place).ok_or("it forgets what nobody left")?;
            self.store.records.remove(key);
            program.leftovers.0 += 1;
            let record = parsed(json);
            page.taken = Some((record["at"].clone(), record["session"].clone()));
        }
        Ok(())
    }
}
