//! A request without its body, as the runtime tells of it.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::members;

/// What a relay looks at of a request, beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Head {
    /// As it came: methods are case-sensitive.
    #[serde(deserialize_with = "required")]
    pub method: String,
    /// Of the address, with its colon.
    #[serde(deserialize_with = "required")]
    pub scheme: String,
    /// The `host` header, or the address's host and port.
    #[serde(deserialize_with = "required")]
    pub host: String,
    /// Of the address, without its query: frameworks add to that, and nothing of it is passed on.
    #[serde(deserialize_with = "required")]
    pub path: String,
    /// The header of this name, as all that follow.
    #[serde(deserialize_with = "optional")]
    pub origin: Option<String>,
    /// `authorization`
    #[serde(deserialize_with = "optional")]
    pub authorization: Option<String>,
    /// `content-type`
    #[serde(deserialize_with = "optional")]
    pub content_type: Option<String>,
    /// `content-encoding`
    #[serde(deserialize_with = "optional")]
    pub content_encoding: Option<String>,
    /// `content-length`
    #[serde(deserialize_with = "optional")]
    pub content_length: Option<String>,
    /// `access-control-request-method`
    #[serde(deserialize_with = "optional")]
    pub wanted_method: Option<String>,
    /// `hh-client-timestamp`
    #[serde(deserialize_with = "optional")]
    pub stamp: Option<String>,
}

/// A text; nothing where the value is another.
fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = <&RawValue>::deserialize(deserializer)?;
    Ok(members::text(value).map(String::from))
}

/// As [`optional`]; an empty one instead of nothing.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional(deserializer).map(Option::unwrap_or_default)
}

impl Head {
    /// The head in `json`, an object with these names in JavaScript's spelling; an empty one, which no relay
    /// lets through, where it is none.
    pub fn of(json: &str) -> Head {
        serde_json::from_str(json).unwrap_or_default()
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
