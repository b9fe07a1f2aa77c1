//! The relay's settings, made of options and environment variables. Each mistake becomes a line for the log. A relay
//! that cannot work refuses everything, and says why.

use std::rc::Rc;

use super::origin::origin;
use super::policy;
use super::rate::Rate;
use crate::core::concurrency::Place;
use crate::core::json::{Numerals, elements, members};
use crate::core::log::{Line, error, warn};
use crate::core::options::{Options, text_of};
use crate::core::session::Description;
use crate::core::settings::{self, Destination, Settings, printable};

/// The environment variables that contain secrets: the one that signs, then the previous one.
const SECRET_VARIABLES: [&str; 2] = ["HH_RELAY_SECRET", "HH_RELAY_SECRET_PREVIOUS"];

/// The settings of a relay, or of the consumer of its queue.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// The path that all routes are below, without a slash at the end; may be empty.
    pub path: String,
    /// The origins whose pages may use the relay, besides its own.
    pub origins: Vec<String>,
    /// How often a ticket may be used.
    pub rate: Rate,
    /// The most bytes of a request's body.
    pub max_body_bytes: u64,
    /// The seconds after which the queue brings an undelivered message again.
    pub retry_delay_s: u64,
    /// Whether requests go to a queue instead of to the backend.
    pub queues: bool,
    /// Whether there is a secret to verify tickets with.
    pub has_secret: bool,
    /// The settings that a tracer makes of the same options: the backend, time limits, the level of the log.
    pub tracer: Rc<Settings>,
    /// Whether the site set a name or a source, which then describe the sessions that pages start.
    describes: bool,
}

impl RelaySettings {
    /// Makes settings of options and variables. Mistakes in them are added to `log`.
    pub fn resolve(options: &Options<'_>, log: &mut Vec<Line>) -> RelaySettings {
        // An empty text is valid here: the framework has removed the path from the address.
        let given = options.text("path").or_else(|| settings::text("path", options, log));
        let path = given.map_or(policy::PATH, str::trim).trim_end_matches('/');
        let path = match path.is_empty() || path.starts_with('/') {
            true => path.to_owned(),
            false => ["/", path].concat(),
        };
        let mut number =
            |name, default, limit| settings::number(name, options, default, limit, log);
        let max_body_bytes = number("maxBodyBytes", policy::MAX_BODY_BYTES, 5_000_000).max(1);
        let retry_delay_s = number("retryDelay", policy::RETRY_DELAY_S, policy::LONGEST_WAIT_S);
        let describes = ["sessionName", "source"].iter().any(|name| options.get(name).is_some())
            || options.variable(&["HH_SESSION_NAME", "HH_SOURCE"]).is_some();
        let mut of_backend = Vec::new();
        let tracer = Rc::new(Settings::resolve(options, Place::EdgeRequest, &mut of_backend));
        if options.is_true("redactOtherwise") {
            let what = "`redact` of a relay is true or { keys }: it masks by the default patterns, and functions and patterns are for the pages' tracers";
            warn(log, what);
        }
        let queues = options.is_true("queue");
        // Then the consumer needs the backend's key, and it may run elsewhere.
        if !queues {
            log.append(&mut of_backend);
        }
        RelaySettings {
            path,
            origins: origins(options, log),
            rate: rate(options, log),
            max_body_bytes,
            retry_delay_s,
            queues,
            has_secret: options.is_true("hasSecret"),
            describes,
            tracer,
        }
    }

    /// The backend and its key.
    pub fn destination(&self) -> Option<&Rc<Destination>> {
        self.tracer.destination.as_ref()
    }

    /// `json`, an object of fields, with the secrets in it masked if the site wants that on its server as well.
    pub fn masked(&self, json: String) -> String {
        match &self.tracer.redaction {
            Some(redaction) => redaction.apply(json),
            None => json,
        }
    }

    /// Adds `line` to `log` if the site's log level includes it.
    pub fn log(&self, line: Line, log: &mut Vec<Line>) {
        if line.level <= self.tracer.log_level {
            log.push(line);
        }
    }

    /// The reason why the relay cannot work, if there is one.
    pub fn lacks(&self) -> Option<&'static str> {
        if !self.has_secret {
            return Some(NO_SECRET);
        }
        match self.destination() {
            None if !self.queues => {
                Some("the relay has no API key, or `disabled` is set: set HH_API_KEY")
            }
            _ => None,
        }
    }

    /// The description of sessions that pages start, which comes from the site because a page cannot give one.
    pub fn description(&self, now_ms: u64) -> Option<Description> {
        self.describes.then(|| Description {
            name: self.tracer.session_name.clone(),
            source: self.tracer.source.clone(),
            project: self.tracer.project.clone(),
            start_time: now_ms,
        })
    }
}

/// The advice about a missing secret.
pub const NO_SECRET: &str = "there is no secret of 32 characters or more to check tickets with: set HH_RELAY_SECRET, the same as where tickets are issued";

/// The usable secrets in `secret` or the environment. The first one signs.
pub fn secrets(options: &Options<'_>, log: &mut Vec<Line>) -> Vec<String> {
    let from_variables = || {
        let set = SECRET_VARIABLES.iter().filter_map(|name| options.variable(&[name]));
        set.map(|(_, value)| value.to_owned()).collect()
    };
    let given: Vec<String> = match options.get("secret") {
        None => from_variables(),
        Some(list) => match elements(list) {
            Some(list) => list.into_iter().map(|each| text_of(each).unwrap_or_default()).collect(),
            None => vec![text_of(list).unwrap_or_default()],
        },
    };
    let count = given.len();
    let mut secrets: Vec<String> =
        given.into_iter().map(|secret| secret.trim().to_owned()).collect();
    secrets.retain(|secret| secret.chars().count() >= policy::SHORTEST_SECRET);
    if secrets.is_empty() {
        error(log, NO_SECRET);
    } else if secrets.len() < count {
        error(log, "a secret with fewer than 32 characters is left out: it could be guessed");
    }
    secrets
}

fn origins(options: &Options<'_>, log: &mut Vec<Line>) -> Vec<String> {
    let Some(given) = options.get("origins") else { return Vec::new() };
    let given = elements(given).unwrap_or_else(|| vec![given]);
    let mut origins = Vec::with_capacity(given.len());
    for each in given {
        match text_of(each).and_then(|text| origin(&text)) {
            Some(origin) => origins.push(origin),
            None => error(
                log,
                format!(
                    "`origins` has {}, which is no origin and is left out: write it like \"https://shop.example\"",
                    printable(each)
                ),
            ),
        }
    }
    origins
}

fn rate(options: &Options<'_>, log: &mut Vec<Line>) -> Rate {
    let default = Rate { requests: policy::RATE_REQUESTS, seconds: policy::RATE_SECONDS };
    let Some(given) = options.get("rate") else { return default };
    if members(given).is_none() {
        warn(log, "`rate` must be an object, as in { requests: 300, seconds: 60 }: that is used");
        return default;
    }
    let given = Options::of(given, options.numerals());
    let mut number = |name, default| settings::number(name, &given, default, 1 << 32, log).max(1);
    Rate {
        requests: number("requests", default.requests),
        seconds: number("seconds", default.seconds),
    }
}

/// Reads the relay's settings from `json`, an object of options.
pub fn of_json(json: &str, numerals: Numerals) -> (Rc<RelaySettings>, Vec<Line>) {
    let mut log = Vec::new();
    let settings = RelaySettings::resolve(&Options::of(json, numerals), &mut log);
    log.retain(|line| line.level <= settings.tracer.log_level);
    (Rc::new(settings), log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn resolve(options: Value) -> (Rc<RelaySettings>, String) {
        let (settings, log) = of_json(&options.to_string(), Numerals::STD);
        let said = log.iter().map(|line| format!("{} {}\n", line.level.name(), line.message));
        (settings, said.collect())
    }

    fn secrets_of(options: Value) -> (Vec<String>, String) {
        let mut log = Vec::new();
        let json = options.to_string();
        let secrets = secrets(&Options::of(&json, Numerals::STD), &mut log);
        (secrets, log.into_iter().map(|line| line.message).collect())
    }

    #[test]
    fn without_options_a_relay_works_by_its_environment() {
        let (settings, said) = resolve(
            json!({"hasSecret": true, "env": {"HH_API_KEY": "k", "HH_API_URL": "https://h.example/"}}),
        );
        assert_eq!(said, "");
        assert_eq!(settings.lacks(), None);
        assert_eq!(settings.path, "/honeyhive");
        assert_eq!(settings.rate, Rate { requests: 300, seconds: 60 });
        assert_eq!(settings.max_body_bytes, 102_400);
        assert_eq!(settings.destination().unwrap().server, "https://h.example");
        assert_eq!(settings.description(7), None, "a page's start describes nothing");
    }

    #[test]
    fn what_is_missing_is_said() {
        let (settings, said) = resolve(json!({"hasSecret": true}));
        assert!(said.contains("there is no API key"), "{said}");
        assert!(settings.lacks().unwrap().contains("API key"));
        let (settings, _) = resolve(json!({"apiKey": "k"}));
        assert!(settings.lacks().unwrap().contains("HH_RELAY_SECRET"));
        let (settings, said) = resolve(json!({"hasSecret": true, "queue": true}));
        assert_eq!((settings.lacks(), said.as_str()), (None, ""), "the key is the consumer's");
    }

    #[test]
    fn options_that_are_none_cost_only_themselves() {
        let (settings, said) = resolve(json!({
            "apiKey": "k", "hasSecret": true, "path": "hh/", "rate": {"requests": 0, "seconds": "x"},
            "origins": ["https://A.example/", "*", 7], "maxBodyBytes": -1, "source": "web",
        }));
        assert_eq!(settings.path, "/hh");
        assert_eq!(settings.rate, Rate { requests: 1, seconds: 60 });
        assert_eq!(settings.origins, ["https://a.example"]);
        assert_eq!(settings.max_body_bytes, 102_400);
        assert_eq!(&*settings.description(7).unwrap().source, "web");
        assert!(said.contains("`origins` has \"*\"") && said.contains("`origins` has 7"), "{said}");
        assert!(said.contains("`seconds` must be a number"), "{said}");
        for nothing in ["", "/", " "] {
            assert_eq!(
                resolve(json!({"path": nothing})).0.path,
                "",
                "a framework has taken it off"
            );
        }
    }

    #[test]
    fn secrets_are_long_and_the_first_one_signs() {
        let (new, old) = ("n".repeat(32), "o".repeat(32));
        assert_eq!(secrets_of(json!({"secret": new})).0, std::slice::from_ref(&new));
        let both =
            secrets_of(json!({"secret": [new, old], "env": {"HH_RELAY_SECRET": "x".repeat(40)}}));
        assert_eq!(both, (vec![new.clone(), old.clone()], String::new()));
        let env = json!({"env": {"HH_RELAY_SECRET_PREVIOUS": old, "HH_RELAY_SECRET": new}});
        assert_eq!(secrets_of(env).0, [new.clone(), old]);
        let (some, said) = secrets_of(json!({"secret": [new, "short"]}));
        assert_eq!(some, [new]);
        assert!(said.contains("fewer than 32") && !said.contains("short\""), "{said}");
        for none in
            [json!({}), json!({"secret": "short"}), json!({"secret": []}), json!({"secret": 7})]
        {
            let (secrets, said) = secrets_of(none);
            assert!(secrets.is_empty() && said.contains("HH_RELAY_SECRET"), "{said}");
        }
    }
}
