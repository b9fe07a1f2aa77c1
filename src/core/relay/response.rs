//! What the relay answers.

use crate::core::json::Object;

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or nothing.
    pub body: String,
}

impl Response {
    /// An answer of JSON, which no cache may keep.
    pub fn json(status: u16, body: String) -> Response {
        let mut response = Response::empty(status);
        response.header("content-type", "application/json");
        response.header("x-content-type-options", "nosniff");
        response.body = body;
        response
    }

    /// An answer without a body.
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

    /// Writes its members: `status`, `headers`, `body`.
    pub fn write(&self, object: &mut Object<'_>) {
        object.json("status", &self.status.to_string());
        let mut headers = Object::open(object.value("headers"));
        for (name, value) in &self.headers {
            headers.text(name, value);
        }
        headers.close();
        object.text("body", &self.body);
    }
}
