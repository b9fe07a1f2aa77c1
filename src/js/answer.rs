//! Converts the host's report of a reply into an [`Answer`].

use crate::core::retry::RetryAfter;
use crate::core::wire::Answer;

/// The `status` that reports that no request can be sent, or no answer understood.
const UNUSABLE: f64 = -3.0;

/// The answer with this `status`. A negative status means that there was no answer; `body` then contains the reason.
pub fn parse_answer(status: f64, retry_after: &str, body: String) -> Answer {
    if status == UNUSABLE {
        return Answer::Unusable { why: body };
    }
    if status < 0.0 {
        return Answer::None { why: body };
    }
    let retry_after = RetryAfter::parse(retry_after, |date| Some(js_sys::Date::parse(date)));
    Answer::Http { status: status as u16, retry_after, body }
}
