//! What users do with the package: everything that its public surface offers, in any order.

use honeyhive_edge::core::ledger::Counts;
use honeyhive_edge::core::outcome::Reason;
use honeyhive_edge::core::session::SessionId;
use serde_json::{Value, json};

use super::bugs::Bug;
use super::calls::{Call, Flush, Moment, Name, Numbers};
use super::face::{Redact, Target, Tracer, masked};
use super::program::{LEASE_MS, Program};
use super::world::{URLS, World};

/// Bytes that most simulated tracers may hold together.
pub const BUDGET: u64 = 100_000;

/// Milliseconds of a deadline that is not reached in a life, unless the machine sleeps for days.
pub const LONG_DEADLINE_MS: u64 = 100_000_000;

/// Sessions that several tracers have, or that nobody started.
const SHARED: [&str; 5] = [
    "conversation 7",
    "11111111-1111-4111-8111-111111111110",
    "11111111-1111-4111-8111-111111111111",
    "11111111-1111-4111-8111-111111111112",
    "22222222-2222-4222-8222-222222222222",
];

/// Of [`SHARED`], those that tracers are made for; the last one is only ever named.
const STARTED: usize = 4;

/// Events that are no sessions: one that every server has, of a span, and one that none has.
pub const EVENTS: [&str; 2] =
    ["33333333-3333-4333-8333-333333333330", "33333333-3333-4333-8333-333333333331"];

/// Whether it is an event's id.
pub fn is_event(id: &str) -> bool {
    EVENTS.contains(&id)
}

/// The first number by which a call is known again.
const FIRST_MARKER: u32 = 1_000_000;

/// The session that users mean by `id`.
fn canonical(id: &str) -> String {
    SessionId::new(id).map_or(String::new(), |id| id.to_string())
}

/// Those that it may be given to.
fn places_of(target: &Target) -> Vec<usize> {
    match target {
        Target::Tracer(place) => vec![*place],
        Target::AnyOf(places) => places.clone(),
        Target::Refused(_) | Target::Doubtful => Vec::new(),
    }
}

impl World {
    /// A user does something.
    pub fn user_step(&mut self) -> Result<(), String> {
        match self.random.u8(..74) {
            0..4 => self.open(),
            4 => self.start_session(),
            5..52 => self.enrich(),
            52..60 => self.add_metrics(),
            60..66 => self.flush(),
            66..69 => self.close(),
            _ => self.forget_tracer(),
        }
    }

    fn moment(&self) -> Moment {
        Moment { awake_ms: self.clock.awake_ms, mono_ms: self.clock.now().mono_ms }
    }

    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    /// A number that nobody has said before.
    fn next_marker(&mut self) -> u32 {
        self.last_marker = FIRST_MARKER.max(self.last_marker + 1);
        self.last_marker
    }

    /// Where a call comes from; the loop of that scope is to run.
    fn scope(&mut self) -> u64 {
        let program = &mut self.programs[self.here];
        let scope = program.scopes[self.random.usize(..program.scopes.len())];
        program.wakes.insert(scope, 0);
        scope
    }

    fn some_tracer(&mut self) -> Option<usize> {
        let open = self.programs[self.here].face.open();
        (!open.is_empty()).then(|| open[self.random.usize(..open.len())])
    }

    /// One that may be closed already.
    fn any_tracer(&mut self) -> Option<usize> {
        let tracers = &self.programs[self.here].face.tracers;
        let held: Vec<usize> =
            (0..tracers.len()).filter(|place| !tracers[*place].is_forgotten).collect();
        let closed: Vec<usize> =
            held.iter().copied().filter(|place| tracers[*place].is_closed).collect();
        let from = if closed.is_empty() || self.random.bool() { held } else { closed };
        (!from.is_empty()).then(|| from[self.random.usize(..from.len())])
    }

    fn open(&mut self) -> Result<(), String> {
        let server = usize::from(self.random.u8(..6) == 0);
        let key = ["alpha", "beta"][self.random.usize(..2)];
        let named = (self.random.u8(..3) == 0).then(|| SHARED[self.random.usize(..STARTED)]);
        let deadline_ms = if self.random.u8(..10) == 0 { 5_000 } else { LONG_DEADLINE_MS };
        let max_queue_bytes = if self.random.u8(..12) == 0 { 3_000 } else { BUDGET };
        let redact = [Redact::Nothing, Redact::Keys, Redact::Function][self.random.usize(..3)];
        let tracer = Tracer {
            number: 0,
            session: Name { server, key: key.into(), id: String::new() },
            scope: 0,
            transport: if self.random.u8(..3) == 0 { self.random.u32(1..20) } else { 0 },
            has_on_drop: self.random.u8(..3) != 0,
            redact,
            persists: self.random.u8(..4) != 0,
            is_disabled: self.random.u8(..30) == 0,
            deadline_ms,
            max_queue_bytes,
            is_closed: false,
            is_forgotten: false,
            is_released: false,
            is_counted: true,
        };
        self.make(tracer, named, None)
    }

    /// A tracer for each key and server, which what earlier pages left can go out with.
    pub fn open_for_leftovers(&mut self) -> Result<(), String> {
        for server in 0..URLS.len() {
            for key in ["alpha", "beta"] {
                let tracer = Tracer {
                    number: 0,
                    session: Name { server, key: key.into(), id: String::new() },
                    scope: 0,
                    transport: 0,
                    has_on_drop: true,
                    redact: Redact::Nothing,
                    persists: true,
                    is_disabled: false,
                    deadline_ms: LONG_DEADLINE_MS,
                    max_queue_bytes: 100 * BUDGET,
                    is_closed: false,
                    is_forgotten: false,
                    is_released: false,
                    is_counted: true,
                };
                self.make(tracer, None, None)?;
            }
        }
        Ok(())
    }

    fn start_session(&mut self) -> Result<(), String> {
        let Some(parent) = self.some_tracer() else { return Ok(()) };
        let named = (self.random.u8(..3) == 0).then(|| SHARED[self.random.usize(..STARTED)]);
        let tracer = self.programs[self.here].face.tracers[parent].clone();
        let number = tracer.number;
        self.make(Tracer { is_counted: true, ..tracer }, named, Some(number))
    }

    /// Makes `tracer`, with the session `named` or a new one, as a child of another or not.
    fn make(
        &mut self,
        mut tracer: Tracer,
        named: Option<&str>,
        parent: Option<u64>,
    ) -> Result<(), String> {
        let (high, low) = (self.random.u32(..), self.random.u64(..1 << 48));
        let deadline_ms = match self.bug {
            Some(Bug::GivesUpEarly) => 3_000,
            _ => tracer.deadline_ms,
        };
        let mut options = json!({
            "apiKey": tracer.session.key, "serverUrl": URLS[tracer.session.server],
            "redact": tracer.redact == Redact::Keys, "redactPatterns": true,
            "redactor": tracer.redact == Redact::Function,
            "maxQueueBytes": tracer.max_queue_bytes, "logLevel": "silent",
            "onDrop": tracer.has_on_drop, "disabled": tracer.is_disabled,
            "persist": tracer.persists, "transport": tracer.transport,
            "deadlineMs": deadline_ms, "mergeWindowMs": self.random.u64(..400),
            "newSessionId": format!("{high:08x}-0000-4000-8000-{low:012x}"),
        });
        if let Some(named) = named {
            options["sessionId"] = json!(self.spelled(named));
        }
        if let Some(random) = &mut self.of_limits
            && random.u8(..3) == 0
        {
            options["maxConcurrency"] = json!(random.u8(1..4));
        }
        if let Some(parent) = parent {
            options["parent"] = json!(parent);
        }
        let marker = self.next_marker();
        let fields = match self.random.u8(..6) {
            0 | 1 => json!({}),
            2 | 3 => json!({"inputs": {"first": marker}, "config": {"a": marker}}),
            4 if self.random.u8(..4) == 0 => {
                json!({"metadata": {"poison": marker}})
            }
            _ => json!({"metadata": {"a": marker, "x": marker}, "userProperties": {"b": marker}}),
        };
        options["start"] = json!(fields.to_string());
        let scope = self.scope();
        let now = self.clock.now();
        let program = &mut self.programs[self.here];
        let info = program.registry.init(&options.to_string(), scope, now);
        let info = info.ok_or("no tracer was made")?;
        tracer.number = info.tracer;
        tracer.scope = scope;
        tracer.session.id = info.session_id.to_string();
        if self.inherited_totals.contains(&tracer.session.id) {
            program.face.totals.entry(tracer.session.clone()).or_insert(None);
        }
        let place = program.face.tracers.len();
        program.face.tracers.push(tracer.clone());
        if !tracer.is_disabled {
            program.face.hold(place);
        }
        self.hold_busy(Some(place));
        let call = Call {
            order: 0,
            tracer: Some(place),
            session: (!tracer.is_disabled).then_some(tracer.session),
            fields,
            refusal: None,
            marker: None,
            given: Moment::default(),
            deadline_ms: tracer.deadline_ms,
            room: (0, 0),
            is_kept: false,
            is_handed_over: false,
            is_told: false,
            // Nobody is told what becomes of it.
            end: Some(Err(Reason::Closed)),
        };
        let call = Call { order: self.next_order(), ..call };
        self.trace(&call);
        self.programs[self.here].starts.push(call);
        self.turn_ends()
    }

    /// The face holds the functions of tracers that got work, at the end of each call. `caller` is the tracer
    /// that was called.
    pub fn hold_busy(&mut self, caller: Option<usize>) {
        let only_callers = self.bug == Some(Bug::HoldsCallersOnly);
        let Program { registry, face, .. } = &mut self.programs[self.here];
        while let Some(number) = registry.next_busy() {
            if let Some(place) = face.place(number)
                && (!only_callers || caller == Some(place))
            {
                face.hold(place);
            }
        }
    }

    /// Sometimes more is said in the same turn of the event loop.
    fn turn_ends(&mut self) -> Result<(), String> {
        if self.random.u8(..3) == 0 { Ok(()) } else { self.pump() }
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(place) = self.any_tracer() else { return Ok(()) };
        let scope = self.scope();
        let timeout = [0, self.random.u64(..30_000)][self.random.usize(..2)];
        let now = self.clock.now();
        let order = self.next_order();
        let program = &mut self.programs[self.here];
        let tracer = &mut program.face.tracers[place];
        tracer.is_closed = true;
        let session = tracer.session.clone();
        let number = tracer.number;
        let id = program.registry.close(number, timeout, scope, now);
        let until_ms = now.mono_ms + timeout;
        let tracer = Some(place);
        let flush = Flush { tracer, order, until_ms, closes: true };
        self.trace(&flush);
        self.programs[self.here].flushes.insert(id, flush);
        self.totals_may_end(session);
        self.turn_ends()
    }

    /// Once no tracer has the session, its totals begin anew at a time that the model does not know.
    fn totals_may_end(&mut self, session: Name) {
        let face = &mut self.programs[self.here].face;
        let has_it = |place: &usize| {
            let tracer = &face.tracers[*place];
            tracer.session == session && !tracer.is_disabled
        };
        if !face.open().iter().any(has_it) {
            face.totals.insert(session, None);
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        let tracer = if self.random.u8(..4) == 0 { None } else { self.any_tracer() };
        let timeout = self.random.u64(..60_000);
        self.flush_in_time(tracer, timeout)?;
        self.turn_ends()
    }

    pub fn flush_in_time(&mut self, tracer: Option<usize>, timeout: u64) -> Result<(), String> {
        let scope = self.scope();
        let now = self.clock.now();
        let order = self.next_order();
        let program = &mut self.programs[self.here];
        let number = tracer.map_or(0, |place| program.face.tracers[place].number);
        let id = program.registry.flush(number, timeout, scope, now);
        let until_ms = now.mono_ms + timeout;
        let flush = Flush { tracer, order, until_ms, closes: false };
        if self.bug == Some(Bug::FlushesTooEarly) && self.random.bool() {
            let Numbers { delivered, dropped, pending } = Numbers::of(program.counted(tracer));
            return self.check_report(id, &flush, Counts { delivered, dropped, pending });
        }
        program.flushes.insert(id, flush);
        Ok(())
    }

    /// A tracer's user refers to it no more. The runtime finds that out when nobody else holds it either.
    fn forget_tracer(&mut self) -> Result<(), String> {
        if let Some(place) = self.any_tracer().filter(|_| self.random.bool()) {
            self.programs[self.here].face.tracers[place].is_forgotten = true;
        }
        self.collect();
        self.turn_ends()
    }

    /// The garbage collector runs.
    pub fn collect(&mut self) {
        let now = self.clock.now();
        let program = &mut self.programs[self.here];
        let mut sessions = Vec::new();
        for place in 0..program.face.tracers.len() {
            let is_held = program.face.holds(place);
            let tracer = &mut program.face.tracers[place];
            if tracer.is_forgotten && !tracer.is_released && !is_held {
                tracer.is_released = true;
                sessions.push(tracer.session.clone());
                program.registry.release(tracer.number, now);
            }
        }
        program.wakes.insert(program.scopes[0], 0);
        sessions.into_iter().for_each(|session| self.totals_may_end(session));
    }

    fn fields(&mut self, marker: u32) -> Value {
        let key = ["a", "b", "c", "d"][self.random.usize(..4)];
        match self.random.u8(..16) {
            0..4 => json!({"metadata": {key: marker}}),
            4 => json!({"outputs": {key: marker}}),
            5 => json!({"outputs": [marker]}),
            6 => json!({"config": {key: {"deep": marker}}, "metadata": {"x": marker}}),
            7 => {
                json!({"feedback": {key: format!("{marker} {}", "x".repeat(marker as usize % 1_000))}})
            }
            8 => json!({"metrics": {key: marker}, "duration": marker}),
            9 => json!({"userProperties": {key: marker}, "endTime": marker}),
            10 => json!({"inputs": {key: marker}}),
            11 => json!({"error": {"message": marker}, "stray": marker}),
            12 if self.random.u8(..8) == 0 => json!({"metadata": {"poison": marker}}),
            12 => json!({"metadata": 3}),
            13 | 14 => {
                json!({"metadata": {key: marker, "password": format!("secret-{marker}")}})
            }
            _ => json!({}),
        }
    }

    fn enrich(&mut self) -> Result<(), String> {
        let scope = self.scope();
        let bare = self.random.u8(..4) == 0;
        let named = (self.random.u8(..4) == 0).then(|| self.some_id());
        let closed = self.random.u8(..30) == 0;
        let active = match self.random.u8(..3) {
            0 if bare && named.is_some() => None,
            _ if closed => self.any_tracer(),
            _ => self.some_tracer(),
        };
        if active.is_none() && (!bare || named.is_none()) {
            return Ok(());
        }
        let program_target = self.programs[self.here].face.target(
            active,
            named.as_deref().map(canonical).as_deref(),
            scope,
        );
        let target = match active.filter(|_| !bare) {
            Some(active) => Target::Tracer(active),
            None => program_target,
        };
        let marker = self.next_marker();
        let fields = self.fields(marker);
        self.say((active, bare, named, scope), target, fields, marker)
    }

    /// The id of a session: another tracer's, or one that nobody started; or of another event.
    fn some_id(&mut self) -> String {
        let tracers = &self.programs[self.here].face.tracers;
        let id = match self.random.u8(..5) {
            0 => EVENTS[self.random.usize(..EVENTS.len())].to_owned(),
            1 => SHARED[self.random.usize(..SHARED.len())].to_owned(),
            _ if tracers.is_empty() => SHARED[0].to_owned(),
            _ => tracers[self.random.usize(..tracers.len())].session.id.clone(),
        };
        self.spelled(&id)
    }

    /// The id in one of the ways in which it may be written.
    fn spelled(&mut self, id: &str) -> String {
        if id.contains(' ') || self.random.u8(..3) != 0 { id.to_owned() } else { id.to_uppercase() }
    }

    fn say(
        &mut self,
        (active, bare, named, scope): (Option<usize>, bool, Option<String>, u64),
        target: Target,
        fields: Value,
        marker: u32,
    ) -> Result<(), String> {
        let now = self.clock.now();
        let given = self.moment();
        let order = self.next_order();
        let program = &mut self.programs[self.here];
        let face = &mut program.face;
        let (tracer, of) = match &target {
            Target::Doubtful => return Ok(()),
            Target::Tracer(place) => (Some(*place), Some(face.tracers[*place].clone())),
            Target::AnyOf(places) => {
                places.iter().for_each(|place| face.tracers[*place].is_counted = false);
                (None, Some(face.tracers[places[0]].clone()))
            }
            Target::Refused(_) => (None, None),
        };
        let names_event = named.as_deref().is_some_and(|named| is_event(&canonical(named)));
        let says_nothing = fields.as_object().is_some_and(|fields| fields.is_empty());
        let is_invalid =
            fields.get("metadata").is_some_and(Value::is_number) || (names_event && says_nothing);
        let refusal = match (&target, &of) {
            (Target::Refused(reason), _) => Some(*reason),
            _ if is_invalid => Some(Reason::Invalid),
            (_, Some(of)) if of.is_closed || of.is_released => Some(Reason::Closed),
            (_, Some(of)) if of.is_disabled => Some(Reason::Disabled),
            _ => None,
        };
        // The face asks whose a session is, and masks as that one has it.
        let mut number = active.map_or(0, |place| face.tracers[place].number);
        let mut names_tracer = !bare;
        let mut masks = active.filter(|_| !bare);
        if bare && let Some(named) = &named {
            number = program.registry.resolve_tracer(number, named, scope);
            masks = face.place(number);
            names_tracer = number != 0;
        } else if bare {
            masks = active;
        }
        let session = of.as_ref().filter(|_| refusal.is_none()).map(|of| {
            let id = named.as_deref().map_or_else(|| of.session.id.clone(), canonical);
            Name { id, ..of.session.clone() }
        });
        let redact = of.as_ref().map_or(Redact::Keys, |of| of.redact);
        if self.bug == Some(Bug::MasksForTheWrongTracer) {
            masks = active;
        }
        let as_stored = if redact == Redact::Nothing { fields.clone() } else { masked(&fields) };
        if as_stored != fields {
            self.secrets.insert(marker);
        }
        let has_function = masks.is_some_and(|it| face.tracers[it].redact == Redact::Function);
        let as_given = if has_function { masked(&fields) } else { fields };
        if let (Some(session), Some(tokens)) = (&session, as_given["metrics"].get("tokens")) {
            face.totals.insert(session.clone(), tokens.as_f64());
        }
        let is_in_flight =
            program.on_the_way.iter().any(|sent| Some(&sent.session) == session.as_ref());
        let deadlines = places_of(&target).into_iter().map(|it| face.tracers[it].deadline_ms);
        let deadline_ms = deadlines.min().unwrap_or(0);
        let limits = places_of(&target).into_iter().map(|it| face.tracers[it].max_queue_bytes);
        let max = limits.min().unwrap_or(0);
        let mut call = Call {
            order,
            tracer,
            session,
            marker: as_stored.to_string().contains(&marker.to_string()).then_some(marker),
            fields: as_stored,
            refusal,
            given,
            deadline_ms,
            room: (program.registry.held(), max),
            is_kept: program.page.is_some() && of.as_ref().is_some_and(|of| of.persists),
            is_handed_over: false,
            is_told: false,
            end: None,
        };
        if self.bug == Some(Bug::ForgetsWhatCameInFlight) && is_in_flight {
            call.end = Some(Ok(String::new()));
            call.is_told = true;
            program.calls.insert(u64::MAX - order, call);
            return Ok(());
        }
        let json = as_given.to_string();
        let named = named.as_deref();
        let id = match named.filter(|_| names_event) {
            Some(event) => {
                program.registry.enrich_event(number, event, json, scope, names_tracer, now)
            }
            None => program.registry.enrich(number, named, json, scope, names_tracer, now),
        };
        if let Some(marker) = call.marker {
            self.markers.insert(marker, (self.here, id));
        }
        self.trace(&call);
        self.programs[self.here].calls.insert(id, call);
        self.hold_busy(active);
        self.turn_ends()
    }

    fn add_metrics(&mut self) -> Result<(), String> {
        let Some(place) = self.some_tracer() else { return Ok(()) };
        let scope = self.scope();
        let increment = f64::from(self.random.u16(..100)) / 8.0;
        let is_invalid = self.random.u8(..8) == 0;
        let (now, given) = (self.clock.now(), self.moment());
        let order = self.next_order();
        let program = &mut self.programs[self.here];
        let tracer = program.face.tracers[place].clone();
        // What other pages said of a session that all may have counts as well.
        if program.page.is_some() && SHARED.iter().any(|id| canonical(id) == tracer.session.id) {
            return Ok(());
        }
        let known = program.face.totals.entry(tracer.session.clone()).or_insert(Some(0.0));
        let Some(before) = *known else { return Ok(()) };
        if !is_invalid && !tracer.is_disabled {
            *known = Some(before + increment);
        }
        let json = if is_invalid { json!({}) } else { json!({ "tokens": increment }) }.to_string();
        let room = (program.registry.held(), tracer.max_queue_bytes);
        let id = match self.bug {
            Some(Bug::SplitsTotals) if !is_invalid => {
                let json = json!({ "metrics": { "tokens": increment } }).to_string();
                program.registry.enrich(tracer.number, None, json, scope, true, now)
            }
            _ => program.registry.add_metrics(tracer.number, &json, scope, now),
        };
        let refusal = match (is_invalid, tracer.is_disabled) {
            (_, true) => Some(Reason::Disabled),
            (true, _) => Some(Reason::Invalid),
            _ => None,
        };
        let call = Call {
            order,
            tracer: Some(place),
            session: refusal.is_none().then(|| tracer.session.clone()),
            fields: json!({"metrics": {"tokens": before + increment}}),
            refusal,
            marker: None,
            given,
            deadline_ms: tracer.deadline_ms,
            room,
            is_kept: program.page.is_some() && tracer.persists,
            is_handed_over: false,
            is_told: false,
            end: None,
        };
        self.trace(&call);
        self.programs[self.here].calls.insert(id, call);
        self.hold_busy(Some(place));
        // What was refused at the door adds nothing.
        self.pump()?;
        let program = &mut self.programs[self.here];
        if matches!(program.calls[&id].end, Some(Err(Reason::QueueFull))) {
            program.face.totals.insert(tracer.session, Some(before));
        }
        Ok(())
    }

    /// One request is torn down, together with all it waits for, and another one comes.
    pub fn replace_scope(&mut self, place: usize) {
        let awake_ms = self.clock.awake_ms;
        let program = &mut self.programs[self.here];
        program.last_scope += 1;
        let dead = std::mem::replace(&mut program.scopes[place], program.last_scope);
        program.wakes.remove(&dead);
        let of_dead = |sent: &super::program::Sent| sent.scope == dead;
        while let Some(place) = program.on_the_way.iter().position(of_dead) {
            let sent = program.on_the_way.remove(place);
            program.failures.push(sent.lost(awake_ms + LEASE_MS));
        }
        program.deaths.push(awake_ms);
    }
}
