//! The head of a request: everything but its body.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::members;

/// The parts of a request's head that a relay reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Head {
    /// The method as it was sent: methods are case-sensitive.
    #[serde(deserialize_with = "required")]
    pub method: String,
    /// The scheme of the address, with its colon.
    #[serde(deserialize_with = "required")]
    pub scheme: String,
    /// The `host` header, or the host and port of the address.
    #[serde(deserialize_with = "required")]
    pub host: String,
    /// The path of the address, without its query. Frameworks add to the query, and nothing of it is passed on.
    #[serde(deserialize_with = "required")]
    pub path: String,
    /// The header `origin`.
    #[serde(deserialize_with = "optional")]
    pub origin: Option<String>,
    /// The header `authorization`.
    #[serde(deserialize_with = "optional")]
    pub authorization: Option<String>,
    /// The header `content-type`.
    #[serde(deserialize_with = "optional")]
    pub content_type: Option<String>,
    /// The header `content-encoding`.
    #[serde(deserialize_with = "optional")]
    pub content_encoding: Option<String>,
    /// The header `content-length`.
    #[serde(deserialize_with = "optional")]
    pub content_length: Option<String>,
    /// The header `access-control-request-method`.
    #[serde(deserialize_with = "optional")]
    pub wanted_method: Option<String>,
    /// The header `hh-client-timestamp`.
    #[serde(deserialize_with = "optional")]
    pub stamp: Option<String>,
}

/// Reads a string; any other value is none.
fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = <&RawValue>::deserialize(deserializer)?;
    Ok(members::text(value).map(String::from))
}

/// Reads a string as [`optional`] does; any other value is an empty one.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional(deserializer).map(Option::unwrap_or_default)
}

impl Head {
    /// Reads a head from `json`, an object with these names in JavaScript's spelling. Anything else gives an empty
    /// head, which every relay refuses.
    pub fn of(json: &str) -> Head {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// The token after `Bearer` in the authorization.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.authorization.as_deref()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// Whether the content type says that the body is JSON in UTF-8.
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

    /// Whether the body has an encoding, such as gzip.
    pub fn is_encoded(&self) -> bool {
        let encoding = self.content_encoding.as_deref().unwrap_or_default().trim();
        !(encoding.is_empty() || encoding.eq_ignore_ascii_case("identity"))
    }

    /// The length of the body in bytes, as the header announces it.
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
