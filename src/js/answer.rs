//! What came of a request, as the host tells it.

use crate::core::retry::RetryAfter;
use crate::core::wire::Answer;

/// The `status` where there is no way to ask at all, or none to understand an answer.
const UNUSABLE: f64 = -3.0;

/// The answer with `status`. Below zero there was none, and `body` says why.
pub fn answer(status: f64, retry_after: &str, body: String) -> Answer {
    if status == UNUSABLE {
        return Answer::Unusable { why: body };
    }
    if status < 0.0 {
        return Answer::None { why: body };
    }
    let retry_after = RetryAfter::parse(retry_after, |date| Some(js_sys::Date::parse(date)));
    Answer::Http { status: status as u16, retry_after, body }
}
