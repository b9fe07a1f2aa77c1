//! Converts the host's report of a reply into an [`Answer`].

use crate::core::retry::RetryAfter;
use crate::core::wire::Answer;

use super::boundary::{LATE, NO_ANSWER, UNUSABLE};
use super::clock::parse_date;

/// The answer with this `status`, or with one of the numbers that stand for no answer; `body` then contains the reason.
#[inline(never)]
pub fn parse_answer(status: f64, retry_after: &str, body: String) -> Answer {
    if status == UNUSABLE {
        return Answer::Unusable { why: body };
    }
    if status == NO_ANSWER || status == LATE {
        return Answer::None { why: body };
    }
    let retry_after = RetryAfter::parse(retry_after, |date| Some(parse_date(date)));
    Answer::Http { status: status as u16, retry_after, body }
}
