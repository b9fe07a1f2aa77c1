//! Tickets, which a page shows instead of a key: their contents, and how they are written and read. The runtime's
//! WebCrypto makes and verifies their signatures.
//!
//! ```text
//! hht1.<session, a UUID>.<fields, with ~ between them>.<Unix seconds of its end>.<signature>
//! hht2.<session, a UUID>.<fields>.<events, UUIDs with ~ between them>.<end>.<signature>
//! ```
//!
//! A ticket of the second form is for the events that it names and for nothing else. It is for the session itself
//! only if it names it, since a session is an event with the same id.
//!
//! Everything in a ticket is readable: it proves something and hides nothing. The signature is the HMAC-SHA-256 (RFC
//! 2104) of the text before its dot, in base64url without padding (RFC 4648, section 5). The characters are those
//! that RFC 6750 allows after `Bearer`. Each ticket has exactly one text: a text that means the same but is written
//! differently is not a ticket.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::fields::{Allowance, Allowed};
use super::policy::{LONGEST_TICKET, LONGEST_TICKET_S, MOST_EVENTS};
use crate::core::session::{SessionId, Target, UUID_LENGTH};

/// The beginning of every ticket of this version. It is signed as well, so that a secret that is also used elsewhere
/// signs no ticket there.
const PREFIX: &str = "hht1";

/// The beginning of a ticket that names events. It has the same length, and earlier versions of the package do not
/// read it.
const PREFIX_OF_EVENTS: &str = "hht2";

/// The length of a signature in bytes.
pub const SIGNATURE_BYTES: usize = 32;

/// A signature: HMAC-SHA-256.
pub type Signature = [u8; SIGNATURE_BYTES];

/// The contents of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The only session that may be enriched, or the session of the events.
    pub session: SessionId,
    /// The events that may be enriched. If it is empty, the session may be enriched; otherwise the session only if it
    /// is among them.
    pub events: Vec<SessionId>,
    /// The fields that may be written.
    pub allowed: Allowed,
    /// When the ticket expires, in Unix seconds.
    pub expires_at: u64,
}

impl Ticket {
    /// Makes a ticket for `session` and `fields` that is valid for `expires_in` seconds from `now_ms`, or says which
    /// of them is wrong. A ticket contains whole seconds. Both numbers are rounded up, so that it never expires
    /// early: a ticket of one second could otherwise expire before its first use.
    pub fn issue<'a>(
        session: Option<&str>,
        fields: Option<impl IntoIterator<Item = Option<&'a str>>>,
        expires_in: f64,
        now_ms: u64,
    ) -> Result<Ticket, &'static str> {
        let session = session
            .and_then(SessionId::new)
            .ok_or("`sessionId` must be the session's id: a UUID, or a name of your own for it")?;
        let mut allowed = Allowed::default();
        for name in fields.ok_or("`fields` must be a list, as in [\"feedback\"]")? {
            let field = name.and_then(Allowance::named).ok_or(
                "`fields` takes the names of an enrichment's fields, as in [\"feedback\", \"userProperties\"]",
            )?;
            allowed = allowed.with(field);
        }
        if allowed.is_empty() {
            return Err("`fields` is empty: a ticket that allows nothing is of no use");
        }
        // The comparison is also false for a value that is not a number.
        if !(expires_in >= 1.0 && expires_in <= LONGEST_TICKET_S as f64) {
            return Err("`expiresIn` must be seconds, from 1 to 2592000 (30 days)");
        }
        if now_ms == 0 {
            return Err(
                "the clock gives no time here: issue tickets in a request, not at a Worker's top level",
            );
        }
        let expires_at = now_ms.div_ceil(1_000) + expires_in.ceil() as u64;
        Ok(Ticket { session, events: Vec::new(), allowed, expires_at })
    }

    /// Restricts the ticket to `events`, or says what is wrong with them.
    pub fn for_events<'a>(
        mut self,
        events: Option<impl IntoIterator<Item = Option<&'a str>>>,
    ) -> Result<Ticket, &'static str> {
        let what = "`events` must be a list of events' ids, as in [eventId]";
        for event in events.ok_or(what)? {
            let event = event.and_then(SessionId::new).ok_or(what)?;
            if !self.events.contains(&event) {
                self.events.push(event);
            }
        }
        match self.events.len() {
            0 => Err("`events` is empty: leave it out for a ticket of the session itself"),
            1..=MOST_EVENTS => Ok(self),
            _ => Err("`events` has more than 50: issue several tickets"),
        }
    }

    /// What a request with the id `named`, or with none, writes to. `None` if the ticket is not for that.
    pub fn target(&self, named: Option<SessionId>) -> Option<Target> {
        let id = named.unwrap_or(self.session);
        let is_session = id == self.session;
        let is_named = self.events.contains(&id);
        match is_session {
            true => (self.events.is_empty() || is_named).then_some(Target::Session(id)),
            false => is_named.then_some(Target::Event(id)),
        }
    }

    /// The text that is signed: all of the ticket but its signature.
    pub fn claims(&self) -> String {
        let prefix = if self.events.is_empty() { PREFIX } else { PREFIX_OF_EVENTS };
        let mut claims = format!("{prefix}.{}.", self.session);
        for (place, field) in self.allowed.fields().enumerate() {
            claims.push_str(if place > 0 { "~" } else { "" });
            claims.push_str(field.name());
        }
        for (place, event) in self.events.iter().enumerate() {
            claims.push(if place > 0 { '~' } else { '.' });
            claims.push_str(&event.to_string());
        }
        claims.push('.');
        claims.push_str(&self.expires_at.to_string());
        claims
    }

    /// Whether the ticket has expired. Without a clock, which then reads 0, every ticket has: none would ever expire.
    pub fn has_expired(&self, now_ms: u64) -> bool {
        now_ms == 0 || now_ms >= self.expires_at.saturating_mul(1_000)
    }
}

/// The ticket of `claims` and their signature, as text.
pub fn sealed(claims: &str, signature: &Signature) -> String {
    [claims, ".", &BASE64_URL_SAFE_NO_PAD.encode(signature)].concat()
}

/// A ticket from a request. Its signature has not been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    /// The contents, which are valid if the signature is right.
    pub ticket: Ticket,
    /// The text that must be signed.
    pub claims: &'a str,
    /// The signature to verify.
    pub signature: Signature,
}

impl<'a> Presented<'a> {
    /// Reads a ticket; `None` if `text` cannot be one that was ever issued, whatever its signature.
    pub fn read(text: &'a str) -> Option<Presented<'a>> {
        if text.len() > LONGEST_TICKET {
            return None;
        }
        let (claims, signature) = text.rsplit_once('.')?;
        let signature = signature_of(signature)?;
        let mut parts = claims.split('.');
        let (prefix, session, fields) = (parts.next()?, parts.next()?, parts.next()?);
        let events = match prefix {
            PREFIX => None,
            PREFIX_OF_EVENTS => Some(parts.next()?),
            _ => return None,
        };
        let expires_at = parts.next()?;
        let session = SessionId::from_uuid(session)?;
        let mut allowed = Allowed::default();
        for field in fields.split('~') {
            allowed = allowed.with(Allowance::named(field)?);
        }
        let expires_at = expires_at.parse().ok()?;
        let mut ticket = Ticket { session, events: Vec::new(), allowed, expires_at };
        if let Some(events) = events {
            ticket = ticket.for_events(Some(events.split('~').map(Some))).ok()?;
        }
        // A ticket has one text only: no upper case, no other order, no duplicates, no leading zero.
        (ticket.claims() == claims).then_some(Presented { ticket, claims, signature })
    }
}

/// The session in `ticket`, whoever signed it. A page needs to know it.
pub fn session_of(ticket: &str) -> Option<SessionId> {
    let (session, rest) = claims_of(ticket)?.split_at_checked(UUID_LENGTH)?;
    SessionId::from_uuid(session).filter(|_| rest.starts_with('.'))
}

/// Whether `ticket` is for the session or event with this id, whoever signed it.
pub fn is_for(ticket: &str, id: SessionId) -> bool {
    let Some(events) = events_of(ticket) else { return session_of(ticket) == Some(id) };
    events.split('~').any(|event| SessionId::from_uuid(event) == Some(id))
}

/// The part of a ticket after its prefix.
fn claims_of(ticket: &str) -> Option<&str> {
    let rest = ticket.strip_prefix(PREFIX).or_else(|| ticket.strip_prefix(PREFIX_OF_EVENTS));
    rest?.strip_prefix('.')
}

/// The events that `ticket` names; `None` if it is a ticket for a session.
fn events_of(ticket: &str) -> Option<&str> {
    let names_events = ticket.starts_with(PREFIX_OF_EVENTS);
    claims_of(ticket)?.split('.').nth(2).filter(|_| names_events)
}

/// When `ticket` expires, in Unix seconds, as text, whoever signed it.
pub fn end_of(ticket: &str) -> Option<&str> {
    let mut end = ticket.get(PREFIX.len() + UUID_LENGTH + 2..)?;
    let parts_before = if events_of(ticket).is_some() { 2 } else { 1 };
    for _ in 0..parts_before {
        end = &end[end.find('.')? + 1..];
    }
    Some(&end[..end.find('.')?])
}

/// The signature in `text`; `None` unless it is written without padding and without surplus bits in its last letter.
fn signature_of(text: &str) -> Option<Signature> {
    let mut signature = [0; SIGNATURE_BYTES];
    let written = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut signature).ok()?;
    (written == SIGNATURE_BYTES).then_some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "3cd70a6e-7d5b-4f3a-9b39-0c9c6a1f2e4d";

    fn issue(fields: &[&str], expires_in: f64) -> Result<Ticket, &'static str> {
        Ticket::issue(Some(SESSION), Some(fields.iter().copied().map(Some)), expires_in, 5_999)
    }

    #[test]
    fn a_ticket_says_what_it_was_issued_for() {
        let ticket = issue(&["user_properties", "feedback", "feedback"], 60.9).unwrap();
        assert_eq!(ticket.claims(), format!("hht1.{SESSION}.userProperties~feedback.67"));
        assert!(!ticket.has_expired(66_999) && ticket.has_expired(67_000));
        let text = sealed(&ticket.claims(), &[0xfb; SIGNATURE_BYTES]);
        let presented = Presented::read(&text).unwrap();
        assert_eq!(presented.ticket, ticket);
        assert_eq!(presented.signature, [0xfb; SIGNATURE_BYTES]);
        assert_eq!(session_of(&text), SessionId::new(SESSION));
    }

    #[test]
    fn a_ticket_is_for_the_session_that_a_name_stands_for() {
        for name in ["conversation 7", &SESSION.to_uppercase()] {
            let feedback = Some([Some("feedback")]);
            let ticket = Ticket::issue(Some(name), feedback, 60.0, 1).unwrap();
            assert_eq!(Some(ticket.session), SessionId::new(name));
            let text = sealed(&ticket.claims(), &[1; SIGNATURE_BYTES]);
            assert_eq!(Presented::read(&text).unwrap().ticket, ticket);
            assert_eq!(session_of(&text), SessionId::new(name));
        }
    }

    #[test]
    fn a_clock_that_gives_no_time_issues_no_ticket_and_lets_none_through() {
        let feedback = Some([Some("feedback")]);
        let why = Ticket::issue(Some(SESSION), feedback, 60.0, 0).unwrap_err();
        assert!(why.contains("clock"), "{why}");
        assert!(issue(&["feedback"], 60.0).unwrap().has_expired(0));
    }

    #[test]
    fn a_ticket_lasts_as_long_as_was_asked_for_whenever_it_is_issued() {
        for now_ms in [1, 999, 1_000, 1_999] {
            for expires_in in [1.0, 1.5, 60.0] {
                let feedback = Some([Some("feedback")]);
                let ticket = Ticket::issue(Some(SESSION), feedback, expires_in, now_ms).unwrap();
                let asked_for = now_ms + (expires_in * 1_000.0) as u64;
                assert!(!ticket.has_expired(asked_for - 1), "{now_ms}, {expires_in}");
                assert!(ticket.has_expired(asked_for + 2_000), "{now_ms}, {expires_in}");
            }
        }
    }

    const EVENT: &str = "7d0c6a1e-0000-4000-8000-00000000000a";
    const OTHER: &str = "7d0c6a1e-0000-4000-8000-00000000000b";

    #[test]
    fn a_ticket_of_events_is_for_these_alone() {
        let ticket = issue(&["feedback"], 60.0).unwrap();
        let id = |text| SessionId::new(text).unwrap();
        assert_eq!(ticket.target(None), Some(Target::Session(id(SESSION))));
        assert_eq!(ticket.target(Some(id(EVENT))), None);

        let named = [Some(EVENT), Some("answer 2"), Some(EVENT)];
        let of_events = ticket.clone().for_events(Some(named)).unwrap();
        let claims = of_events.claims();
        assert_eq!(claims, format!("hht2.{SESSION}.feedback.{EVENT}~{}.66", id("answer 2")));
        assert_eq!(of_events.target(Some(id(EVENT))), Some(Target::Event(id(EVENT))));
        assert_eq!(of_events.target(Some(id("answer 2"))), Some(Target::Event(id("answer 2"))));
        assert_eq!((of_events.target(None), of_events.target(Some(id(OTHER)))), (None, None));

        let text = sealed(&claims, &[7; SIGNATURE_BYTES]);
        assert_eq!(Presented::read(&text).unwrap().ticket, of_events);
        assert_eq!((session_of(&text), end_of(&text)), (Some(id(SESSION)), Some("66")));
        assert!(is_for(&text, id(EVENT)) && is_for(&text, id("answer 2")));
        assert!(!is_for(&text, id(SESSION)) && !is_for(&text, id(OTHER)));

        let both = ticket.clone().for_events(Some([Some(SESSION), Some(EVENT)])).unwrap();
        assert_eq!(both.target(None), Some(Target::Session(id(SESSION))));
        assert!(is_for(&sealed(&both.claims(), &[7; SIGNATURE_BYTES]), id(SESSION)));

        let all: Vec<String> = (0..=MOST_EVENTS).map(|n| format!("event {n}")).collect();
        let named = |count| Some(all[..count].iter().map(|it| Some(it.as_str())));
        let most = ticket.clone().for_events(named(MOST_EVENTS)).unwrap();
        let every = Allowance::ALL.into_iter().fold(Allowed::default(), Allowed::with);
        let longest = Ticket { allowed: every, expires_at: u64::MAX, ..most };
        assert!(Presented::read(&sealed(&longest.claims(), &[7; SIGNATURE_BYTES])).is_some());
        for (events, about) in [
            (named(MOST_EVENTS + 1).map(Iterator::collect), "more than 50"),
            (Some(vec![]), "empty"),
            (Some(vec![None]), "events"),
            (Some(vec![Some(" ")]), "events"),
            (None, "events"),
        ] {
            let why = ticket.clone().for_events::<'_>(events.map(|it: Vec<_>| it)).unwrap_err();
            assert!(why.contains(about), "{why}");
        }
    }

    #[test]
    fn what_cannot_be_issued_is_said() {
        for (session, fields, expires_in, about) in [
            (None, Some(vec![Some("feedback")]), 60.0, "sessionId"),
            (Some(" "), Some(vec![Some("feedback")]), 60.0, "sessionId"),
            (Some(SESSION), None, 60.0, "fields"),
            (Some(SESSION), Some(vec![]), 60.0, "empty"),
            (Some(SESSION), Some(vec![None]), 60.0, "fields"),
            (Some(SESSION), Some(vec![Some("password")]), 60.0, "fields"),
            (Some(SESSION), Some(vec![Some("feedback")]), 0.0, "expiresIn"),
            (Some(SESSION), Some(vec![Some("feedback")]), -1.0, "expiresIn"),
            (Some(SESSION), Some(vec![Some("feedback")]), f64::NAN, "expiresIn"),
            (Some(SESSION), Some(vec![Some("feedback")]), f64::INFINITY, "expiresIn"),
            (Some(SESSION), Some(vec![Some("feedback")]), 2_592_001.0, "expiresIn"),
        ] {
            let why = Ticket::issue(session, fields, expires_in, 0).unwrap_err();
            assert!(why.contains(about), "{why}");
        }
    }

    #[test]
    fn what_was_never_issued_is_no_ticket() {
        let signature = "A".repeat(43);
        let text = |claims: &str| format!("{claims}.{signature}");
        assert!(Presented::read(&text(&format!("hht1.{SESSION}.feedback.65"))).is_some());
        for claims in [
            "hht1",
            "hht1.x.feedback.65",
            &format!("hht2.{SESSION}.feedback.65"),
            &format!("hht3.{SESSION}.feedback.65"),
            &format!("hht1.{SESSION}.feedback.{EVENT}.65"),
            &format!("hht2.{SESSION}.feedback..65"),
            &format!("hht2.{SESSION}.feedback.{EVENT}~.65"),
            &format!("hht2.{SESSION}.feedback.{EVENT}~{EVENT}.65"),
            &format!("hht2.{SESSION}.feedback.{}.65", EVENT.to_uppercase()),
            &format!("hht2.{SESSION}.feedback.answer.65"),
            &format!("hht2.{SESSION}.feedback.{EVENT}.65.1"),
            &format!("hht1.{}.feedback.65", SESSION.to_uppercase()),
            &format!("hht1.{SESSION}..65"),
            &format!("hht1.{SESSION}.feedback.065"),
            &format!("hht1.{SESSION}.feedback.+65"),
            &format!("hht1.{SESSION}.feedback.65.1"),
            &format!("hht1.{SESSION}.feedback~feedback.65"),
            &format!("hht1.{SESSION}.feedback~userProperties.65"),
            &format!("hht1.{SESSION}.user_properties.65"),
            &format!("hht1.{SESSION}.feedback.99999999999999999999"),
        ] {
            assert_eq!(Presented::read(&text(claims)), None, "{claims}");
        }
        let claims = format!("hht1.{SESSION}.feedback.65");
        for signature in ["", "A", &"A".repeat(42), &"A".repeat(44), &"+".repeat(43)] {
            assert_eq!(Presented::read(&format!("{claims}.{signature}")), None, "{signature}");
        }
        // The last letter has two surplus bits. Only one way of writing them is accepted.
        let otherwise = format!("{claims}.{}B", "A".repeat(42));
        assert_eq!(Presented::read(&otherwise), None);
    }
}
