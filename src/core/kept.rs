//! Enrichments that a browser keeps until they are delivered: how an entry is written, and which entries of an earlier
//! page a tracer may send.
//!
//! Every script of the site can read and change these entries, so none of their content is trusted. An entry never
//! decides where a request goes: that is the server of one of this page's tracers. An API key is not stored, only a
//! fingerprint that recognises the same key. A ticket is stored: it is limited to one session, expires, and was in the
//! page anyway; without it that session could no longer be enriched once the next page has another ticket.

use std::hash::Hasher;
use std::rc::Rc;

use fnv::FnvHasher;

use super::enrichment::Enrichment;
use super::json::{Numerals, Object, members};
use super::options::Options;
use super::outbox::CallTime;
use super::policy::KEPT_MS;
use super::relay::ticket::is_for;
use super::session::{Description, SessionId, Target};
use super::settings::Destination;

/// The format version of an entry for a session.
const VERSION: &str = "1";

/// The format version of an entry for another event, and the latest that this code reads: the shell takes over no entry
/// with a later one (`LAST_FORMAT` in `pkg-template/src/page/store.js`). Earlier versions of the package, which would take
/// it for a session, do not read it.
const EVENT_VERSION: &str = "2";

/// An enrichment that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The session or event that it enriches.
    pub target: Target,
    /// When it was made.
    pub called_at: CallTime,
    /// The number of the page, and of the part of its life, in which it was made; never 0.
    pub by: u32,
    /// The arguments of `enrichSession`, masked, as JSON.
    pub fields: String,
    /// The description of the session, if the entry is a session's start.
    pub description: Option<Description>,
    server: String,
    sender: Sender,
}

/// The credential that an entry was made with: a key's fingerprint, or a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sender {
    Key(String),
    Ticket(String),
}

/// What a tracer has to do with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptFate {
    /// Send it to this destination.
    Send(Rc<Destination>),
    /// Leave it to another tracer.
    Leave,
    /// Drop it for this reason, because no tracer can send it any more.
    Expired(&'static str),
}

/// Writes the entry for an `enrichment` of `target` that was made at the time `called_at` in the page with the number `by`.
pub fn write_entry(
    destination: &Destination,
    target: Target,
    (called_at, by): (CallTime, u32),
    enrichment: &Enrichment,
    description: Option<&Description>,
) -> String {
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    object.json("v", if target.is_event() { EVENT_VERSION } else { VERSION });
    object.text("server", &destination.server);
    if destination.is_ticket {
        object.text("ticket", &destination.key());
    } else {
        object.text("key", &fingerprint(destination));
    }
    object.text("session", &target.id().to_string());
    object.number("at", called_at.unix_ms);
    object.number("nth", called_at.nth.into());
    object.number("by", by.into());
    if let Some(description) = description {
        object.text("name", &description.name);
        object.text("source", &description.source);
        object.number("began", description.start_time);
    }
    object.json("fields", &enrichment.to_json());
    object.close();
    json
}

impl Kept {
    /// Reads an entry; `None` if it has another format version, or was not written by this package.
    pub fn read(json: &str, numerals: Numerals) -> Option<Kept> {
        let kept = Options::of(json, numerals);
        let time = |name| kept.number(name).filter(|ms| *ms >= 0.0).map(|ms| ms as u64);
        let id = SessionId::new(kept.text("session")?)?;
        let target = match kept.get("v")? {
            VERSION => Target::Session(id),
            EVENT_VERSION => Target::Event(id),
            _ => return None,
        };
        let sender = match kept.text("ticket") {
            Some(ticket) if is_for(ticket, id) => Sender::Ticket(ticket.to_owned()),
            Some(_) => return None,
            None => Sender::Key(kept.text("key")?.to_owned()),
        };
        let fields = kept.get("fields")?;
        members(fields)?;
        let description = kept.text("name").and_then(|name| {
            Some(Description {
                name: name.into(),
                source: kept.text("source")?.into(),
                project: None,
                start_time: time("began")?,
            })
        });
        // An earlier version of the package did not say these.
        let nth = kept.number("nth").map_or(0, |nth| nth as u32);
        let called_at = CallTime { unix_ms: time("at")?, nth };
        let by = kept.number("by").map_or(1, |by| (by as u32).max(1));
        Some(Kept {
            target,
            called_at,
            by,
            fields: fields.to_owned(),
            description,
            server: kept.text("server")?.to_owned(),
            sender,
        })
    }

    /// Whether it was kept for too long to be sent. If it was made that far in the future, a clock was wrong.
    pub fn is_over(&self, now_unix_ms: u64) -> bool {
        self.called_at.unix_ms.abs_diff(now_unix_ms) > KEPT_MS
    }

    /// What a tracer that sends to `destination` has to do with the entry.
    pub fn fate(&self, destination: &Rc<Destination>, now_unix_ms: u64) -> KeptFate {
        if self.server != destination.server {
            return KeptFate::Leave;
        }
        let send_to = match &self.sender {
            Sender::Key(key) if destination.is_ticket || *key != fingerprint(destination) => {
                return KeptFate::Leave;
            }
            Sender::Ticket(_) if !destination.is_ticket => return KeptFate::Leave,
            // A session is never sent with two tickets at once: nothing would keep their requests in order.
            Sender::Ticket(_) if !is_for(&destination.key(), self.target.id()) => None,
            _ => Some(destination.clone()),
        };
        if self.is_over(now_unix_ms) {
            return KeptFate::Expired("the page kept it for a week, and could not send it");
        }
        match (send_to, &self.sender) {
            (Some(destination), _) => KeptFate::Send(destination),
            // The relay decides whether a ticket has expired: this clock may be years off.
            (None, Sender::Ticket(ticket)) => destination
                .with_ticket(ticket)
                .map_or(KeptFate::Leave, |it| KeptFate::Send(Rc::new(it))),
            (None, Sender::Key(_)) => KeptFate::Leave,
        }
    }
}

/// A fingerprint of a key and the headers sent with it. The key cannot be recovered from it. It is the same in each
/// version of the package, which std does not promise of its own hashes.
fn fingerprint(destination: &Destination) -> String {
    let mut hasher = FnvHasher::default();
    hasher.write(destination.headers().as_bytes());
    hasher.finish().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::concurrency::Place;
    use crate::core::settings::Settings;
    use serde_json::{Value, json};

    const DAY_MS: u64 = 86_400_000;
    const SESSION: &str = "0a0a0a0a-0000-4000-8000-000000000000";

    fn ticket(session: &str, ends_s: u64) -> String {
        ["hht1.", session, ".feedback.", &ends_s.to_string(), ".c2ln"].concat()
    }

    fn destination(options: Value) -> Rc<Destination> {
        let options = options.to_string();
        let options = Options::of(&options, Numerals::STD);
        Settings::resolve(&options, Place::Page, &mut Vec::new()).destination.unwrap()
    }

    fn of_key(key: &str) -> Rc<Destination> {
        destination(json!({"apiKey": key, "serverUrl": "https://hive.example"}))
    }

    fn of_ticket(ticket: &str) -> Rc<Destination> {
        destination(json!({"ticket": ticket, "serverUrl": "https://shop.example/hh"}))
    }

    fn kept(destination: &Destination) -> String {
        let session = Target::Session(SessionId::new(SESSION).unwrap());
        let fields = json!({"feedback": {"rating": 5}}).to_string();
        let called_at = CallTime { unix_ms: DAY_MS, nth: 3 };
        write_entry(
            destination,
            session,
            (called_at, 7),
            &Enrichment::parse(fields).unwrap().0,
            None,
        )
    }

    fn read(json: &str) -> Option<Kept> {
        Kept::read(json, Numerals::STD)
    }

    #[test]
    fn a_key_is_not_kept_and_known_again() {
        let own = of_key("hh_secret_of_the_site");
        let json = kept(&own);
        assert!(!json.contains("secret_of"), "{json}");
        let kept = read(&json).unwrap();
        let called_at = CallTime { unix_ms: DAY_MS, nth: 3 };
        assert_eq!((kept.called_at, &*kept.fields), (called_at, r#"{"feedback":{"rating":5}}"#));
        assert_eq!(kept.fate(&own, 2 * DAY_MS), KeptFate::Send(own.clone()));
        // Each version of the package knows it by this: FNV-1a of the headers, in 64 bits.
        assert!(json.contains("\"key\":\"6254825042291998194\""), "{json}");
        assert_eq!(kept.fate(&of_key("another"), 2 * DAY_MS), KeptFate::Leave);
        assert_eq!(kept.fate(&of_ticket(&ticket(SESSION, 1 << 40)), DAY_MS), KeptFate::Leave);
        assert!(matches!(kept.fate(&own, 9 * DAY_MS), KeptFate::Expired(_)));
    }

    #[test]
    fn a_ticket_goes_to_the_server_of_this_page_alone_and_not_when_it_has_expired() {
        let ends_s = 3 * DAY_MS / 1_000;
        let kept = read(&kept(&of_ticket(&ticket(SESSION, ends_s)))).unwrap();
        let of_other_session = of_ticket(&ticket("1b0a0a0a-0000-4000-8000-000000000000", 1 << 40));
        let KeptFate::Send(with) = kept.fate(&of_other_session, DAY_MS) else { panic!() };
        assert_eq!(
            *with.clone(),
            *of_ticket(&ticket(SESSION, ends_s)),
            "as if it was made for that ticket"
        );
        // Whether its end has passed is not for this clock to say, which may be ahead by years.
        assert_eq!(kept.fate(&of_other_session, 4 * DAY_MS), KeptFate::Send(with));
        assert!(matches!(kept.fate(&of_other_session, 9 * DAY_MS), KeptFate::Expired(_)));
        // The session's new ticket is as good.
        let of_session = of_ticket(&ticket(SESSION, 1 << 40));
        assert_eq!(kept.fate(&of_session, 4 * DAY_MS), KeptFate::Send(of_session.clone()));
        let elsewhere = destination(json!({"ticket": "t", "serverUrl": "https://evil.example/hh"}));
        assert_eq!(kept.fate(&elsewhere, DAY_MS), KeptFate::Leave);
        assert_eq!(kept.fate(&of_key("k"), DAY_MS), KeptFate::Leave);
    }

    #[test]
    fn what_was_not_written_here_is_not_read() {
        let good: Value =
            serde_json::from_str(&kept(&of_ticket(&ticket(SESSION, 1 << 40)))).unwrap();
        assert!(read(&good.to_string()).is_some());
        for (name, value) in [
            ("v", json!(3)),
            ("v", Value::Null),
            ("server", json!(7)),
            ("session", json!("1b0a0a0a-0000-4000-8000-000000000000")),
            ("session", json!("..")),
            ("ticket", json!("hht1.x.feedback.1.s")),
            ("ticket", json!("no ticket\r\nx: y")),
            ("at", json!(-1)),
            ("at", json!("soon")),
            ("fields", json!([])),
            ("fields", Value::Null),
        ] {
            let mut changed = good.clone();
            changed[name] = value.clone();
            assert_eq!(read(&changed.to_string()), None, "{name} {value}");
        }
        for json in ["", "{", "[]", "null", "7"] {
            assert_eq!(read(json), None, "{json}");
        }
        // A ticket that begins well and goes on with what no header may hold is never sent.
        let evil = json!([ticket(SESSION, 1 << 40), "\r\nx: y".into()].concat());
        let mut changed = good;
        changed["ticket"] = evil;
        let other = of_ticket(&ticket("1b0a0a0a-0000-4000-8000-000000000000", 1 << 40));
        let fate = read(&changed.to_string()).map_or(KeptFate::Leave, |it| it.fate(&other, DAY_MS));
        assert_eq!(fate, KeptFate::Leave);
    }

    #[test]
    fn a_session_s_start_is_kept_with_its_name() {
        let description = Description {
            name: "a \"chat\"".into(),
            source: "prod".into(),
            project: None,
            start_time: 7,
        };
        let session = Target::Session(SessionId::new(SESSION).unwrap());
        let empty = Enrichment::default();
        let called_at = CallTime { unix_ms: 9, nth: 0 };
        let json = write_entry(&of_key("k"), session, (called_at, 7), &empty, Some(&description));
        let kept = read(&json).unwrap();
        assert_eq!(kept.description, Some(description));
        assert_eq!(kept.fields, "{}");
    }
}
