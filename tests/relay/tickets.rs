//! Tickets: what is issued is read, and nothing else is.

use honeyhive_edge::core::relay::fields::{Allowance, Allowed};
use honeyhive_edge::core::relay::ticket::{Presented, Ticket, sealed, session_of};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::{cases, sign};

fn uuid() -> impl Strategy<Value = String> {
    "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
}

/// Tickets with any signature: their claims, and their text.
fn tickets() -> impl Strategy<Value = (Ticket, String)> {
    let fields = subsequence(Allowance::ALL.to_vec(), 1..=Allowance::ALL.len()).prop_shuffle();
    let seconds = 1.0..2_592_000.0;
    (uuid(), fields, seconds, 0..4_000_000_000_000_u64).prop_map(
        |(session, fields, seconds, now_ms)| {
            let names = fields.iter().map(|field| Some(field.name()));
            let ticket = Ticket::issue(Some(&session), Some(names), seconds, now_ms).unwrap();
            let claims = ticket.claims();
            let text = sealed(&claims, &sign(&claims));
            (ticket, text)
        },
    )
}

/// One change of a text.
#[derive(Clone, Debug)]
enum Change {
    Put(Index, char),
    Insert(Index, char),
    Remove(Index),
    Swap(Index, Index),
    Cut(Index),
    Add(String),
}

fn changes() -> impl Strategy<Value = Change> {
    let letter =
        || prop_oneof![any::<char>(), select("0aAzZ9-_.~+/=% \n".chars().collect::<Vec<_>>())];
    prop_oneof![
        (any::<Index>(), letter()).prop_map(|(at, to)| Change::Put(at, to)),
        (any::<Index>(), letter()).prop_map(|(at, what)| Change::Insert(at, what)),
        any::<Index>().prop_map(Change::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::Swap(one, other)),
        any::<Index>().prop_map(Change::Cut),
        "[.~a-zA-Z0-9_-]{1,9}".prop_map(Change::Add),
    ]
}

fn changed(text: &str, change: &Change) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let size = letters.len();
    match change {
        _ if size == 0 => {}
        Change::Put(at, to) => letters[at.index(size)] = *to,
        Change::Insert(at, what) => letters.insert(at.index(size + 1), *what),
        Change::Remove(at) => drop(letters.remove(at.index(size))),
        Change::Swap(one, other) => letters.swap(one.index(size), other.index(size)),
        Change::Cut(at) => letters.truncate(at.index(size)),
        Change::Add(more) => letters.extend(more.chars()),
    }
    letters.into_iter().collect()
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn what_is_issued_is_read((ticket, text) in tickets()) {
        let presented = Presented::read(&text).unwrap();
        prop_assert_eq!(&presented.ticket, &ticket);
        prop_assert_eq!(&presented.signature, &sign(presented.claims));
        prop_assert_eq!(session_of(&text), Some(ticket.session));
        // RFC 6750: what may follow `Bearer`.
        let may_follow = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        prop_assert!(text.bytes().all(may_follow), "{}", text);
        prop_assert!(text.len() <= 256, "{}", text.len());
    }

    #[test]
    fn who_changes_a_ticket_needs_another_signature(
        (_, text) in tickets(),
        changes in vec(changes(), 1..4),
    ) {
        let other = changes.iter().fold(text.clone(), |text, change| changed(&text, change));
        prop_assume!(other != text);
        if let Some(presented) = Presented::read(&other) {
            // Only one text says the same with the same signature, so one of the two is other.
            let before = Presented::read(&text).unwrap();
            prop_assert!(
                (presented.claims, presented.signature) != (before.claims, before.signature)
            );
            prop_assert_eq!(sealed(presented.claims, &presented.signature), other);
        }
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>(), at in any::<Index>(), (_, ticket) in tickets()) {
        let _ = (Presented::read(&text), session_of(&text));
        let cut = at.index(ticket.len() + 1);
        let spliced = [&ticket[..cut], &text, &ticket[cut..]].concat();
        if let Some(presented) = Presented::read(&spliced) {
            prop_assert_eq!(sealed(presented.claims, &presented.signature), spliced);
        }
    }

    #[test]
    fn a_ticket_ends_when_it_says((ticket, _) in tickets(), before in 1..100_000_u64, after in 0..u64::MAX) {
        let end_ms = ticket.expires_at * 1_000;
        prop_assert!(!ticket.has_expired(end_ms.saturating_sub(before)) || end_ms < before);
        prop_assert!(ticket.has_expired(end_ms.saturating_add(after)));
    }

    #[test]
    fn a_ticket_allows_what_it_names(fields in subsequence(Allowance::ALL.to_vec(), 0..10)) {
        let allowed = fields.iter().fold(Allowed::default(), |all, field| all.with(*field));
        prop_assert_eq!(allowed.fields().collect::<Vec<_>>(), fields);
    }
}
