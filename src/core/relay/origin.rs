//! Which pages may use the relay. Only browsers enforce this. Against everybody else, the ticket protects the relay.

use super::response::Response;

/// The kind of client that a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A page of the relay's own origin, or not a page at all.
    Own,
    /// A page of another origin that is allowed.
    Allowed(String),
}

/// The client of a request with the header `origin`, to a relay at `scheme` (with its colon) and `host`. `allowed`
/// are the origins that may use the relay besides its own. `None` if the client may not use it.
pub fn asker(origin: Option<&str>, scheme: &str, host: &str, allowed: &[String]) -> Option<Asker> {
    let Some(origin) = origin else { return Some(Asker::Own) };
    if allowed.iter().any(|allowed| allowed == origin) {
        return Some(Asker::Allowed(origin.to_owned()));
    }
    // If TLS ends in front of the relay, the relay sees http. The reverse case cannot be forged.
    let own = match origin.strip_prefix("https://") {
        Some(own) => own,
        None => origin.strip_prefix("http://").filter(|_| scheme == "http:")?,
    };
    own.eq_ignore_ascii_case(host).then_some(Asker::Own)
}

/// `given` in the form in which browsers write an origin; `None` if it is not an origin.
pub fn origin(given: &str) -> Option<String> {
    let origin = given.trim().trim_end_matches('/').to_ascii_lowercase();
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))?;
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    is_host.then_some(origin)
}

impl Asker {
    /// Lets a page of another origin read `response`.
    pub fn may_read(&self, response: &mut Response) {
        if let Asker::Allowed(origin) = self {
            response.header("access-control-allow-origin", origin);
            response.header("access-control-expose-headers", "retry-after");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_origin_and_those_named_may_ask() {
        let named = ["https://shop.example".to_owned()];
        let who = |origin, scheme| asker(origin, scheme, "Chat.example:8443", &named);
        assert_eq!(who(None, "https:"), Some(Asker::Own));
        assert_eq!(who(Some("https://chat.example:8443"), "https:"), Some(Asker::Own));
        assert_eq!(
            who(Some("https://chat.example:8443"), "http:"),
            Some(Asker::Own),
            "TLS in front"
        );
        assert_eq!(who(Some("http://chat.example:8443"), "http:"), Some(Asker::Own));
        assert_eq!(
            who(Some("https://shop.example"), "https:"),
            Some(Asker::Allowed("https://shop.example".into()))
        );
        for foreign in [
            "null",
            "",
            "*",
            "http://chat.example:8443",
            "https://chat.example",
            "http://shop.example",
            "https://shop.example.evil.example",
            "https://evil-shop.example",
            "https://shop.example/",
            "https://shop.example, https://evil.example",
            "https://chat.example:8443.evil.example",
        ] {
            assert_eq!(who(Some(foreign), "https:"), None, "{foreign}");
        }
    }

    #[test]
    fn an_origin_is_taken_as_browsers_write_it() {
        assert_eq!(origin(" HTTPS://Shop.example/ ").as_deref(), Some("https://shop.example"));
        assert_eq!(origin("http://[::1]:8080").as_deref(), Some("http://[::1]:8080"));
        for none in
            ["*", "null", "", "shop.example", "https://", "https://shop.example/page", "ftp://x"]
        {
            assert_eq!(origin(none), None, "{none}");
        }
    }
}
