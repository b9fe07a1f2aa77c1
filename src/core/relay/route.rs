//! The routes that the package uses. The address of the backend's request is made of the route and the ticket;
//! nothing of the page's address is passed on.

use crate::core::session::SessionId;

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /v1/sessions`
    Start,
    /// `PUT /v1/events/{id}`
    Update,
    /// `POST /session/start`, on older deployments.
    LegacyStart,
    /// `PUT /events`, on older deployments.
    LegacyUpdate,
}

impl Route {
    /// The route at `path`, which is relative to the relay's own path, and the session in it, if it names one.
    pub fn at(path: &str) -> Option<(Route, Option<&str>)> {
        match path {
            "/v1/sessions" => Some((Route::Start, None)),
            "/session/start" => Some((Route::LegacyStart, None)),
            "/events" => Some((Route::LegacyUpdate, None)),
            _ => {
                let session = path.strip_prefix("/v1/events/")?;
                let is_one = !session.is_empty() && !session.contains('/');
                is_one.then_some((Route::Update, Some(session)))
            }
        }
    }

    /// The method of the route.
    pub fn method(self) -> &'static str {
        if self.is_start() { "POST" } else { "PUT" }
    }

    /// Whether it starts a session.
    pub fn is_start(self) -> bool {
        matches!(self, Route::Start | Route::LegacyStart)
    }

    /// The path of the route at the backend.
    pub fn path(self, session: SessionId) -> String {
        match self {
            Route::Start => "/v1/sessions".to_owned(),
            Route::Update => format!("/v1/events/{session}"),
            Route::LegacyStart => "/session/start".to_owned(),
            Route::LegacyUpdate => "/events".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_what_it_is_to_the_letter() {
        assert_eq!(Route::at("/v1/sessions"), Some((Route::Start, None)));
        assert_eq!(Route::at("/v1/events/x-1"), Some((Route::Update, Some("x-1"))));
        for path in [
            "",
            "/",
            "/v1",
            "/v1/sessions/",
            "/V1/sessions",
            "//v1/sessions",
            "/v1//sessions",
            "/v1/sessions/x",
            "/v1/events",
            "/v1/events/",
            "/v1/events/x/",
            "/v1/events/x/y",
            "/events/",
            "/session",
            "/session/start/x",
            "/v2/sessions",
            "/opentelemetry/v1/traces",
        ] {
            assert_eq!(Route::at(path), None, "{path}");
        }
    }
}
