//! The reasons for which a request is not relayed: for each, a status, a code for programs and a sentence for people.
//! None of them repeats what was sent, neither a ticket nor a field.

use serde::Serialize;

use super::response::Response;
use super::ticket::Ticket;
use crate::core::enrichment::Field;
use crate::core::wire::TICKET_EXPIRED;

/// Why a request is not relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The path is not one that the package uses.
    NoRoute,
    /// The route exists for another method.
    OtherMethod {
        /// The method of the route.
        allow: &'static str,
    },
    /// The page's origin is neither the relay's own nor among `origins`.
    ForeignOrigin,
    /// The `content-type` is not JSON.
    ContentType,
    /// The body is compressed, or encoded in another way.
    ContentEncoding,
    /// There is no `authorization: Bearer …`.
    NoTicket,
    /// The text is not a ticket.
    NoSuchTicket,
    /// None of the secrets made the ticket's signature.
    Signature,
    /// The ticket has expired.
    Expired,
    /// The ticket was used more often than its rate allows.
    TooOften {
        /// Seconds to wait.
        wait_s: u64,
    },
    /// The request names another session than the ticket.
    OtherSession,
    /// The request names an event that the ticket does not name.
    OtherEvent,
    /// The request writes a field that the ticket does not allow.
    OtherField(Field),
    /// The request writes something that no ticket can allow, such as a session's name.
    NoField,
    /// The body, as read or as announced, is larger than `maxBodyBytes`.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is not what the package sends to this route. The text says why, in a sentence.
    Body(&'static str),
    /// The relay is not set up. The text says what is missing, in a sentence.
    NotSetUp(&'static str),
    /// Too many requests are under way.
    Busy {
        /// Seconds to wait.
        wait_s: u64,
    },
    /// The queue did not take the message.
    Queue,
    /// The backend could not be reached.
    Unreachable,
    /// The backend did not answer in time.
    NoAnswer,
    /// The backend refused the relay's key.
    Key,
    /// The server that answered is not HoneyHive.
    NoHoneyHive,
    /// The relay itself failed.
    Internal,
}

impl Refusal {
    /// The reason for refusing a request whose session or event `ticket` does not name.
    pub fn elsewhere(ticket: &Ticket) -> Refusal {
        if ticket.events.is_empty() { Refusal::OtherSession } else { Refusal::OtherEvent }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Body(_) => 400,
            Refusal::NoTicket | Refusal::NoSuchTicket | Refusal::Signature | Refusal::Expired => {
                401
            }
            Refusal::ForeignOrigin
            | Refusal::OtherSession
            | Refusal::OtherEvent
            | Refusal::OtherField(_)
            | Refusal::NoField => 403,
            Refusal::NoRoute => 404,
            Refusal::OtherMethod { .. } => 405,
            Refusal::TooSlow => 408,
            Refusal::TooLarge => 413,
            Refusal::ContentType | Refusal::ContentEncoding => 415,
            Refusal::TooOften { .. } => 429,
            Refusal::NotSetUp(_) | Refusal::Internal => 500,
            Refusal::Unreachable | Refusal::Key | Refusal::NoHoneyHive => 502,
            Refusal::Queue | Refusal::Busy { .. } => 503,
            Refusal::NoAnswer => 504,
        }
    }

    /// The stable code, which is `errorCode` in the response.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NoRoute => "ROUTE_NOT_FOUND",
            Refusal::OtherMethod { .. } => "METHOD_NOT_ALLOWED",
            Refusal::ForeignOrigin => "ORIGIN_NOT_ALLOWED",
            Refusal::ContentType | Refusal::ContentEncoding => "UNSUPPORTED_MEDIA_TYPE",
            Refusal::NoTicket => "TICKET_MISSING",
            Refusal::NoSuchTicket | Refusal::Signature => "TICKET_INVALID",
            Refusal::Expired => TICKET_EXPIRED,
            Refusal::TooOften { .. } => "TOO_MANY_REQUESTS",
            Refusal::OtherSession => "SESSION_NOT_ALLOWED",
            Refusal::OtherEvent => "EVENT_NOT_ALLOWED",
            Refusal::OtherField(_) | Refusal::NoField => "FIELD_NOT_ALLOWED",
            Refusal::TooLarge => "PAYLOAD_TOO_LARGE",
            Refusal::TooSlow => "REQUEST_TIMEOUT",
            Refusal::Body(_) => "BAD_REQUEST",
            Refusal::NotSetUp(_) => "RELAY_NOT_SET_UP",
            Refusal::Busy { .. } => "RELAY_BUSY",
            Refusal::Queue => "QUEUE_UNAVAILABLE",
            Refusal::Unreachable | Refusal::NoAnswer => "BACKEND_UNREACHABLE",
            Refusal::Key => "RELAY_KEY_REFUSED",
            Refusal::NoHoneyHive => "NO_HONEYHIVE",
            Refusal::Internal => "INTERNAL",
        }
    }

    /// A sentence that says what is wrong and what to do.
    pub fn sentence(self) -> String {
        let plain = match self {
            Refusal::OtherMethod { allow } => return ["this route is for ", allow].concat(),
            Refusal::TooOften { wait_s } => {
                return ["too many requests with this ticket: wait ", &wait_s.to_string(), " s"]
                    .concat();
            }
            Refusal::OtherField(field) => {
                return [
                    "the ticket does not allow `",
                    field.name(),
                    "`: issue it with that field",
                ]
                .concat();
            }
            Refusal::NoRoute => {
                "the relay has no such address: set `path` to where it is, and the tracer's serverUrl to the same"
            }
            Refusal::ForeignOrigin => {
                "pages of this origin may not use the relay: name it in `origins`"
            }
            Refusal::ContentType => "content-type must be application/json",
            Refusal::ContentEncoding => "content-encoding is not supported: send the JSON as it is",
            Refusal::NoTicket => {
                "there is no ticket: initTracer({ ticket }) sends it as authorization: Bearer"
            }
            Refusal::NoSuchTicket => "the ticket was not made by issueTicket()",
            Refusal::Signature => {
                "the ticket's signature is not right: it was changed, or signed with another secret"
            }
            Refusal::Expired => "the ticket has expired: ask the server for a new one",
            Refusal::OtherSession => {
                "the ticket is for another session: an event has to be named in the ticket's `events`"
            }
            Refusal::OtherEvent => {
                "the ticket is for other events: issue it with this one's id, or the session's, in `events`"
            }
            Refusal::NoField => "the request sets a field that no ticket allows",
            Refusal::TooLarge => "the body is larger than the relay accepts (`maxBodyBytes`)",
            Refusal::TooSlow => "the body did not come in time",
            Refusal::Body(why) | Refusal::NotSetUp(why) => why,
            Refusal::Busy { .. } => "the relay has too many requests under way: try again",
            Refusal::Queue => "the queue accepts nothing now: try again",
            Refusal::Unreachable => "HoneyHive could not be reached: try again",
            Refusal::NoAnswer => "HoneyHive did not answer in time: try again",
            Refusal::Key => "HoneyHive refused the relay's own key",
            Refusal::NoHoneyHive => "the server that answered the relay is not HoneyHive",
            Refusal::Internal => "the relay failed: try again",
        };
        plain.to_owned()
    }

    /// The response.
    pub fn response(self) -> Response {
        let mut response = error(self.status(), self.code(), &self.sentence());
        match self {
            Refusal::OtherMethod { allow } => response.header("allow", allow),
            Refusal::NoTicket | Refusal::NoSuchTicket | Refusal::Signature | Refusal::Expired => {
                response.header("www-authenticate", "Bearer");
            }
            Refusal::TooOften { wait_s } | Refusal::Busy { wait_s } => {
                response.header("retry-after", &wait_s.to_string());
            }
            _ => {}
        }
        response
    }
}

/// An error in the backend's shape, which the tracer in the page reads.
pub fn error(status: u16, code: &str, message: &str) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorBody<'a> {
        status_code: u16,
        message: &'a str,
        success: bool,
        error_code: &'a str,
    }
    let body = ErrorBody { status_code: status, message, success: false, error_code: code };
    Response::json(status, serde_json::to_string(&body).unwrap_or_default())
}
