//! The settings of a tracer, resolved from options and environment variables.
//!
//! Resolving never fails: an unusable value is reported in a log line, and its default is used.

use std::cell::RefCell;
use std::rc::Rc;

use super::concurrency::Place;
use super::credential::Credential;
use super::json::{Object, any_members, elements};
use super::log::{Level, Line, error, warn};
use super::options::{Options, text_of};
use super::policy;
use super::redact::{MASK, Redaction};
use super::time::Now;

/// HoneyHive's multi-tenant server.
pub const DEFAULT_SERVER: &str = "https://api.dp1.us.honeyhive.ai";

/// The environment variables that may contain the key, in order of precedence. The ingestion-only key comes first, as in
/// HoneyHive's SDKs; the others follow from the newest name to the oldest.
const KEY_VARIABLES: [&str; 4] =
    ["HH_INGESTION_API_KEY", "HH_PROJECT_API_KEY", "HH_API_KEY", "HONEYHIVE_API_KEY"];

/// The environment variables that may contain the server's URL, in order of precedence.
const SERVER_VARIABLES: [&str; 4] =
    ["HH_API_URL", "HH_DATA_PLANE_URL", "HH_SERVER_URL", "HONEYHIVE_SERVER_URL"];

/// The server of requests and the headers that they carry, which together determine the server and project that a
/// session belongs to. For two tracers with the same destination, the same id means the same session.
#[derive(Debug)]
pub struct Destination {
    /// The server and headers as one text, by which destinations are compared. It stays when a ticket is renewed.
    pub identity: String,
    /// The server's URL without a slash at the end.
    pub server: String,
    /// The key or ticket.
    pub credential: RefCell<Credential>,
    /// Whether the credential is a ticket, and the server a relay.
    pub is_ticket: bool,
    /// Whether the shell has a function to ask for the next ticket.
    pub asks: bool,
    /// The headers of every request besides the authorization (content type, and the application's own), as JSON.
    pub other_headers: String,
    /// Whether headers may be sent for which a browser would first ask a server of another origin.
    pub client_headers: bool,
}

impl PartialEq for Destination {
    fn eq(&self, other: &Destination) -> bool {
        self.identity == other.identity
    }
}

impl Eq for Destination {}

impl Destination {
    /// The same destination with another ticket; `None` if `ticket` contains characters that no ticket has.
    pub fn with_ticket(&self, ticket: &str) -> Option<Destination> {
        let other_headers = self.other_headers.clone();
        Destination::may_show(ticket).then(|| Destination {
            identity: identity(&self.server, ticket, &other_headers),
            server: self.server.clone(),
            credential: RefCell::new(Credential::new(ticket)),
            other_headers,
            asks: false,
            ..*self
        })
    }

    /// Whether a header may contain `text` as the key or ticket.
    pub fn may_show(text: &str) -> bool {
        text.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// The key or ticket; empty before there is a first ticket.
    pub fn key(&self) -> Rc<str> {
        self.credential.borrow().text().clone()
    }

    /// The headers of every request (authorization, content type, and the application's own), as a JSON object without
    /// its closing brace.
    pub fn headers(&self) -> String {
        headers(&self.key(), &self.other_headers)
    }

    /// Whether requests to this destination show the same ticket as those to `other`, to the same server.
    pub fn has_ticket_of(&self, other: &Destination) -> bool {
        self.server == other.server && !other.lacks_ticket() && self.headers() == other.headers()
    }

    /// Whether the first ticket is still to be given.
    pub fn lacks_ticket(&self) -> bool {
        self.key().is_empty()
    }

    /// Whether nothing can be sent before there is a new ticket.
    pub fn waits_for_ticket(&self, now: Now) -> bool {
        self.credential.borrow().is_of_no_use(self.asks, now)
    }

    /// Masks the key and other secrets in `text`, because the errors of a `fetch` and the answers of a server may
    /// contain them.
    pub fn without_key(&self, text: &str) -> String {
        let key = self.key();
        // Every text contains the empty text.
        let masked = if key.is_empty() { text.into() } else { text.replace(&*key, MASK) };
        Redaction::default().text(&masked).into_owned()
    }
}

/// The settings of a tracer, shared with the sessions started from it and with tracers that have the same options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The destination of enrichments; `None` if the tracer is disabled.
    pub destination: Option<Rc<Destination>>,
    /// The `fetch` that its requests are sent with; 0 is the runtime's own.
    pub transport: u32,
    /// The project's name.
    pub project: Option<Rc<str>>,
    /// The environment's name.
    pub source: Rc<str>,
    /// The name of sessions that are not given one.
    pub session_name: Rc<str>,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long an enrichment is retried, in milliseconds.
    pub deadline_ms: u64,
    /// The shortest time between two requests for one session, in milliseconds.
    pub merge_window_ms: u64,
    /// The most bytes of unsent enrichments, for all sessions together.
    pub max_queue_bytes: u64,
    /// The most requests in flight to the server; `None` leaves the limit to the place.
    pub max_concurrency: Option<usize>,
    /// The rules of masking; `None` masks nothing.
    pub redaction: Option<Redaction>,
    /// Whether the application also masks with a function of its own, which only the shell can call.
    pub has_redactor: bool,
    /// Whether unsent enrichments are kept across page loads, where the browser allows it.
    pub persist: bool,
    /// Whether the application wants to be told of dropped enrichments.
    pub on_drop: bool,
    /// The level up to which lines are logged.
    pub log_level: Level,
}

impl Settings {
    /// Replaces the destination, if there is one, by the one in use.
    pub fn change_destination(&mut self, in_use: impl FnOnce(Rc<Destination>) -> Rc<Destination>) {
        self.destination = self.destination.take().map(in_use);
    }

    /// Resolves options and environment variables. Problems are reported in `log`.
    pub fn resolve(options: &Options, place: Place, log: &mut Vec<Line>) -> Settings {
        let verbose = options.variable(&["HH_VERBOSE"]).is_some_and(is_true);
        let mut log_level = if verbose { Level::Debug } else { Level::Warn };
        if options.get("logLevel").is_some() {
            match options.text("logLevel").and_then(Level::named) {
                Some(level) => log_level = level,
                None => warn(
                    log,
                    "`logLevel` must be \"silent\", \"error\", \"warn\", \"info\" or \"debug\": \"warn\" is used",
                ),
            }
        }
        let mut number = |name, default, limit| number(name, options, default, limit, log);
        let timeout_ms = number("timeoutMs", policy::TIMEOUT_MS, policy::MAX_TIMER_MS).max(1);
        let deadline_ms = number("deadlineMs", policy::DEADLINE_MS, policy::MAX_TIMER_MS);
        let merge_window_ms =
            number("mergeWindowMs", policy::MERGE_WINDOW_MS, policy::MAX_TIMER_MS);
        let max_queue_bytes = number("maxQueueBytes", place.max_queue_bytes(), 1 << 53);
        let most = policy::MOST_AT_ONCE as u64;
        let max_concurrency = number("maxConcurrency", most, most).max(1) as usize;
        let mut name = |name, variable| -> Option<Rc<str>> {
            let of_variable = || Some(options.variable(&[variable])?.1.trim_ascii());
            text(name, options, log).or_else(of_variable).map(Rc::from)
        };
        let redaction = redaction(options);
        let masked = |text: Rc<str>| match &redaction {
            Some(redaction) => redaction.text(&text).into(),
            None => text,
        };
        Settings {
            timeout_ms,
            deadline_ms,
            merge_window_ms,
            max_queue_bytes,
            max_concurrency: Some(max_concurrency).filter(|it| *it < policy::MOST_AT_ONCE as usize),
            project: name("project", "HH_PROJECT").map(&masked),
            source: name("source", "HH_SOURCE").map_or_else(|| Rc::from("dev"), &masked),
            session_name: name("sessionName", "HH_SESSION_NAME")
                .map_or_else(|| Rc::from("session"), &masked),
            redaction,
            has_redactor: options.is_true("redactor"),
            persist: options.get("persist") != Some("false"),
            on_drop: options.is_true("onDrop"),
            log_level,
            destination: destination(options, log).map(Rc::new),
            transport: options.number("transport").unwrap_or_default() as u32,
        }
    }
}

/// The session's name in `options`; `None` if there is no usable one.
pub fn session_name<'o>(options: &'o Options<'_>, log: &mut Vec<Line>) -> Option<&'o str> {
    text("sessionName", options, log)
}

/// The id or name of the session to continue; `None` if there is no usable one.
pub fn session_id<'o>(options: &'o Options<'_>, log: &mut Vec<Line>) -> Option<&'o str> {
    text("sessionId", options, log)
}

fn redaction(options: &Options<'_>) -> Option<Redaction> {
    let given = options.get("redactKeys").and_then(elements);
    let mut keys = Vec::new();
    for key in given.iter().flatten() {
        if let Some(key) = text_of(key) {
            keys.push(key);
        }
    }
    let keys = given.is_some().then_some(&keys[..]);
    options.is_true("redact").then(|| Redaction::new(keys, options.is_true("redactPatterns")))
}

fn destination(options: &Options<'_>, log: &mut Vec<Line>) -> Option<Destination> {
    let test_mode = options.variable(&["HH_TEST_MODE"]).is_some_and(is_true);
    match options.get("disabled") {
        Some("true") => return None,
        None if test_mode => return None,
        None | Some("false") => {}
        _ => warn(log, "`disabled` must be true or false: false is used"),
    }
    let (key, is_ticket) = key(options, log)?;
    let (server, foreign) = server(options, is_ticket, log)?;
    let mut other_headers = String::new();
    let mut object = Object::go_on(&mut other_headers);
    object.text("content-type", "application/json");
    let mut taken = vec!["authorization".to_owned(), "content-type".to_owned()];
    for (name, value) in any_members(options.get("headers").unwrap_or_default()) {
        let (Some(mut name), Some(value)) = (text_of(name), text_of(value)) else { continue };
        name.make_ascii_lowercase();
        let why = if foreign {
            "a page sends another origin only authorization and content-type"
        } else if !is_header(&name, &value) {
            "its name or value has characters that no HTTP header may have"
        } else if taken.contains(&name) {
            "the tracer sets it"
        } else {
            object.text(&name, &value);
            taken.push(name);
            continue;
        };
        warn(log, format!("the header `{name}` is left out: {why}"));
    }
    let mut identity = identity(&server, key, &other_headers);
    let source = options.get("ticketSource");
    identity.push_str(source.unwrap_or_default());
    Some(Destination {
        identity,
        server,
        credential: RefCell::new(Credential::new(key)),
        is_ticket,
        asks: source.is_some(),
        other_headers,
        client_headers: !foreign,
    })
}

/// The headers of a request that shows `key`, as a JSON object without its closing brace.
fn headers(key: &str, other_headers: &str) -> String {
    let mut headers = String::new();
    Object::open(&mut headers).text("authorization", &format!("Bearer {key}"));
    headers.push_str(other_headers);
    headers
}

fn identity(server: &str, key: &str, other_headers: &str) -> String {
    format!("{server}\n{}", headers(key, other_headers))
}

/// The key or ticket to send, and whether it is a ticket; `None` if there is no usable one.
fn key<'o>(options: &'o Options<'_>, log: &mut Vec<Line>) -> Option<(&'o str, bool)> {
    if options.get("ticketSource").is_some() {
        return Some(("", true));
    }
    let mut given = text("ticket", options, log).map(|ticket| ("ticket", ticket));
    let is_ticket = given.is_some();
    if !is_ticket && options.text("ticket").is_some() {
        error(
            log,
            "the ticket is empty, so nothing is sent; `issueTicket` on your server printed why",
        );
        return None;
    }
    if let (None, Some(key)) = (given, options.text("apiKey"))
        && !key.trim_ascii().is_empty()
    {
        given = Some(("apiKey", key));
    }
    let Some((name, given)) = given.or_else(|| options.variable(&KEY_VARIABLES)) else {
        // A page must not contain a key, so the message for pages asks for a ticket.
        let what = match options.get("page") {
            Some(_) => {
                "there is no ticket, so nothing is sent: pass { serverUrl, ticket }, as your server's relay issues it with `issueTicket`; to send nothing, pass { disabled: true }"
            }
            None => {
                "there is no API key, so nothing is sent: set HH_API_KEY, or pass { apiKey }; to send nothing, pass { disabled: true }"
            }
        };
        error(log, what);
        return None;
    };
    let key = given.trim_ascii();
    if !Destination::may_show(key) {
        error(
            log,
            format!(
                "{name} has a line break, a space or another character inside that no key has, so nothing is sent: set it to the key alone"
            ),
        );
        return None;
    }
    if key.len() != given.len() {
        error(
            log,
            format!(
                "{name} has a line break or a space around the key, which was left out: set it to the key alone"
            ),
        );
    }
    if !is_ticket && key.starts_with(INGESTION_PREFIX) && !is_ingestion_key(key) {
        error(
            log,
            format!(
                "{name} begins like an ingestion-only key and is not a whole one, so the server may refuse it: copy the key again"
            ),
        );
    }
    Some((key, is_ticket))
}

/// The prefix of an ingestion-only key.
const INGESTION_PREFIX: &str = "hh_ingst_";

/// Whether `key` has the form of an ingestion-only key: the prefix, 24 letters or digits, `_`, 64 characters.
fn is_ingestion_key(key: &str) -> bool {
    let parts = key.strip_prefix(INGESTION_PREFIX).and_then(|rest| rest.split_once('_'));
    parts.is_some_and(|(id, secret)| {
        id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) && secret.len() == 64
    })
}

/// The name that browsers give to an opaque origin, which differs from every origin, even from itself.
const NO_ORIGIN: &str = "null";

/// The server's URL, and whether its origin differs from the page's; `None` if there is no usable one.
fn server(options: &Options<'_>, is_ticket: bool, log: &mut Vec<Line>) -> Option<(String, bool)> {
    let given = text("serverUrl", options, log).map(|url| ("serverUrl", url));
    let given = given.or_else(|| options.variable(&SERVER_VARIABLES));
    if is_ticket && given.is_none() {
        error(
            log,
            "a ticket is for your own relay, so nothing is sent: pass its address, as in initTracer({ serverUrl: \"/honeyhive\", ticket })",
        );
        return None;
    }
    let (name, given) = given.unwrap_or(("serverUrl", DEFAULT_SERVER));
    let given = given.trim_ascii();
    let url = without_slash(given);
    // Paths are relative to `base`, and requests to `own_origin` count as same-origin. A sandboxed frame has two
    // different ones.
    let base = options.text("page").map(without_slash);
    let own_origin = options.text("origin").or(base);
    if let Some(base) = base
        && given.starts_with("/")
        && !given.starts_with("//")
    {
        if base == NO_ORIGIN {
            let url = printable(url);
            error(
                log,
                format!(
                    "{name} is \"{url}\", and this document has no origin to begin it with, as in a sandboxed frame, so nothing is sent: pass the relay's whole address, like https://your.site{url}"
                ),
            );
            return None;
        }
        return Some((format!("{base}{url}"), own_origin != Some(base)));
    }
    let Some((scheme, host)) = scheme_and_host(url) else {
        error(
            log,
            format!(
                "{name} is \"{}\", which is no address of a server, so nothing is sent: set it to one like {}",
                printable(url),
                DEFAULT_SERVER
            ),
        );
        return None;
    };
    if scheme == "http" && !is_loopback(host) {
        warn(
            log,
            format!(
                "{name} is \"{}\": over http the key travels in clear; use https",
                printable(url)
            ),
        );
    }
    let foreign = own_origin.is_some_and(|origin| {
        url.strip_prefix(origin).is_none_or(|rest| !rest.is_empty() && !rest.starts_with("/"))
    });
    Some((url.to_owned(), foreign))
}

/// `url` without user name, password and other secrets, for log lines.
pub fn printable(url: &str) -> String {
    let masked = match url.bytes().rposition(|byte| byte == b'@') {
        None => url.to_owned(),
        Some(at) => {
            let (user, host) = url.split_at(at);
            let scheme = user.find("//").map_or("", |at| &user[..at + 2]);
            format!("{scheme}{MASK}{host}")
        }
    };
    Redaction::default().text(&masked).into_owned()
}

/// `url` without trailing slashes.
fn without_slash(url: &str) -> &str {
    url.strip_suffix("/").map_or(url, without_slash)
}

/// The scheme and host of an `http` or `https` URL; `None` if it has a user, a query or a fragment.
fn scheme_and_host(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = match url.strip_prefix("https://") {
        Some(rest) => ("https", rest),
        None => ("http", url.strip_prefix("http://")?),
    };
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let host = match authority.bytes().rposition(|byte| byte == b':') {
        Some(colon) if authority[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()) => {
            &authority[..colon]
        }
        _ => authority,
    };
    let well_formed = !host.is_empty()
        && url.bytes().all(|byte| {
            !byte.is_ascii_control() && !matches!(byte, b'?' | b'#' | b'@' | b'\\' | b' ')
        });
    well_formed.then_some((scheme, host))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || host == "[::1]"
}

/// Whether the pair is a valid HTTP header (RFC 9110, section 5) that `fetch` accepts.
fn is_header(name: &str, value: &str) -> bool {
    // Visible characters except the delimiters of RFC 9110.
    let token = |byte: u8| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'"' | b'(' | b')' | b',' | b'/' | b':'..=b'@' | b'[' | b'\\' | b']' | b'{' | b'}'
            )
    };
    !name.is_empty()
        && name.bytes().all(token)
        && value.chars().all(|c| matches!(c, '\t' | ' '..='~' | '\u{a0}'..='\u{ff}'))
}

fn is_true((_, value): (&str, &str)) -> bool {
    let value = value.trim_ascii();
    ["1", "true", "yes", "on"].iter().any(|it| value.eq_ignore_ascii_case(it))
}

/// The option's text; `None` if it is absent or blank, or, with a warning, not a string.
pub(super) fn text<'o>(
    name: &str,
    options: &'o Options<'_>,
    log: &mut Vec<Line>,
) -> Option<&'o str> {
    options.get(name)?;
    let text = options.text(name);
    if text.is_none() {
        warn(log, format!("`{name}` must be a string: its default is used"));
    }
    text.filter(|text| !text.trim_ascii().is_empty())
}

/// The option's number, capped at `limit`; `default` if it is absent or, with a warning, not a number from 0 up.
pub(super) fn number(
    name: &str,
    options: &Options<'_>,
    default: u64,
    limit: u64,
    log: &mut Vec<Line>,
) -> u64 {
    if options.get(name).is_none() {
        return default;
    }
    if let Some(number) = options.number(name).filter(|number| *number >= 0.0) {
        return (number as u64).min(limit);
    }
    warn(log, format!("`{name}` must be a number from 0 up: {default} is used"));
    default
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::core::json::Numerals;
    use serde_json::{Value, from_str, json};

    fn with_env(env: &[(&str, &str)]) -> Value {
        let env: serde_json::Map<String, Value> =
            env.iter().map(|(name, value)| ((*name).into(), json!(value))).collect();
        json!({ "env": env })
    }

    fn resolve(options: &Value) -> (Settings, Vec<Line>) {
        let mut log = Vec::new();
        let options = options.to_string();
        (Settings::resolve(&Options::of(&options, Numerals::STD), Place::Page, &mut log), log)
    }

    /// The headers as a reader of the request sees them.
    fn headers(settings: &Settings) -> Value {
        from_str(&[&settings.destination.as_ref().unwrap().headers(), "}"].concat()).unwrap()
    }

    fn log_text(log: &[Line]) -> String {
        log.iter().map(|line| format!("{} {}\n", line.level.name(), line.message)).collect()
    }

    #[test]
    fn variables_are_read_in_the_order_of_the_sdks_and_an_empty_one_is_unset() {
        let (settings, log) = resolve(&with_env(&[
            ("HH_INGESTION_API_KEY", ""),
            ("HH_API_KEY", "second"),
            ("HONEYHIVE_API_KEY", "third"),
            ("HH_API_URL", " "),
            ("HH_SERVER_URL", "https://tenant.example/"),
            ("HH_PROJECT", "p"),
            ("HH_SOURCE", "prod"),
            ("HH_SESSION_NAME", "chat"),
            ("HH_VERBOSE", "true"),
        ]));
        assert_eq!(headers(&settings)["authorization"], "Bearer second");
        assert_eq!(settings.destination.as_ref().unwrap().server, "https://tenant.example");
        assert_eq!(settings.project.as_deref().unwrap(), "p");
        assert_eq!((&*settings.source, &*settings.session_name), ("prod", "chat"));
        assert_eq!(settings.log_level, Level::Debug);
        assert_eq!(log, []);
    }

    #[test]
    fn options_come_before_variables_and_a_ticket_before_a_key() {
        let env = json!({"HH_API_KEY": "env", "HH_API_URL": "https://env.example"});
        let own = json!({"apiKey": "own", "serverUrl": "https://own.example", "env": env});
        let (settings, _) = resolve(&own);
        assert_eq!(headers(&settings)["authorization"], "Bearer own");
        assert_eq!(settings.destination.unwrap().server, "https://own.example");
        let mut ticket = own;
        ticket["ticket"] = json!("tk");
        assert_eq!(headers(&resolve(&ticket).0)["authorization"], "Bearer tk");
    }

    #[test]
    fn a_ticket_goes_to_a_relay_that_is_named() {
        let (settings, log) = resolve(&json!({"ticket": "tk"}));
        assert!(settings.destination.is_none());
        assert!(log_text(&log).contains("error a ticket is for your own relay"), "{log:?}");
        let page = json!({"ticket": "tk", "serverUrl": "/hh", "page": "https://shop.example"});
        let (settings, log) = resolve(&page);
        let destination = settings.destination.unwrap();
        assert!(destination.is_ticket && log.is_empty(), "{log:?}");
        assert_eq!(destination.server, "https://shop.example/hh");
    }

    #[test]
    fn a_missing_or_broken_key_is_named_and_never_shown() {
        let (settings, log) = resolve(&with_env(&[]));
        assert!(settings.destination.is_none());
        assert!(log_text(&log).contains("error there is no API key"), "{log:?}");
        assert!(log_text(&log).contains("HH_API_KEY"), "{log:?}");

        let (settings, log) = resolve(&with_env(&[("HH_API_KEY", "hidden\n")]));
        assert_eq!(headers(&settings)["authorization"], "Bearer hidden");
        assert!(
            log_text(&log).contains("error HH_API_KEY has a line break or a space around"),
            "{log:?}"
        );
        assert!(!log_text(&log).contains("hidden"));

        let (settings, log) = resolve(&with_env(&[("HH_API_KEY", "hid\nden")]));
        assert!(settings.destination.is_none());
        assert!(log_text(&log).contains("error HH_API_KEY"), "{log:?}");
        assert!(!log_text(&log).contains("hid"));
    }

    #[test]
    fn the_project_key_s_new_name_comes_before_its_old_ones_and_after_the_ingestion_key() {
        let key = |env: &[(&str, &str)]| {
            headers(&resolve(&with_env(env)).0)["authorization"].as_str().unwrap().to_owned()
        };
        let old = [("HH_API_KEY", "old"), ("HONEYHIVE_API_KEY", "oldest")];
        assert_eq!(key(&[&old[..], &[("HH_PROJECT_API_KEY", "new")]].concat()), "Bearer new");
        assert_eq!(key(&[&old[..], &[("HH_PROJECT_API_KEY", " ")]].concat()), "Bearer old");
        let ingestion = ("HH_INGESTION_API_KEY", "ingestion");
        assert_eq!(key(&[("HH_PROJECT_API_KEY", "new"), ingestion]), "Bearer ingestion");
    }

    #[test]
    fn a_malformed_ingestion_key_is_named_before_it_is_sent() {
        let [id, secret] = ["a1".repeat(12), "b-2_".repeat(16)];
        let whole = format!("hh_ingst_{id}_{secret}");
        let broken = [
            "hh_ingst_",
            "hh_ingst_short",
            &whole[..whole.len() - 1],
            &format!("{whole}0"),
            &format!("hh_ingst_{}_{secret}", id.replace('a', "-")),
        ]
        .map(str::to_owned);
        for (key, is_broken) in broken.iter().map(|key| (key, true)).chain([(&whole, false)]) {
            let (settings, log) = resolve(&with_env(&[("HH_INGESTION_API_KEY", key)]));
            assert_eq!(headers(&settings)["authorization"], format!("Bearer {key}"));
            assert_eq!(
                log_text(&log).contains("error HH_INGESTION_API_KEY begins"),
                is_broken,
                "{key}"
            );
            assert!(key.len() < 20 || !log_text(&log).contains(key.as_str()));
        }
    }

    #[test]
    fn a_page_is_never_asked_for_a_key() {
        let page = |more: Value| {
            let mut options = json!({"page": "https://shop.example", "serverUrl": "/hh"});
            options.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
            options
        };
        for (options, expected) in [
            (page(json!({"ticket": ""})), "the ticket is empty, so nothing is sent; `issueTicket`"),
            (page(json!({"ticket": " \n"})), "the ticket is empty"),
            (page(json!({})), "there is no ticket"),
            (page(json!({"ticket": null})), "there is no ticket"),
            (page(json!({"ticket": {}})), "there is no ticket"),
            // Nowhere does an empty ticket mean a key of the environment's.
            (json!({"ticket": "", "env": {"HH_API_KEY": "k"}}), "the ticket is empty"),
            (json!({"ticket": "", "apiKey": "k"}), "the ticket is empty"),
        ] {
            let (settings, log) = resolve(&options);
            assert!(settings.destination.is_none(), "{options}");
            assert!(log_text(&log).contains(expected), "{options}: {log:?}");
            assert!(
                !log_text(&log).contains("API") && !log_text(&log).contains("apiKey"),
                "{log:?}"
            );
        }
    }

    #[test]
    fn a_path_begins_with_the_document_s_base_and_a_sandboxed_frame_is_foreign_to_it() {
        let frame = |page: &str, origin: Option<&str>| {
            let mut options = json!({"ticket": "tk", "serverUrl": "/hh", "page": page});
            if let Some(origin) = origin {
                options["origin"] = json!(origin);
            }
            resolve(&options)
        };
        for (origin, is_foreign) in [(None, false), (Some("null"), true)] {
            let (settings, log) = frame("https://shop.example", origin);
            assert_eq!(log, []);
            let destination = settings.destination.unwrap();
            assert_eq!(destination.server, "https://shop.example/hh");
            assert_eq!(destination.client_headers, !is_foreign);
        }
        let (settings, log) = frame("null", None);
        assert!(settings.destination.is_none());
        assert!(log_text(&log).contains("this document has no origin"), "{log:?}");
        assert!(!log_text(&log).contains("HH_API_URL"), "{log:?}");
        let whole = json!({"ticket": "tk", "serverUrl": "https://shop.example/hh", "page": "null"});
        let destination = resolve(&whole).0.destination.unwrap();
        assert!(!destination.client_headers);
    }

    #[test]
    fn a_server_that_is_none_is_named_with_an_example_of_one() {
        for url in [
            "ftp://x",
            "api.honeyhive.ai",
            "/honeyhive",
            "https://",
            "https://u:p4ss@h",
            "https://ann:p4ss@w0rd/x@h",
            "ann:p4ss@h",
            "//ann:p4ss@h",
            "//h",
            "https://h?x",
        ] {
            let (settings, log) = resolve(&with_env(&[("HH_API_KEY", "k"), ("HH_API_URL", url)]));
            assert!(settings.destination.is_none(), "{url}");
            assert!(log_text(&log).contains("error HH_API_URL is"), "{url}: {log:?}");
            assert!(!log_text(&log).contains("p4ss"), "{url}: {log:?}");
        }
    }

    #[test]
    fn plain_http_warns_but_for_loopback() {
        let warned = |url: &str| {
            let (settings, log) = resolve(&with_env(&[("HH_API_KEY", "k"), ("HH_API_URL", url)]));
            assert!(settings.destination.is_some(), "{url}");
            log_text(&log).contains("in clear")
        };
        assert!(warned("http://api.example"));
        assert!(warned("http://localhost.example:80"));
        for own in [
            "http://localhost:8787",
            "http://127.0.0.1:1",
            "http://[::1]:8787",
            "http://api.localhost",
            "https://api.example",
        ] {
            assert!(!warned(own), "{own}");
        }
    }

    #[test]
    fn in_a_page_a_foreign_server_gets_no_header_of_ours() {
        for (url, sent, foreign) in [
            ("/honeyhive/", "https://shop.example/honeyhive", false),
            ("https://shop.example/hh", "https://shop.example/hh", false),
            ("https://shop.example.evil/hh", "https://shop.example.evil/hh", true),
            ("https://api.example", "https://api.example", true),
        ] {
            let (settings, _) = resolve(&json!({
                "apiKey": "k", "serverUrl": url, "page": "https://shop.example",
                "headers": {"X-Team": "a"},
            }));
            let sent_headers = headers(&settings).as_object().unwrap().len();
            assert_eq!(sent_headers, if foreign { 2 } else { 3 }, "{url}");
            let destination = settings.destination.unwrap();
            assert_eq!(destination.server, sent);
            assert_eq!(destination.client_headers, !foreign, "{url}");
        }
    }

    #[test]
    fn options_of_the_wrong_type_cost_only_themselves() {
        let (settings, log) = resolve(&json!({
            "apiKey": "k", "timeoutMs": "soon", "deadlineMs": [], "mergeWindowMs": -1.0,
            "maxQueueBytes": {}, "logLevel": "loud", "source": 3,
            "headers": {"bad name": "x", "x-café": "x", "x-a": "snow☃", "Authorization": "other"},
        }));
        assert_eq!(settings.timeout_ms, policy::TIMEOUT_MS);
        assert_eq!(settings.deadline_ms, policy::DEADLINE_MS);
        assert_eq!(settings.merge_window_ms, policy::MERGE_WINDOW_MS);
        assert_eq!(settings.max_queue_bytes, policy::PAGE_QUEUE_BYTES);
        assert_eq!(&*settings.source, "dev");
        assert_eq!(
            headers(&settings),
            json!({"authorization": "Bearer k", "content-type": "application/json"})
        );
        assert_eq!(log.len(), 10, "{}", log_text(&log));
    }

    #[test]
    fn test_mode_and_disabled_send_nothing_and_need_no_key() {
        let (settings, log) = resolve(&with_env(&[("HH_TEST_MODE", "true")]));
        assert!(settings.destination.is_none() && log.is_empty());
        let (settings, log) = resolve(&json!({"disabled": true}));
        assert!(settings.destination.is_none() && log.is_empty());
    }
}
