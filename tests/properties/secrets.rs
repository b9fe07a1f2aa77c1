//! Secrets of every shape that is masked, in the surroundings that they are met in: each is masked
//! wherever it stands, and what stands around it stays.

use honeyhive_edge::core::redact::Redaction;
use serde_json::{Value, json};

/// Twenty bytes of Base64 for URLs, of which the shapes below are made.
const BODY: &str = "Zk3vQ9xT7bLm2RpW8cYd";

/// So many hexadecimal digits.
fn hex(length: usize) -> String {
    "9f8e7d6c5b4a39281706f5e4d3c2b1a0".chars().cycle().take(length).collect()
}

/// So many letters and digits.
fn body(length: usize) -> String {
    BODY.chars().cycle().take(length).collect()
}

/// So many letters in upper case and digits.
fn upper(length: usize) -> String {
    "Q7ZK2M4XW5T3RBNC".chars().cycle().take(length).collect()
}

/// A secret, which is masked as a whole.
///
/// Each is put together here, so that nobody's scanner takes this file for a leak.
fn secrets() -> Vec<String> {
    let mut secrets = Vec::new();
    let mut of = |prefix: &[&str], body: String| secrets.push(prefix.concat() + &body);
    // OpenAI and those who write theirs in the same way.
    of(&["sk", "-"], body(48));
    of(&["sk", "-"], format!("{}{}", body(20), hex(12)));
    of(&["sk", "-proj-"], format!("{}_{}-{}", body(30), body(20), body(20)));
    of(&["sk", "-svcacct-"], body(60));
    of(&["sk", "-admin-"], body(60));
    of(&["sk", "-ant-api03-"], format!("{}-{}_AA", body(40), body(50)));
    of(&["sk", "-ant-admin01-"], body(95));
    of(&["sk", "-or-v1-"], hex(64));
    of(&["sk", "-lf-"], "1f2e3d4c-5b6a-4789-9abc-def012345678".into());
    // HoneyHive.
    of(&["hh", "_ingst_"], body(32));
    of(&["hh", "_fgdp_"], body(32));
    of(&["hh", "_"], body(28));
    of(&["hh", "_"], hex(32));
    // Google.
    of(&["AI", "za"], format!("SyD-{}_{}", body(20), body(10)));
    of(&["ya", "29."], format!("a0Af{}-{}_{}", body(40), body(20), body(20)));
    of(&["GOC", "SPX-"], body(28));
    // AWS.
    of(&["AK", "IA"], upper(16));
    of(&["AS", "IA"], upper(16));
    of(&["AB", "SK"], body(120));
    // GitHub and GitLab.
    for kind in ["p", "o", "s", "u", "r"] {
        of(&["gh", kind, "_"], body(36));
    }
    of(&["github", "_pat_"], format!("{}_{}", body(22), body(59)));
    for kind in ["pat", "dt", "rt", "ft", "soat"] {
        of(&["gl", kind, "-"], body(20));
    }
    of(&["glc", "bt-"], format!("64_{}", body(20)));
    of(&["gl", "ptt-"], hex(40));
    // Slack.
    for kind in ["b", "p", "a", "r", "s", "o"] {
        of(&["xo", "x", kind, "-"], format!("123456789012-123456789012-{}", body(24)));
    }
    of(&["xa", "pp-"], format!("1-A0123456789-1234567890123-{}", hex(64)));
    // Stripe.
    for kind in ["sk_live_", "sk_test_", "rk_live_", "rk_test_"] {
        of(&[&kind[..2], &kind[2..]], body(24));
    }
    of(&["wh", "sec_"], body(32));
    // Package registries and places to build and deploy at.
    of(&["np", "m_"], body(36));
    of(&["py", "pi-"], format!("AgEIcHlwaS5vcmc{}", body(60)));
    of(&["ruby", "gems_"], hex(48));
    of(&["dc", "kr_pat_"], body(27));
    of(&["dc", "kr_oat_"], body(32));
    of(&["do", "p_v1_"], hex(64));
    of(&["do", "o_v1_"], hex(64));
    of(&["do", "r_v1_"], hex(64));
    of(&["h", "vs."], body(92));
    of(&["h", "vb."], body(140));
    of(&["dp", ".pt."], body(43));
    of(&["dp", ".st."], format!("prd.{}", body(43)));
    of(&["dp", ".sa."], body(43));
    of(&["cf", "ut_"], body(40));
    of(&["v1", ".0-"], format!("{}-{}", hex(24), hex(146)));
    of(&["HR", "KU-"], format!("AA{}", body(58)));
    of(&["nf", "p_"], body(36));
    of(&["bk", "ua_"], hex(40));
    of(&["fo", "1_"], body(43));
    of(&["fm", "2_"], body(100));
    of(&["pul", "-"], hex(40));
    of(&["ico", "-"], body(32));
    of(&["tk", "-us-"], body(48));
    of(&["pscale", "_tkn_"], body(43));
    of(&["pscale", "_pw_"], body(43));
    of(&["sb", "p_"], hex(40));
    of(&["sb", "_secret_"], body(31));
    of(&["AK", "Cp"], body(69));
    of(&["API", "-"], upper(26));
    of(&["PM", "AK-"], format!("{}-{}", hex(24), hex(34)));
    of(&["CF", "PAT-"], body(43));
    // Models and what is built around them.
    of(&["h", "f_"], "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh".into());
    of(&["api", "_org_"], "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh".into());
    of(&["g", "sk_"], body(52));
    of(&["x", "ai-"], body(80));
    of(&["pp", "lx-"], body(48));
    of(&["r", "8_"], body(37));
    of(&["nv", "api-"], body(64));
    of(&["tv", "ly-"], format!("dev-{}", body(32)));
    of(&["jina", "_"], body(60));
    of(&["pc", "sk_"], format!("{}_{}", body(6), body(60)));
    of(&["c", "sk-"], body(48));
    of(&["e2", "b_"], hex(40));
    of(&["ls", "v2_pt_"], format!("{}_{}", hex(32), hex(10)));
    of(&["ls", "v2_sk_"], format!("{}_{}", hex(32), hex(10)));
    of(&["bt", "-st-"], body(40));
    // Work, mail and telephones.
    of(&["SG", "."], format!("{}.{}", body(22), body(43)));
    of(&["S", "K"], hex(32));
    of(&["key", "-"], hex(32));
    of(&["xkey", "sib-"], format!("{}-{}", hex(64), body(16)));
    of(&["xsmtp", "sib-"], format!("{}-{}", hex(64), body(16)));
    of(&["re", "_"], format!("{}_{}", body(8), body(24)));
    of(&["1234567890", ":AAH"], body(32));
    of(&["nt", "n_"], format!("12345678901{}", body(35)));
    of(&["secret", "_"], body(43));
    of(&["lin", "_api_"], body(40));
    of(&["lin", "_oauth_"], hex(64));
    of(&["fi", "gd_"], format!("{}-{}", body(20), body(20)));
    of(&["pat", "-na1-"], "1f2e3d4c-5b6a-4789-9abc-def012345678".into());
    of(&["pat", ""], format!("{}.{}", body(14), hex(64)));
    of(&["AT", "ATT3xFfGF0"], format!("{}-{}_{}=1A2B3C4D", body(80), body(60), body(30)));
    of(&["AT", "BB"], body(32));
    of(&["sn", "trys_"], format!("eyJpYXQiOjE3{}_{}", body(80), body(43)));
    of(&["sn", "tryu_"], hex(64));
    of(&["gl", "sa_"], format!("{}_{}", body(32), hex(8)));
    of(&["gl", "c_"], format!("eyJvIjoi{}==", body(60)));
    of(&["shp", "at_"], hex(32));
    of(&["shp", "ca_"], hex(32));
    of(&["shp", "pa_"], hex(32));
    of(&["shp", "ss_"], hex(32));
    of(&["da", "pi"], hex(32));
    of(&["ph", "x_"], body(40));
    of(&["NR", "AK-"], upper(27));
    of(&["dt", "0c01."], format!("{}.{}", upper(24), upper(64)));
    of(&["sq", "0atp-"], body(22));
    of(&["sq", "0csp-"], body(43));
    of(&["EA", "AA"], body(60));
    of(&["EZ", "AK"], body(54));
    of(&["EZ", "TK"], body(54));
    of(&["shippo", "_live_"], hex(40));
    of(&["duffel", "_live_"], body(43));
    of(&["rd", "me_"], hex(70));
    of(&["tf", "p_"], format!("{}_{}", body(40), body(10)));
    of(&["sg", "p_"], hex(40));
    of(&["sq", "p_"], hex(40));
    of(&["pn", "u_"], body(36));
    of(&["LT", "AI"], body(20));
    of(&["GR", "1348941"], body(20));
    of(&["ops", "_eyJ"], body(250));
    of(&["AGE-SECRET", "-KEY-1"], upper(58));
    of(&["sha256", "~"], body(43));
    of(&["p8", "e-"], body(32));
    // A secret of an application in Microsoft Entra.
    secrets.push(format!("a1b8Q~{}", body(34)));
    // JSON web tokens: signed, and encrypted.
    secrets.push(format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{}", body(43)));
    secrets.push(format!(
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..{}.{}.{}",
        body(16),
        body(40),
        body(22)
    ));
    // Cards, as their issuers publish them for tests.
    for card in [
        "4111111111111111",
        "4242 4242 4242 4242",
        "5555-5555-5555-4444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "3530111333300000",
        "6200000000000005",
        "6205 5000 0000 0000 004",
        "6759649826438453",
        "30569309025904",
        "3056 930902 5904",
    ] {
        secrets.push(card.into());
    }
    secrets.push("4242\u{a0}4242\u{a0}4242\u{a0}4242".into());
    // Private keys.
    for kind in ["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "] {
        let (begin, end) = (["-----BEGIN ", kind, "PRIVATE"], ["-----END ", kind, "PRIVATE"]);
        let lines = [body(64), body(64), body(20) + "=="].join("\n");
        secrets.push(format!("{} KEY-----\n{lines}\n{} KEY-----", begin.concat(), end.concat()));
    }
    let pgp = ["PGP PRIVATE", " KEY BLOCK"].concat();
    secrets.push(format!("-----BEGIN {pgp}-----\n\n{}\n=aB3d\n-----END {pgp}-----", body(64)));
    secrets
}

/// Secrets that are told by what stands around them: before, secret, after.
fn in_their_context() -> Vec<(&'static str, String, &'static str)> {
    let mut all: Vec<(&str, String, &str)> = Vec::new();
    for scheme in ["postgres", "mysql", "mongodb+srv", "amqps", "https"] {
        let before: &str = String::leak(format!("{scheme}://admin:"));
        all.push((before, "s3cr3t-P4ss".into(), "@db.example:5432/app"));
    }
    all.push(("redis://:", "hunter2".into(), "@cache.example:6379/0"));
    for before in [
        "Bearer ",
        "bearer ",
        "BEARER ",
        "Bearer: ",
        "Bearer\n",
        "Bearer\t",
        "Bearer\u{a0}",
        "Bearer \"",
        "Bearer%20",
        "Authorization: Bearer ",
        "authorization=Bearer%20",
        "\"Authorization\": \"Bearer ",
        "Bearer\r\n  ",
    ] {
        all.push((before, body(40), if before.contains('"') { "\"" } else { "" }));
    }
    all.push(("Authorization: Basic ", "YWxhZGRpbjpvcGVuc2VzYW1l".into(), ""));
    all.push(("Basic ", "YWxhZGRpbjpvcGVuc2VzYW1l".into(), ""));
    all.push(("Authorization: token ", body(30), ""));
    all.push(("Authorization: ", body(30), ""));
    all.push(("Cookie: session=", body(32), ""));
    all.push(("Cookie: theme=", "dark; sid=4f9a8c7b6d".into(), ""));
    all.push(("Set-Cookie: sid=", body(32), "; Path=/; HttpOnly"));
    for parameter in
        ["?access_token=", "?a=1&access_token=", "&api_key=", "#access_token=", "?password="]
    {
        let before: &str = String::leak(format!("https://api.example/v1{parameter}"));
        all.push((before, "4f9a8c7b6d5e".into(), "&page=2"));
    }
    all.push((
        "https://x.blob.example/a?sv=2024&sig=",
        "aB3dE5gH7jK9mN1pQ3sT5vX7zA9c".into(),
        "&se=2025",
    ));
    all.push((
        "https://hooks.slack.com/services/",
        format!("T00000000/B00000000/{}", body(24)),
        "",
    ));
    all.push(("https://discord.com/api/webhooks/", format!("123456789012345678/{}", body(68)), ""));
    for name in ["OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "client_secret"] {
        let before: &str = String::leak(format!("export {name}="));
        all.push((before, body(40), ""));
        let before: &str = String::leak(format!("{{'{name}': '"));
        all.push((before, "hunter2".into(), "'}"));
    }
    all.push((
        "AccountName=x;AccountKey=",
        format!("{}==", body(86)),
        ";EndpointSuffix=core.windows.net",
    ));
    all
}

/// Places that a secret is met in, as what stands before it and after it.
const SURROUNDINGS: [(&str, &str, &str); 20] = [
    ("alone", "", ""),
    ("in prose", "My key is ", ", please do not share it."),
    ("at the end of a sentence", "It is ", "."),
    ("in brackets", "(", ")"),
    ("in quotes", "\"", "\""),
    ("in a line of its own", "first\n", "\nlast"),
    ("after a tab", "key\t", "\tvalue"),
    ("in an address", "https://api.example/v1?q=", "&page=2"),
    ("in a coded address", "https://api.example/?next=%2Fcallback%3Fq%3D", "%26page%3D2"),
    ("in a header", "X-Custom: ", "\r\nAccept: */*"),
    ("in a shell command", "curl -d 'q=", "' https://api.example | jq ."),
    ("in a log line with colours", "\u{1b}[32m", "\u{1b}[0m 12 ms"),
    ("in a bold colour", "\u{1b}[1;38;5;200m", "\u{1b}[39;49m"),
    ("in emphasis", "_", "_ was leaked"),
    ("in strong emphasis", "**", "** was leaked"),
    ("in Markdown's code", "use `", "` here"),
    ("in a stack trace", "Error: bad key ", "\n    at run (file.js:10:5)"),
    ("in source code", "const q = \"", "\";"),
    ("in an element", "<b>", "</b>"),
    ("after letters beyond ASCII", "é", "é"),
];

/// `text` in a JSON string, so many levels deep.
fn nested(text: &str, levels: usize) -> String {
    (0..levels).fold(text.to_owned(), |text, level| json!({ "q": text, "n": level }).to_string())
}

/// The text that [`nested`] put away.
fn unnested(text: &str, levels: usize) -> String {
    (0..levels).fold(text.to_owned(), |text, _| {
        let read: Value = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
        read["q"].as_str().unwrap().to_owned()
    })
}

fn masked(fields: &Value) -> Value {
    let masked = Redaction::default().apply(fields.to_string());
    serde_json::from_str(&masked).unwrap_or_else(|why| panic!("{why}: {masked}"))
}

fn assert_masked(before: &str, secret: &str, after: &str, what: &str, faults: &mut Vec<String>) {
    let text = [before, secret, after].concat();
    let expected = [before, "[Redacted]", after].concat();
    for levels in 0..3 {
        let fields = json!({ "metadata": { "q": nested(&text, levels) } });
        let told = unnested(masked(&fields)["metadata"]["q"].as_str().unwrap(), levels);
        if told != expected {
            faults.push(format!("{what}, {levels} levels of JSON: {text:?} became {told:?}"));
        }
    }
    // With a letter beyond ASCII by its number the string is written anew, with all control characters so.
    let json = json!({ "q": format!("é {text}") }).to_string().replace('é', "\\u00e9");
    let told: Value = serde_json::from_str(&Redaction::default().apply(json)).unwrap();
    if told["q"] != format!("é {expected}") {
        faults.push(format!("{what}, written anew: {text:?} became {told}"));
    }
    // In a text that holds JSON but is none.
    for levels in 1..3 {
        let held = |text: &str| format!("Called it with: {}", nested(text, levels));
        let told = masked(&json!({ "q": held(&text) }))["q"].as_str().unwrap().to_owned();
        if told != held(&expected) {
            faults.push(format!(
                "{what}, {levels} levels of JSON in prose: {text:?} became {told:?}"
            ));
        }
    }
    let key = masked(&json!({ "metadata": { text.as_str(): 1 } }));
    if key["metadata"][&expected] != 1 {
        faults.push(format!("{what}, as a key: {text:?} became {key}"));
    }
}

#[test]
fn every_secret_is_masked_in_all_surroundings() {
    let secrets = secrets();
    assert!(secrets.len() >= 120, "{}", secrets.len());
    let mut faults = Vec::new();
    for secret in &secrets {
        for (what, before, after) in SURROUNDINGS {
            // Colours and emphasis are put around one line, and an address is coded.
            let secret = match what {
                "in a coded address" => secret.replace(' ', "%20").replace('\u{a0}', "%C2%A0"),
                _ => secret.clone(),
            };
            if secret.contains('\n') && (what.contains("address") || what.contains("emphasis")) {
                continue;
            }
            assert_masked(before, &secret, after, what, &mut faults);
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults[..faults.len().min(40)].join("\n")
    );
}

#[test]
fn secrets_that_their_context_tells_are_masked_in_all_surroundings() {
    let mut faults = Vec::new();
    for (open, secret, close) in in_their_context() {
        for (what, before, after) in SURROUNDINGS {
            // A password may have letters beyond ASCII, so they do not end a value that is not in quotes.
            if what.contains("address") || what.contains("ASCII") && open.starts_with("export") {
                continue;
            }
            let text = [before, open, secret.as_str(), close, after].concat();
            {
                let json = json!({ "q": text }).to_string();
                let again = json.replacen("\"q\":\"", "\"q\":\"\\u00e9 ", 1);
                let told: Value = serde_json::from_str(&Redaction::default().apply(again)).unwrap();
                let told = told["q"].as_str().unwrap();
                if secret.split("; ").any(|part| told.contains(part.trim_start_matches("sid="))) {
                    faults.push(format!("{what}, written anew: {text:?} became {told:?}"));
                }
            }
            let told = masked(&json!({ "q": text }))["q"].as_str().unwrap().to_owned();
            let holds =
                secret.split("; ").any(|part| told.contains(part.trim_start_matches("sid=")));
            let keeps = told.starts_with(&[before, open].concat())
                && told.ends_with(&[close, after].concat());
            if holds || !keeps || !told.contains("[Redacted]") {
                faults.push(format!("{what}: {text:?} became {told:?}"));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults[..faults.len().min(40)].join("\n")
    );
}

#[test]
fn texts_under_the_names_of_secrets_are_masked() {
    for name in [
        "password",
        "db_password",
        "newPassword",
        "PASSWORD",
        "passphrase",
        "OPENAI_API_KEY",
        "apiKey",
        "x-api-key",
        "aws_secret_access_key",
        "session_token",
        "x-auth-token",
        "client_secret",
        "private_key",
        "connection_string",
        "Set-Cookie",
        "Authorization",
        "access_token",
        "refreshToken",
        "secret",
        "cvv",
        "card_number",
        "cardNumber",
        "webhook-secret",
        "signingKey",
    ] {
        let text = json!({ "metadata": { "deep": [{ name: "hunter2" }], "args": json!({ name: "hunter2" }).to_string() } });
        let told = masked(&text);
        assert_eq!(told["metadata"]["deep"][0][name], "[Redacted]", "{name}");
        assert_eq!(told["metadata"]["args"], json!({ name: "[Redacted]" }).to_string(), "{name}");
    }
    let told = masked(
        &json!({ "cvv": 123, "card_number": 4_111_111_111_111_111_u64, "n": 378_282_246_310_005_u64 }),
    );
    assert_eq!(
        told,
        json!({ "cvv": "[Redacted]", "card_number": "[Redacted]", "n": "[Redacted]" })
    );
}

#[test]
fn two_secrets_as_keys_of_one_object_stay_two_members() {
    let (one, two) = (["sk", "-", &body(40)].concat(), ["gh", "p_", &body(36)].concat());
    let told = masked(
        &json!({ "metadata": { one.as_str(): 1, two.as_str(): 2 }, "inputs": { two.as_str(): 3 } }),
    );
    assert_eq!(
        told,
        json!({ "metadata": { "[Redacted]": 2, "[Redacted] 2": 1 }, "inputs": { "[Redacted]": 3 } })
    );
}
