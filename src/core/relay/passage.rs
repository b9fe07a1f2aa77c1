//! How a request passes the relay, step by step: [`admit`] looks at its head, the runtime checks the
//! ticket's signature, [`Unverified::verified`] looks at the ticket, [`Passage::forward`] at the
//! body, and [`Passage::answered`] at what came of it. Each step needs the one before, so nothing
//! of a body is read before the ticket was found right, and nothing is sent before the body was.

use std::rc::Rc;

use super::body::judge;
use super::head::Head;
use super::message::Message;
use super::origin::{Asker, asker};
use super::policy::{BUSY_S, LONGEST_WAIT_S, MAX_MESSAGE_BYTES, PREFLIGHT_S};
use super::rate::Rates;
use super::refusal::{Refusal, error};
use super::response::Response;
use super::route::Route;
use super::settings::RelaySettings;
use super::ticket::{Presented, Signature, Ticket};
use crate::core::json::{Object, any_members, find};
use crate::core::log::{Level, Line};
use crate::core::session::{SessionId, Target};
use crate::core::time::Now;
use crate::core::wire::{self, Answer, Receipt, Request};

/// What a request came to, and what is to be logged of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What is answered.
    pub response: Response,
    /// Lines at the level that was asked for.
    pub log: Vec<Line>,
}

/// A request whose ticket has not been checked.
#[derive(Debug)]
pub struct Unverified {
    trip: Trip,
    /// The session or event in the address, where it has one.
    named: Option<String>,
    signature: Signature,
    claims: String,
}

/// A request whose ticket is right.
#[derive(Debug)]
pub struct Passage {
    trip: Trip,
    /// The session or event in the address, where it has one.
    named: Option<SessionId>,
    /// The inputs of a start, as the page wrote them: key and value.
    inputs: Vec<(String, String)>,
    /// The fields that are sent, as JSON: what the site wants masked in them is.
    fields: String,
    stamp_ns: u64,
    /// What it is about, once its body is judged.
    target: Option<Target>,
    step: Step,
}

/// What the request that is sent for the page's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// What the page asked for.
    AsAsked,
    /// It stores inputs that the start before it did not.
    LateInputs,
    /// It makes the session, which an update found missing.
    MakesSession,
    /// The update once more, now that the session is there.
    Again,
}

/// What is known of a request all along.
#[derive(Debug)]
struct Trip {
    settings: Rc<RelaySettings>,
    asker: Asker,
    route: Route,
    ticket: Ticket,
    stamp: Option<String>,
}

/// What to do with a request that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Send it to the backend, and say what that answered with [`Passage::answered`].
    Send(Request),
    /// Put this text into the queue, and say whether it took it with [`Passage::queued`].
    Enqueue(String),
}

/// How a request goes on after an answer of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassageAction {
    /// Send this one too, and say what it was answered with [`Passage::answered`].
    Send(Request),
    /// It is over.
    End(End),
}

/// What became of reading a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRead<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// There is more than [`Passage::limit`].
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// It broke off.
    Broken,
}

/// Looks at a request's head: `Err` answers it.
pub fn admit(settings: &Rc<RelaySettings>, head: Head) -> Result<Unverified, End> {
    let asker = asker(head.origin.as_deref(), &head.scheme, &head.host, &settings.origins);
    let reader = asker.clone().unwrap_or(Asker::Own);
    let refuse = |refusal| end(settings, &reader, refusal);
    let Some((route, named)) = head.path.strip_prefix(&settings.path).and_then(Route::at) else {
        return Err(refuse(Refusal::NoRoute));
    };
    let Some(asker) = asker else { return Err(refuse(Refusal::ForeignOrigin)) };
    if head.method == "OPTIONS" {
        return Err(preflight(&head, route, &asker));
    }
    if head.method != route.method() {
        return Err(refuse(Refusal::OtherMethod { allow: route.method() }));
    }
    if let Some(lacks) = settings.lacks() {
        return Err(refuse(Refusal::NotSetUp(lacks)));
    }
    if !head.is_json() {
        return Err(refuse(Refusal::ContentType));
    }
    if head.is_encoded() {
        return Err(refuse(Refusal::ContentEncoding));
    }
    if head.announced().is_some_and(|bytes| bytes > settings.max_body_bytes) {
        return Err(refuse(Refusal::TooLarge));
    }
    let Some(ticket) = head.bearer() else { return Err(refuse(Refusal::NoTicket)) };
    let Some(Presented { ticket, claims, signature }) = Presented::read(ticket) else {
        return Err(refuse(Refusal::NoSuchTicket));
    };
    let (claims, named) = (claims.to_owned(), named.map(str::to_owned));
    let stamp = head.stamp;
    let trip = Trip { settings: settings.clone(), asker, route, ticket, stamp };
    Ok(Unverified { trip, named, signature, claims })
}

fn preflight(head: &Head, route: Route, asker: &Asker) -> End {
    let mut response = Response::empty(204);
    response.header("allow", route.method());
    asker.may_read(&mut response);
    if head.wanted_method.is_some() && matches!(asker, Asker::Allowed(_)) {
        response.header("access-control-allow-methods", route.method());
        response.header("access-control-allow-headers", "authorization, content-type");
        response.header("access-control-max-age", PREFLIGHT_S);
    }
    End { response, log: Vec::new() }
}

fn end(settings: &RelaySettings, asker: &Asker, refusal: Refusal) -> End {
    let mut response = refusal.response();
    asker.may_read(&mut response);
    let mut log = Vec::new();
    if settings.tracer.log_level >= Level::Debug {
        let status = refusal.status().to_string();
        let message = ["the relay refused a request with ", &status, ": ", &refusal.sentence()];
        log.push(Line { level: Level::Debug, message: message.concat() });
    }
    End { response, log }
}

impl Unverified {
    /// What the signature has to be of.
    pub fn claims(&self) -> &str {
        &self.claims
    }

    /// The signature to check.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The signature `is_right`, or not: looks at what the ticket says, and counts its use.
    pub fn verified(self, is_right: bool, rates: &mut Rates, now_ms: u64) -> Result<Passage, End> {
        let Unverified { trip, named, signature, .. } = self;
        if !is_right {
            return Err(trip.refused(Refusal::Signature));
        }
        if trip.ticket.has_expired(now_ms) {
            return Err(trip.refused(Refusal::Expired));
        }
        if let Err(wait_s) = rates.count(&signature, trip.settings.rate, now_ms) {
            return Err(trip.refused(Refusal::TooOften { wait_s }));
        }
        let named = named.map(|named| SessionId::new(&named));
        // A legacy update names what it is for in its body.
        let is_known = trip.route != Route::LegacyUpdate;
        let is_elsewhere = named == Some(None) || trip.ticket.target(named.flatten()).is_none();
        if is_known && is_elsewhere {
            return Err(trip.refused(Refusal::elsewhere(&trip.ticket)));
        }
        let fields = String::new();
        let (named, inputs) = (named.flatten(), Vec::new());
        Ok(Passage { trip, named, inputs, fields, stamp_ns: 0, target: None, step: Step::AsAsked })
    }
}

impl Trip {
    fn refused(&self, refusal: Refusal) -> End {
        end(&self.settings, &self.asker, refusal)
    }

    fn ended(&self, mut response: Response, log: Vec<Line>) -> End {
        self.asker.may_read(&mut response);
        End { response, log }
    }

    /// When the page made the request, nanoseconds since the Unix epoch: the backend orders by it. One
    /// from the future could keep everybody else's later ones from counting.
    fn stamp_ns(&self, now_ms: u64) -> u64 {
        let now_ns = now_ms.saturating_mul(1_000_000);
        let given = self.stamp.as_deref().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        let given = given.and_then(|stamp| stamp.parse().ok());
        given.filter(|stamp| *stamp > 0 && *stamp <= now_ns).unwrap_or(now_ns)
    }
}

impl Passage {
    /// Bytes of the body to read at most.
    pub fn limit(&self) -> u64 {
        self.trip.settings.max_body_bytes
    }

    /// Milliseconds to wait at most: for the body, and for the backend's answer.
    pub fn timeout_ms(&self) -> u64 {
        self.trip.settings.tracer.timeout_ms
    }

    /// What the site's log is to hear.
    pub fn log_level(&self) -> Level {
        self.trip.settings.tracer.log_level
    }

    /// The answer where so many requests are under way that there is no place for this one.
    pub fn refused_as_busy(&self) -> End {
        self.trip.refused(Refusal::Busy { wait_s: BUSY_S })
    }

    /// Looks at the body.
    pub fn forward(&mut self, body: BodyRead<'_>, now_ms: u64) -> Result<Forward, End> {
        self.judged(body, now_ms).map_err(|refusal| self.trip.refused(refusal))
    }

    fn judged(&mut self, body: BodyRead<'_>, now_ms: u64) -> Result<Forward, Refusal> {
        let body = match body {
            BodyRead::Whole([]) => return Err(Refusal::Body("the body is missing")),
            BodyRead::Whole(bytes) if bytes.len() as u64 > self.limit() => {
                return Err(Refusal::TooLarge);
            }
            BodyRead::Whole(bytes) => std::str::from_utf8(bytes)
                .map_err(|_| Refusal::Body("the body must be JSON in UTF-8"))?,
            BodyRead::TooLarge => return Err(Refusal::TooLarge),
            BodyRead::TooSlow => return Err(Refusal::TooSlow),
            BodyRead::Broken => return Err(Refusal::Body("the body broke off")),
        };
        let Trip { settings, route, ticket, .. } = &self.trip;
        let (target, fields) = judge(*route, ticket, self.named, body)?;
        self.target = Some(target);
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        self.inputs = fields.inputs().into_iter().map(owned).collect();
        self.fields =
            settings.masked(serde_json::to_string(&fields).map_err(|_| Refusal::Internal)?);
        self.stamp_ns = self.trip.stamp_ns(now_ms);
        if settings.queues {
            let (stamp_ns, fields) = (self.stamp_ns, std::mem::take(&mut self.fields));
            let message = Message { target, stamp_ns, fields }.write();
            return match message.len() <= MAX_MESSAGE_BYTES {
                true => Ok(Forward::Enqueue(message)),
                false => Err(Refusal::TooLarge),
            };
        }
        let request = self.request(*route, target.id(), &self.fields, now_ms);
        Ok(Forward::Send(request.ok_or(Refusal::Internal)?))
    }

    /// The request of `route` that says `fields` (JSON) of the session or event `id`, at the backend.
    fn request(&self, route: Route, id: SessionId, fields: &str, now_ms: u64) -> Option<Request> {
        let destination = self.trip.settings.destination()?;
        let (path, body) = (route.path(id), self.body(route, id, fields, now_ms));
        Some(wire::request(destination, route.method(), &path, body, self.stamp_ns))
    }

    /// The body that is sent: written anew, about the session or event `id`.
    fn body(&self, route: Route, id: SessionId, fields: &str, now_ms: u64) -> String {
        let settings = &self.trip.settings;
        let mut body = String::new();
        let out = match route {
            Route::LegacyStart => {
                body.push_str("{\"session\":");
                &mut body
            }
            _ => &mut body,
        };
        let mut object = Object::open(out);
        match route {
            Route::Start | Route::LegacyStart => {
                object.text("session_id", &id.to_string());
                if let Some(description) = settings.description(now_ms) {
                    description.write(route == Route::LegacyStart, &mut object);
                }
            }
            Route::LegacyUpdate => object.text("event_id", &id.to_string()),
            Route::Update => {}
        }
        for (key, value) in any_members(fields) {
            object.member(key, value);
        }
        object.close();
        if route == Route::LegacyStart {
            body.push('}');
        }
        body
    }

    /// The update that stores what the start on its way did not store, if that is so: of a session that
    /// was there before, a start leaves the inputs as they are, and they are kept as `metadata.inputs`.
    /// The page may not do that: to know whether it has to, it would have to be told what is stored.
    fn late_inputs(&self, stored: &str) -> Option<Request> {
        let fields = any_members(&self.fields);
        let inputs = find(&fields, "inputs")?;
        let stored = any_members(stored);
        let stored = any_members(find(&stored, "inputs").unwrap_or_default());
        let are_stored = any_members(inputs).iter().all(|member| stored.contains(member));
        let said = any_members(find(&fields, "metadata").unwrap_or_default());
        if are_stored || find(&said, "inputs").is_some() {
            return None;
        }
        let Trip { settings, route, ticket, .. } = &self.trip;
        let route = if *route == Route::LegacyStart { Route::LegacyUpdate } else { Route::Update };
        let mut body = String::new();
        let mut object = Object::open(&mut body);
        if route == Route::LegacyUpdate {
            object.text("event_id", &ticket.session.to_string());
        }
        let mut metadata = Object::open(object.value("metadata"));
        metadata.json("inputs", inputs);
        metadata.close();
        object.close();
        let path = route.path(ticket.session);
        let destination = settings.destination()?;
        Some(wire::request(destination, route.method(), &path, body, self.stamp_ns + 1))
    }

    /// What the page gets to hear of the backend's answer: whether its request was stored, in words of the
    /// relay's own. The session as it is stored may say more than the page is to know, and an error may
    /// name hosts or repeat a query: those words are for the site's log.
    pub fn answered(&mut self, answer: &Answer, timed_out: bool, now_ms: u64) -> PassageAction {
        let Answer::Http { status, retry_after, body } = answer else {
            let refusal = if timed_out { Refusal::NoAnswer } else { Refusal::Unreachable };
            return PassageAction::End(self.trip.refused(refusal));
        };
        if let Some(next) = self.next_step(*status, body, now_ms) {
            return PassageAction::Send(next);
        }
        let wait_ms = retry_after.map(|it| it.wait_ms(Now { mono_ms: now_ms, unix_ms: now_ms }));
        let wait_s = wait_ms.map(|ms| ms.div_ceil(1_000).min(LONGEST_WAIT_S));
        PassageAction::End(match *status {
            200..=299 => match wire::parse_receipt(body) {
                Receipt::Stored => self.stored(200),
                // As one that refuses what was sent: sending less at a time may find what is to blame.
                Receipt::Denied => self.refused_by_backend(*status, body, DENIED_STATUS, None),
                Receipt::Foreign(why) => {
                    self.misdirected(wire::RefusalReason::NoHoneyHive { why: why.into() })
                }
            },
            0 | 300..=399 => self.misdirected(wire::RefusalReason::Redirect),
            401 | 403 => {
                let destination = self.trip.settings.destination().map(|it| &**it);
                self.misdirected(wire::RefusalReason::of_key(*status, destination))
            }
            // The page is to ask again for its start, and not to look for other routes.
            404 | 405 if self.step == Step::LateInputs => {
                self.refused_by_backend(*status, body, 503, wait_s)
            }
            _ => self.refused_by_backend(*status, body, *status, wait_s),
        })
    }

    /// The request that follows from the answer to the one before, if the page's takes more than that.
    fn next_step(&mut self, status: u16, body: &str, now_ms: u64) -> Option<Request> {
        let receipt = (200..300).contains(&status).then(|| wire::parse_receipt(body));
        let route = self.trip.route;
        let (step, request) = match self.step {
            Step::AsAsked if route.is_start() && receipt == Some(Receipt::Stored) => {
                (Step::LateInputs, self.late_inputs(body))
            }
            // Maybe there is no such session. The page need not be told to make it.
            Step::AsAsked
                if matches!(status, 404 | 405)
                    || (status == 400 && route == Route::LegacyUpdate) =>
            {
                let start = match route {
                    Route::Update => Route::Start,
                    Route::LegacyUpdate => Route::LegacyStart,
                    Route::Start | Route::LegacyStart => return None,
                };
                let session = self.target.filter(|target| !target.is_event())?.id();
                (Step::MakesSession, self.request(start, session, "{}", now_ms))
            }
            Step::MakesSession if receipt == Some(Receipt::Stored) => {
                let session = self.target?.id();
                (Step::Again, self.request(route, session, &self.fields, now_ms))
            }
            _ => return None,
        };
        request.inspect(|_| self.step = step)
    }

    /// Something that the site has to change, and its log is to say.
    fn misdirected(&self, why: wire::RefusalReason) -> End {
        let mut end = self.trip.refused(match why {
            wire::RefusalReason::Key { .. } => Refusal::Key,
            _ => Refusal::NoHoneyHive,
        });
        let settings = &self.trip.settings;
        if let Some(destination) = settings.destination() {
            let line = Line::error(format!("the relay: {}", why.message(&destination.server)));
            settings.log(line, &mut end.log);
        }
        end
    }

    /// The backend answered with `said` that it does not take the request. The page is told with `status`.
    fn refused_by_backend(&self, said: u16, body: &str, status: u16, wait_s: Option<u64>) -> End {
        let mut response = error(status, "BACKEND_REFUSED", backend_sentence(status));
        if let Some(wait_s) = wait_s {
            response.header("retry-after", &wait_s.to_string());
        }
        let settings = &self.trip.settings;
        let words = wire::error_message(body, settings.destination().map(|it| &**it));
        let colon = if words.is_empty() { "" } else { ": " };
        let line = Line::warn(format!(
            "the relay: HoneyHive refused a page's request ({said}){colon}{words}"
        ));
        let mut log = Vec::new();
        settings.log(line, &mut log);
        self.trip.ended(response, log)
    }

    /// Whether the queue took the message.
    pub fn queued(&self, was_taken: bool) -> End {
        match was_taken {
            // That it is stored is the consumer's affair from now on.
            true => self.stored(202),
            false => self.trip.refused(Refusal::Queue),
        }
    }

    /// To a start the tracer in the page looks for its own inputs in the answer. It finds all of them, as
    /// they are stored in any case: as the session's, or as `metadata.inputs` of one that had others.
    fn stored(&self, status: u16) -> End {
        let mut body = String::new();
        let mut object = Object::open(&mut body);
        object.json("success", "true");
        if self.trip.route.is_start() {
            object.text("session_id", &self.trip.ticket.session.to_string());
            let mut inputs = Object::open(object.value("inputs"));
            for (key, value) in &self.inputs {
                inputs.member(key, value);
            }
            inputs.close();
        }
        object.close();
        self.trip.ended(Response::json(status, body), Vec::new())
    }
}

/// The status by which a page learns that HoneyHive answered with success and stored nothing.
const DENIED_STATUS: u16 = 422;

/// What a page is told of a request that the backend did not take.
fn backend_sentence(status: u16) -> &'static str {
    match status {
        404 | 405 => "HoneyHive has no such route, or no such session",
        413 => "HoneyHive accepts no request of that size",
        429 => "HoneyHive accepts no more requests now: try again",
        408 | 425 | 500.. => "HoneyHive has trouble: try again",
        _ => "HoneyHive refused the request: the relay's log has the reason",
    }
}
