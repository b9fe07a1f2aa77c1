//! A request without its body, as the runtime tells of it.

use crate::core::json::{self, members};

/// What a relay looks at of a request, beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// As it came: methods are case-sensitive.
    pub method: String,
    /// Of the address, with its colon.
    pub scheme: String,
    /// The `host` header, or the address's host and port.
    pub host: String,
    /// Of the address, without its query: frameworks add to that, and nothing of it is passed on.
    pub path: String,
    /// The header of this name, as all that follow.
    pub origin: Option<String>,
    /// `authorization`
    pub authorization: Option<String>,
    /// `content-type`
    pub content_type: Option<String>,
    /// `content-encoding`
    pub content_encoding: Option<String>,
    /// `content-length`
    pub content_length: Option<String>,
    /// `access-control-request-method`
    pub wanted_method: Option<String>,
    /// `hh-client-timestamp`
    pub stamp: Option<String>,
}

impl Head {
    /// The head in `json`, an object with these names in JavaScript's spelling.
    pub fn of(json: &str) -> Head {
        let mut head = Head::default();
        for (key, value) in members(json).unwrap_or_default() {
            let Some(value) = json::text(value).map(String::from) else { continue };
            match key {
                "\"method\"" => head.method = value,
                "\"scheme\"" => head.scheme = value,
                "\"host\"" => head.host = value,
                "\"path\"" => head.path = value,
                "\"origin\"" => head.origin = Some(value),
                "\"authorization\"" => head.authorization = Some(value),
                "\"contentType\"" => head.content_type = Some(value),
                "\"contentEncoding\"" => head.content_encoding = Some(value),
                "\"contentLength\"" => head.content_length = Some(value),
                "\"wantedMethod\"" => head.wanted_method = Some(value),
                "\"stamp\"" => head.stamp = Some(value),
                _ => {}
            }
        }
        head
    }

    /// What follows `Bearer`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.authorization.as_deref()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// Whether the body is JSON in UTF-8, by its type.
    pub fn is_json(&self) -> bool {
        let mut parts = self.content_type.as_deref().unwrap_or_default().split(';').map(str::trim);
        let is_utf8 = |parameter: &str| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("charset")
                    && value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        };
        parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
            && parts.all(is_utf8)
    }

    /// Whether the body is encoded in a way that would have to be undone.
    pub fn is_encoded(&self) -> bool {
        let encoding = self.content_encoding.as_deref().unwrap_or_default().trim();
        !(encoding.is_empty() || encoding.eq_ignore_ascii_case("identity"))
    }

    /// Bytes of the body, as announced.
    pub fn announced(&self) -> Option<u64> {
        self.content_length.as_deref()?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_json_in_utf8_or_none() {
        let is_json =
            |text: &str| Head { content_type: Some(text.into()), ..Head::default() }.is_json();
        for json in ["application/json", "Application/JSON ; Charset=\"UTF-8\""] {
            assert!(is_json(json), "{json}");
        }
        for other in [
            "",
            "text/plain",
            "application/json; charset=utf-16",
            "application/jsonp",
            "application/ld+json",
            "text/plain, application/json",
            "application/json; boundary=x",
            "multipart/form-data",
        ] {
            assert!(!is_json(other), "{other}");
        }
        assert!(!Head::default().is_json());
    }

    #[test]
    fn a_ticket_follows_bearer() {
        let bearer = |text: &str| {
            Head { authorization: Some(text.into()), ..Head::default() }.bearer().map(str::to_owned)
        };
        assert_eq!(bearer("bearer  x.y "), Some("x.y".into()));
        for none in ["", "x.y", "Basic x.y", "Bearer", "Token x"] {
            assert_eq!(bearer(none), None, "{none}");
        }
    }
}
