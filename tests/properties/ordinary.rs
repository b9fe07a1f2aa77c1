//! Values that applications of language models handle every day: none of them is touched.

use honeyhive_edge::core::redact::Redaction;
use serde_json::{Value, json};

/// Texts, each alone, in prose, in a list and in JSON in a string.
const TEXTS: &[&str] = &[
    // Words that secrets begin with.
    "Bearer authentication is required",
    "Bearer tokens are sent in a header",
    "the bearer of news",
    "Bearer token-based authentication",
    "Bearer authentication/authorization",
    "a bearer\nof good news",
    "Bearers abcdefghijkl",
    "bearer: see RFC 6750",
    "WWW-Authenticate: Bearer realm=\"api\"",
    "Bearer ${token}",
    "Bearer <token>",
    "Bearer YOUR_TOKEN_HERE",
    "Basic authentication is deprecated",
    "Basic understanding of Rust",
    "basic internationalization",
    "Basic\tinformation",
    "the basics",
    "Authorization: required",
    "authorization granted",
    "Authorization: Bearer",
    "Authorization header is missing",
    "Cookie: a small file that a site leaves behind",
    "cookies: chocolate chip",
    "Cookie recipe: 200 g of flour",
    "cookie consent",
    "Set-Cookie is a header",
    "sk-learn-pipeline-version-2",
    "sk-learn",
    "sk-SK",
    "sk-short",
    "ask-sk-short",
    "task-abcdefghijklmnopqrst",
    "sk-ant-model-card-v2-2024-release-notes",
    "sk-proj-management-tool-2024",
    "https://docs.example.com/sk-proj-guide-2024-edition",
    "xoxb-hello-2024-world",
    "pat-na1-2024-release-train-for-north-america",
    "re_captcha_v3_site_key_2024",
    "secret_manager_client_library_for_python_3",
    "risk-assessment-2024-final-version",
    "disk-usage-percentage-2",
    "sk-button-primary-outline-large",
    "desk-sk-lamp",
    "sk-spinner-circle-fade-12",
    "sk-cube-grid-animation-delay-1",
    "hh_session_start_time_ms",
    "hh_session_start_time_ms_2",
    "hh_short",
    "hh_mm_ss_format_string_v2",
    "hh_request_duration_seconds_bucket",
    "ghp_short",
    "github_pat_name",
    "npm_config_registry",
    "npm_package_version",
    "npm_lifecycle_event",
    "hf_hub_download",
    "hf_model_name_or_path",
    "gsk_mode",
    "AKIA",
    "ASIA",
    "Asia/Tokyo",
    "AIza",
    "SG.",
    "SKU-12345",
    "SKIP",
    "xoxo",
    "xoxo-hugs-and-kisses",
    "key-value-store",
    "key-word",
    "API-FIRST",
    "API-GATEWAY-TIMEOUT",
    "pypi-server",
    "rubygems_version",
    "figd",
    "glc_",
    "secret_santa_2024",
    "secret_name",
    "dapi",
    "re_render_count",
    "re_entrant_lock_holder_count",
    "r8_",
    "pat-a-cake",
    "pattern",
    "path.to.module.function",
    "sat.",
    "shpat_",
    "whsec_",
    "eyJ",
    "eyJ.no",
    "eyJhbGciOi",
    "eyJhbGciOiJIUzI1NiJ9",
    "lsv2_",
    "dp.pt.",
    "hvs.",
    "hvs.short",
    "Q~",
    "3Q~",
    "ntn_",
    "lin_api_",
    "xai-",
    "xai-grok-beta",
    "pplx-api",
    "pplx-70b-online",
    "csk-",
    "sb_secret_",
    "v1.0-beta",
    "v1.0-alpine3.19",
    "sha256~",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "discord.com",
    "https://hooks.slack.com/",
    "https://discord.com/channels/123456789012345678",
    // Identifiers.
    "123e4567-e89b-12d3-a456-426614174000",
    "41111111-1111-1111-8111-aaaaaaaaaaaa",
    "12345678-1234-1234-1234-123456789012",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "0ujsswThIGTUYm2K8FjOOfXtY1K",
    "cjld2cjxh0000qzrmn831i7rn",
    "V1StGXR8_Z5jdHi6B-myT",
    "507f1f77bcf86cd799439011",
    "1541815603606036480",
    "175928847299117063",
    "chatcmpl-9f8e7d6c5b4a39281706f5e4d3c2b1",
    "run_abc123def456ghi789",
    "msg_01XFDUDYJgAACzvnptvVoYEL",
    "call_abc123DEF456ghi789JKL",
    "file-abc123def456ghi789",
    "asst_abc123def456ghi789",
    "thread_abc123DEF456",
    "toolu_01A09q90qw90lq917835lq9",
    "gen-1712345678-abcDEF123",
    "req_011CSHoEeqs5C35K2UUqR7Fy",
    "cus_NffrFeUfNV2Hib",
    "pi_3MtwBwLkdIwHu7ix28a3tqPa",
    "pk_live_51H8example",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "d41d8cd98f00b204e9800998ecf8427e",
    "HEAD~1",
    "a1b2c3d",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg==",
    "arn:aws:iam::123456789012:role/service",
    "projects/my-project/secrets/db-password/versions/3",
    "i-0abcd1234efgh5678",
    // Numbers of all kinds.
    "0.4111111111111111",
    "-0.3782822463100051",
    "4.111111111111111e15",
    "3.141592653589793",
    "0,4111111111111111",
    "[0.0123, -0.0456, 0.4111111111111111]",
    "5 4 3 5 4 4 5 3 2 5 4 4 5 1 5 4 3 5 4 4",
    "4,5,3,4,5,5,4,3,2,1,5,4,4,5,5,3",
    "41 11 11 11 11 11 11 11",
    "45 39 57 88 21 90 14 33 52 47 61 28 73 80 19 36 54 67 92 40",
    "4111 1111 1111 1111 1234 5678",
    "2019 2020 2021 2022 2023",
    "1234 5678 9012 3456",
    "1 000 000",
    "1.000.000,00",
    "1,234,567.89",
    "€ 1.299,00",
    "$4,111.11",
    "19.99",
    "4111111111111112",
    "41111111111111111",
    "1700000000000",
    "1700000000000000",
    "1700000000000000000",
    "2024-05-01T12:34:56.123456789Z",
    "2024-05-01 12:34:56",
    "20240501123456",
    "1714566896.123456",
    "12:34:56.789",
    "0151 23456789",
    "0151 2345 6789",
    "+49 151 23456789",
    "+49 (0) 30 1234567",
    "004915123456789",
    "+1 (555) 123-4567",
    "030/1234567",
    "+44 20 7946 0958",
    "4006381333931",
    "4012345678901",
    "9783161484100",
    "978-3-16-148410-0",
    "ISBN 3-16-148410-X",
    "0-306-40615-2",
    "DE89 3704 0044 0532 0130 00",
    "AT61 1904 3002 3457 3201",
    "AT48 4300 0000 1234 5864",
    "ES91 2100 0418 4502 0005 1332",
    "GB29 NWBK 6016 1331 9268 19",
    "CH93 0076 2011 6238 5295 7",
    "DE89370400440532013000",
    "1Z999AA10123456784",
    "9400 1000 0000 0000 0000 00",
    "00340434161094042557",
    "JD014600003828392837",
    "192.168.0.1",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "127.0.0.1:8080",
    "1.2.3",
    "v20.11.1",
    "^4.11.1-rc.1",
    "10.0.19045.4170",
    "#41a1b1",
    "50%",
    "100%",
    "4111-1111",
    "302-1234567-1234567",
    "Order 4111111",
    "12/27",
    "room 4111, floor 41",
    "52.520008, 13.404954",
    "52.5200080000000,13.4049540000000",
    "1e21",
    "0x4111111111111111",
    "NaN",
    "A4 210 x 297 mm",
    // Images, markup, styles.
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==",
    "iVBORw0KGgoAAAANSUhEUgAA",
    "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "<img src=\"a.png\" alt=\"password\">",
    "<input type=\"password\" name=\"password\" placeholder=\"Password\">",
    ".sk-circle12:before { animation-delay: -0.1s; }",
    "btn btn-primary sk-fading-circle",
    "text-gray-500 hover:bg-blue-600/50",
    "# Passwords\n\n- use a _long_ one\n- **never** share it",
    "[the docs](https://example.com/docs?page=2#token)",
    "| token | logprob |\n|---|---|\n| Hello | -0.31 |",
    "https://example.com:8080/@user",
    "https://user@example.com/path",
    "ssh://git@github.com:22/owner/repo.git",
    "git@github.com:owner/repo.git",
    "postgres://localhost:5432/app",
    "postgres://${USER}:${PASSWORD}@${HOST}/db",
    "mailto:ann@example.com",
    "ann@example.com",
    "http://localhost:3000/?token=",
    "https://example.com/?tokens=12&page=2",
    "https://example.com/reset-password?step=2",
    "https://example.com/?secret=true",
    "file:///C:/Users/ann/sk-notes.txt",
    // Source code, SQL, configuration, logs.
    "const token = await getToken();",
    "token = tokenizer.next_token()",
    "let secret = process.env.CLIENT_SECRET;",
    "api_key = os.environ[\"OPENAI_API_KEY\"]",
    "password = getpass.getpass()",
    "def login(user, password=None):",
    "if (password === confirmPassword) return;",
    "password: string; token?: string",
    "apiKey: config.apiKey",
    "self.password = password",
    "login(username=username, password=password)",
    "private_key: PrivateKey",
    "fn token(&self) -> Token { self.token }",
    "SELECT password, token FROM users WHERE id = 4111",
    "CREATE TABLE users (id INT, password VARCHAR(255) NOT NULL, token TEXT)",
    "UPDATE users SET password = $1 WHERE id = $2",
    "WHERE secret IS NULL AND cookie = ?",
    "GRANT ALL ON db TO 'user'",
    "password: ${{ secrets.DB_PASSWORD }}",
    "password: {{ vault_password }}",
    "OPENAI_API_KEY=$OPENAI_API_KEY",
    "OPENAI_API_KEY=",
    "API_KEY=<your-key>",
    "secret: false",
    "tokens: 12",
    "max_tokens=4096",
    "total_tokens: 1234567",
    "token_count=12345678",
    "password: must have at least 8 characters",
    "The password is required",
    "Enter your password:",
    "password:",
    "Forgot password? Reset it here",
    "author: Ann",
    "passage: 12",
    "public_key_id=3",
    "cvv_check: pass",
    "compass=north12",
    "Error: invalid token at line 12",
    "Unexpected token } in JSON at position 4111",
    "SyntaxError: Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
    "at Object.<anonymous> (/app/sk-index.js:10:5)",
    "2024-05-01T12:34:56Z INFO [32] request done in 12 ms",
    "\u{1b}[32mINFO\u{1b}[0m ready in 4111 ms",
    "C:\\new\\table\\sk-test",
    "[Redacted]",
    "***",
    "{\"a\": [1, 2, {\"b\": null}]}",
    "[1,2,3]",
    "{not json}",
    "%3D",
    "100%sure",
    "\\n\\t",
    "\\",
    "",
    " ",
];

/// Fields, which are to come out as they are.
fn fields() -> Vec<Value> {
    vec![
        json!({ "token": "Hello", "logprob": -0.31, "bytes": [72, 101], "top_logprobs": [{ "token": " the" }, { "token": "12" }] }),
        json!({ "token": "<|endoftext|>" }),
        json!({ "tokens": 12, "total_tokens": 1234, "max_tokens": 4096, "token_count": 12, "tokenCount": 3 }),
        json!({ "tokens": ["Hello", " world"], "token_ids": [15496, 995] }),
        json!({ "token": 12, "secret": false, "password": null, "apiKey": true, "cookie": {} }),
        json!({ "cookies": ["chocolate chip"], "cookie": "chocolate chip", "cookie_consent": true }),
        json!({ "secretary": "Ann", "author": "Ann", "passage": "Once upon a time", "passages": ["a"], "compass": "N" }),
        json!({ "public_key_id": "k1", "key": "value", "keys": ["a"], "primary_key": "id", "sort_key": "name" }),
        json!({ "password": { "type": "string", "minLength": 8 }, "required": ["password", "token"] }),
        json!({ "name": "password", "description": "The user's password" }),
        json!({ "next_page_token": "CAUQAA", "token_type": "bearer", "expires_in": 3600 }),
        json!({ "credentials": "include", "authorized": true, "authorization_url": "https://example.com/oauth" }),
        json!({ "cvv_check": "pass", "card": { "brand": "visa", "last4": "1111", "exp_month": 12 } }),
        json!({ "embedding": [0.4111111111111111, -0.3782822463100051, 0.012345678901234567] }),
        json!({ "ns": 1_700_000_000_000_000_000_u64, "us": 1_700_000_000_000_000_u64, "id": 1_541_815_603_606_036_480_u64 }),
        json!({ "id": 4_111_111_111_111_112_u64, "n": -4_111_111_111_111_111_i64, "f": 4_111_111_111_111_111.5_f64 }),
        json!({ "session_name": "chat", "accesskey": "s", "license": "MIT", "string": "x", "value": "y", "hash": "z" }),
        json!({ "usage": { "prompt_tokens": 9, "completion_tokens": 12, "prompt_tokens_details": { "cached_tokens": 0 } } }),
    ]
}

fn masked(json: &str) -> String {
    Redaction::default().apply(json.to_owned())
}

#[test]
fn ordinary_texts_are_left_alone() {
    assert!(TEXTS.len() >= 200, "{}", TEXTS.len());
    let mut faults = Vec::new();
    for text in TEXTS {
        let nested = json!({ "text": text, "list": [text, 1] }).to_string();
        for fields in [
            json!({ "metadata": { "a": text } }),
            json!({ "a": format!("It says: {text}, and more."), "b": format!("a\n{text}\nb") }),
            json!({ "a": [text, text], "b": format!("({text})"), "c": format!("\"{text}\"") }),
            json!({ "arguments": nested, "twice": json!({ "inner": nested }).to_string() }),
            json!({ "a": format!("Called with {nested}") }),
            json!({ *text: 1 }),
        ] {
            let json = fields.to_string();
            let told = masked(&json);
            if told != json {
                faults.push(format!("{text:?}: {json}\n      became {told}"));
                break;
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn ordinary_fields_are_left_alone() {
    for fields in fields() {
        let json = fields.to_string();
        assert_eq!(masked(&json), json);
        let nested = json!({ "arguments": json }).to_string();
        assert_eq!(masked(&nested), nested);
    }
}

/// Random values of one kind.
type Kind = (&'static str, fn(&mut fastrand::Rng) -> String);

/// So many values of each kind.
const SAMPLES: usize = 100_000;

fn digits(random: &mut fastrand::Rng, length: usize) -> String {
    (0..length).map(|_| random.digit(10)).collect()
}

/// Numbers as text, of which none is a card's by every rule.
const KINDS: &[Kind] = &[
    ("float", |random| random.f64().to_string()),
    ("negative float", |random| (-random.f64()).to_string()),
    ("large float", |random| (random.f64() * 1e6).to_string()),
    ("f32", |random| random.f32().to_string()),
    ("exponent", |random| format!("{:e}", random.f64() * 1e20)),
    ("decimal comma", |random| format!("0,{}", digits(random, 16))),
    ("list of floats", |random| {
        let list: Vec<String> = (0..8).map(|_| (random.f64() * 2.0 - 1.0).to_string()).collect();
        list.join(", ")
    }),
    ("ratings", |random| {
        let list: Vec<String> = (0..20).map(|_| random.u8(1..=5).to_string()).collect();
        list.join(if random.bool() { " " } else { "," })
    }),
    ("numbers of two digits", |random| {
        let list: Vec<String> = (0..20).map(|_| random.u8(10..=99).to_string()).collect();
        list.join(if random.bool() { " " } else { "-" })
    }),
    ("numbers of three digits", |random| {
        let list: Vec<String> = (0..10).map(|_| random.u16(100..=999).to_string()).collect();
        list.join(" ")
    }),
    ("German mobile number", |random| {
        format!("01{}{} {}", random.u8(5..=7), digits(random, 1), digits(random, 8))
    }),
    ("grouped mobile number", |random| {
        format!(
            "01{}{} {} {}",
            random.u8(5..=7),
            digits(random, 1),
            digits(random, 4),
            digits(random, 4)
        )
    }),
    ("international number", |random| format!("+49 1{} {}", digits(random, 2), digits(random, 8))),
    ("number without a plus", |random| format!("00491{}", digits(random, 10))),
    ("EAN-13", |random| format!("4{}", digits(random, 12))),
    ("EAN-8", |random| digits(random, 8)),
    ("ISBN", |random| format!("978{}", digits(random, 10))),
    ("IBAN", |random| format!("DE{} {}", digits(random, 2), grouped(&digits(random, 18)))),
    ("IBAN of Austria", |random| {
        format!("AT{} {}", digits(random, 2), grouped(&digits(random, 16)))
    }),
    ("IBAN without spaces", |random| format!("DE{}", digits(random, 20))),
    ("snowflake", |random| {
        random.u64(100_000_000_000_000_000..2_000_000_000_000_000_000).to_string()
    }),
    ("i64", |random| random.i64(1_000_000_000_000_000_000..).to_string()),
    ("milliseconds", |random| random.u64(1_000_000_000_000..2_000_000_000_000).to_string()),
    ("microseconds", |random| random.u64(1_000_000_000_000_000..2_000_000_000_000_000).to_string()),
    ("nanoseconds", |random| {
        random.u64(1_000_000_000_000_000_000..2_000_000_000_000_000_000).to_string()
    }),
    ("seconds with nanoseconds", |random| format!("17{}.{}", digits(random, 8), digits(random, 9))),
    ("17 digits", |random| format!("{}{}", random.u8(1..=9), digits(random, 16))),
    ("20 digits", |random| format!("{}{}", random.u8(1..=9), digits(random, 19))),
    ("up to 13 digits", |random| {
        let length = random.usize(1..=13);
        digits(random, length)
    }),
    ("UUID", |random| {
        let hex = format!("{:032x}", random.u128(..));
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }),
    ("UUID of digits", |random| {
        let hex = digits(random, 32);
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }),
    ("SHA-1", |random| format!("{:032x}{:08x}", random.u128(..), random.u32(..))),
    ("base64", |random| {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..64).map(|_| char::from(alphabet[random.usize(..64)])).collect()
    }),
    ("price", |random| format!("{}.{:02}", random.u32(..), random.u8(0..100))),
    ("version", |random| format!("{}.{}.{}", random.u16(..), random.u16(..), random.u16(..))),
    ("address", |random| {
        format!("{}.{}.{}.{}", random.u8(..), random.u8(..), random.u8(..), random.u8(..))
    }),
];

/// In groups of four.
fn grouped(digits: &str) -> String {
    let groups: Vec<&str> =
        (0..digits.len()).step_by(4).map(|at| &digits[at..digits.len().min(at + 4)]).collect();
    groups.join(" ")
}

#[test]
fn random_numbers_of_every_kind_are_left_alone() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut faults = Vec::new();
    for (kind, make) in KINDS {
        let mut touched = 0;
        let mut first = String::new();
        for _ in 0..SAMPLES {
            let value = make(&mut random);
            let json = format!("{{\"a\":\"{value}\"}}");
            if masked(&json) != json {
                touched += 1;
                first = value;
            }
        }
        if touched > 0 {
            faults.push(format!("{kind}: {touched}, as {first:?}"));
        }
    }
    assert!(faults.is_empty(), "of {SAMPLES} each were touched\n{}", faults.join("\n"));
}

#[test]
fn random_numbers_in_json_are_left_alone() {
    let mut random = fastrand::Rng::with_seed(8);
    for _ in 0..SAMPLES {
        let list = json!([
            random.f64(),
            random.f64() * 1e15,
            random.u32(..),
            random.u64(1_000_000_000_000_000_000..),
            random.u64(1_700_000_000_000_000..1_800_000_000_000_000),
        ]);
        let json = json!({ "a": list, "b": list.to_string() }).to_string();
        assert_eq!(masked(&json), json);
    }
}
