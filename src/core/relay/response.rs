//! The relay's responses.

/// A response that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or empty.
    pub body: String,
}

impl Response {
    /// A response with JSON, which no cache may keep.
    pub fn json(status: u16, body: String) -> Response {
        let mut response = Response::empty(status);
        response.header("content-type", "application/json");
        response.header("x-content-type-options", "nosniff");
        response.body = body;
        response
    }

    /// A response without a body.
    pub fn empty(status: u16) -> Response {
        Response {
            status,
            headers: vec![("cache-control", "no-store".to_owned()), ("vary", "origin".to_owned())],
            body: String::new(),
        }
    }

    /// Adds a header.
    pub fn header(&mut self, name: &'static str, value: &str) {
        self.headers.push((name, value.to_owned()));
    }
}
