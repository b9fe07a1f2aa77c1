//! Recognises names of secrets by their words: `apiKey`, `api_key`, `API-KEY` and `OPENAI_API_KEY` all end in the words
//! "api key".

use super::reader::is_random;

/// How the value under a name is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The value is not masked.
    Open,
    /// Any value is masked, because the application lists the name itself.
    Own,
    /// Any string is masked.
    Secret,
    /// A string is masked if it looks like a token. The name is ambiguous: models count their words in tokens.
    Token,
    /// A string is masked unless it consists of plain words.
    Cookie,
    /// Strings and numbers are masked, because the name is one of a payment card's.
    Card,
}

/// An ending of names, in any spelling, that determines their class.
struct Noun {
    /// Its letters in lower case, without separators.
    letters: &'static str,
    class: Class,
    /// Its last letter.
    last: u8,
    /// Whether it has to begin a word of the name: "passtoken" ends in "token", but "ascvv" does not end in "cvv".
    begins_word: bool,
}

const fn last_of(letters: &str) -> u8 {
    letters.as_bytes()[letters.len() - 1]
}

const fn word(letters: &'static str, class: Class) -> Noun {
    Noun { letters, class, last: last_of(letters), begins_word: true }
}

const fn anywhere(letters: &'static str, class: Class) -> Noun {
    Noun { letters, class, last: last_of(letters), begins_word: false }
}

use Class::{Card, Cookie, Secret, Token};

/// A longer noun comes before a noun that it ends in.
const NOUNS: &[Noun] = &[
    anywhere("password", Secret),
    anywhere("passwords", Secret),
    anywhere("passwd", Secret),
    anywhere("passphrase", Secret),
    word("pwd", Secret),
    word("passcode", Secret),
    word("dbpass", Secret),
    word("mysqlpass", Secret),
    word("pgpass", Secret),
    word("postgrespass", Secret),
    word("redispass", Secret),
    word("smtppass", Secret),
    word("mailpass", Secret),
    word("ftppass", Secret),
    word("userpass", Secret),
    word("adminpass", Secret),
    word("rootpass", Secret),
    word("sshpass", Secret),
    anywhere("clientsecret", Secret),
    anywhere("appsecret", Secret),
    anywhere("apisecret", Secret),
    anywhere("jwtsecret", Secret),
    word("secret", Secret),
    anywhere("apikey", Secret),
    anywhere("apikeys", Secret),
    anywhere("secretkey", Secret),
    anywhere("privatekey", Secret),
    anywhere("secretaccesskey", Secret),
    anywhere("sharedaccesskey", Secret),
    anywhere("encryptionkey", Secret),
    anywhere("decryptionkey", Secret),
    anywhere("signingkey", Secret),
    anywhere("subscriptionkey", Secret),
    anywhere("servicerolekey", Secret),
    word("masterkey", Secret),
    word("accountkey", Secret),
    word("storagekey", Token),
    word("servicekey", Token),
    word("accesskey", Token),
    word("authkey", Secret),
    word("sharedkey", Token),
    word("hmackey", Secret),
    word("deploykey", Token),
    word("licensekey", Token),
    word("adminkey", Token),
    word("sshkey", Token),
    word("openaikey", Token),
    word("anthropickey", Token),
    word("stripekey", Token),
    word("azurekey", Token),
    word("groqkey", Token),
    word("geminikey", Token),
    word("coherekey", Token),
    word("mistralkey", Token),
    word("sendgridkey", Token),
    word("twiliokey", Token),
    word("honeyhivekey", Token),
    word("hhkey", Token),
    // A pagination token is not a secret.
    word("pagetoken", Class::Open),
    word("nexttoken", Class::Open),
    word("continuationtoken", Class::Open),
    word("synctoken", Class::Open),
    word("cursortoken", Class::Open),
    anywhere("accesstoken", Secret),
    anywhere("refreshtoken", Secret),
    anywhere("authtoken", Secret),
    anywhere("sessiontoken", Secret),
    anywhere("bearertoken", Secret),
    anywhere("securitytoken", Secret),
    anywhere("oauthtoken", Secret),
    anywhere("csrftoken", Secret),
    anywhere("xsrftoken", Secret),
    word("apitoken", Secret),
    word("idtoken", Secret),
    word("bottoken", Secret),
    word("authorizationtoken", Secret),
    anywhere("token", Token),
    word("credential", Token),
    word("credentials", Token),
    word("authorization", Secret),
    word("authheader", Secret),
    word("setcookie", Secret),
    word("sessioncookie", Secret),
    word("authcookie", Secret),
    word("cookie", Cookie),
    word("cookies", Cookie),
    word("connectionstring", Secret),
    word("connstring", Secret),
    word("connstr", Secret),
    word("cvv", Card),
    word("cvc", Card),
    anywhere("cardnumber", Card),
    word("cardno", Card),
    word("cardnum", Card),
    word("cardpan", Card),
    word("ccnumber", Card),
    word("ccnum", Card),
    word("creditcard", Card),
    word("debitcard", Card),
    word("cardsecuritycode", Card),
    word("cardverificationcode", Card),
    word("cardverificationvalue", Card),
    word("securitycode", Card),
];

/// Words after a noun that say which of several secrets it is or how it is encoded. The name remains a secret's.
const QUALIFIERS: &[&str] = &[
    "again",
    "b64",
    "backup",
    "base64",
    "confirm",
    "confirmation",
    "dev",
    "encoded",
    "encrypted",
    "hash",
    "header",
    "hex",
    "live",
    "main",
    "new",
    "old",
    "pem",
    "plain",
    "plaintext",
    "primary",
    "prod",
    "production",
    "raw",
    "repeat",
    "secondary",
    "staging",
    "str",
    "string",
    "test",
    "value",
];

/// How many letters and digits of a name are examined, counted from its end.
const LONGEST_NAME: usize = 64;

/// A bit for each hash of three letters: whether any listed word ends in such letters.
type Endings = [u32; 1024];

const fn with(mut endings: Endings, letters: &str) -> Endings {
    let letters = letters.as_bytes();
    let length = letters.len();
    let hash = hash(letters[length - 1], letters[length - 2], letters[length - 3]);
    endings[hash >> 5] |= 1 << (hash & 31);
    endings
}

const NOUN_ENDINGS: Endings = {
    let mut endings = [0; 1024];
    let mut at = 0;
    while at < NOUNS.len() {
        endings = with(endings, NOUNS[at].letters);
        at += 1;
    }
    endings
};

const QUALIFIER_ENDINGS: Endings = {
    let mut endings = [0; 1024];
    let mut at = 0;
    while at < QUALIFIERS.len() {
        endings = with(endings, QUALIFIERS[at]);
        at += 1;
    }
    endings
};

fn may_end(endings: &Endings, hash: usize) -> bool {
    endings[hash >> 5] >> (hash & 31) & 1 != 0
}

/// A hash from 0 to 32,767 of a name's last three letters. It ignores case.
const fn hash(last: u8, before: u8, first: u8) -> usize {
    (last as usize & 31) | (before as usize & 31) << 5 | (first as usize & 31) << 10
}

/// The end of a name in lower case, without separators.
struct FoldedName {
    letters: [u8; LONGEST_NAME],
    length: usize,
    /// A bit for each letter: whether it begins a word.
    starts: u64,
}

impl FoldedName {
    fn of(name: &[u8]) -> FoldedName {
        let mut folded = FoldedName { letters: [0; LONGEST_NAME], length: 0, starts: 0 };
        let name = &name[name.len().saturating_sub(2 * LONGEST_NAME)..];
        let count = name.iter().filter(|byte| is_letter(**byte)).count();
        let mut skipped = count.saturating_sub(LONGEST_NAME);
        let mut before = 0;
        for (at, &byte) in name.iter().enumerate() {
            let last = std::mem::replace(&mut before, byte);
            if !is_letter(byte) {
                continue;
            }
            if skipped > 0 {
                skipped -= 1;
                continue;
            }
            let next_is_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            let begins = !is_letter(last)
                || byte.is_ascii_uppercase() && (!last.is_ascii_uppercase() || next_is_lower);
            folded.starts |= u64::from(begins) << folded.length;
            folded.letters[folded.length] = byte.to_ascii_lowercase();
            folded.length += 1;
        }
        folded
    }

    fn may_end_in(&self, endings: &Endings) -> bool {
        match self.letters[..self.length] {
            [.., first, before, last] => may_end(endings, hash(last, before, first)),
            _ => false,
        }
    }

    fn ends_in(&self, letters: &str, begins_word: bool) -> bool {
        let Some(start) = self.length.checked_sub(letters.len()) else { return false };
        &self.letters[start..self.length] == letters.as_bytes()
            && (!begins_word || start == 0 || self.starts >> start & 1 != 0)
    }

    /// Removes a qualifier or digits from the end. Returns whether there were any.
    fn drop_qualifier(&mut self) -> bool {
        let length = self.length;
        let may_end = self.may_end_in(&QUALIFIER_ENDINGS);
        let qualifiers = if may_end { QUALIFIERS } else { &[] };
        let qualifier = qualifiers.iter().find(|it| length > it.len() && self.ends_in(it, true));
        self.length -= qualifier.map_or(0, |it| it.len());
        if self.length < length {
            return true;
        }
        while self.length > 0 && self.letters[self.length - 1].is_ascii_digit() {
            self.length -= 1;
        }
        self.length < length
    }
}

/// Whether `byte` belongs to a word. All bytes beyond ASCII do.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The last three letters of `name`, the last one first; 0 for missing ones.
fn last_letters(name: &[u8]) -> (u8, u8, u8) {
    let mut letters = name.iter().rev().copied().filter(|byte| is_letter(*byte));
    let mut next = || letters.next().unwrap_or(0);
    (next(), next(), next())
}

/// The class of a name by its words.
pub fn class_of(name: &[u8]) -> Class {
    // Most names do not end like any noun, which their last three letters show.
    let (last, before, first) = match *name {
        [.., first, before, last] if is_letter(last) && is_letter(before) && is_letter(first) => {
            (last, before, first)
        }
        _ => last_letters(name),
    };
    let hash = hash(last, before, first);
    let may_be = may_end(&NOUN_ENDINGS, hash) || may_end(&QUALIFIER_ENDINGS, hash);
    if first == 0 || !last.is_ascii_digit() && !may_be {
        return Class::Open;
    }
    let mut name = FoldedName::of(name);
    loop {
        let last = name.letters[..name.length].last().copied().unwrap_or(0);
        let nouns = if name.may_end_in(&NOUN_ENDINGS) { NOUNS } else { &[] };
        for noun in nouns {
            // The last letter rules out most nouns without a call.
            if noun.last == last && name.ends_in(noun.letters, noun.begins_word) {
                return noun.class;
            }
        }
        if !name.drop_qualifier() {
            return Class::Open;
        }
    }
}

/// Whether `text`, the inside of a JSON string, is masked under a name of `class`.
pub fn is_secret(class: Class, text: &[u8]) -> bool {
    match class {
        Class::Open => false,
        Class::Own => true,
        Class::Secret => !text.is_empty(),
        Class::Token => is_token(text),
        Class::Cookie => text.iter().any(|byte| byte.is_ascii_digit() || *byte == b'='),
        Class::Card => text.iter().any(u8::is_ascii_digit),
    }
}

/// Whether `text` looks like an access token and not like a word that a model counts as a token. Only access tokens mix
/// letters and digits over ten bytes or more without a space.
pub fn is_token(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let fits =
        text.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'\\'));
    let is_date = matches!(text, [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..]);
    fits && letters > 0 && (text.len() >= 10 && digits >= 3 && !is_date || is_random(text))
}

/// The letters of a key, so that different spellings match.
fn fold_key(key: &[u8]) -> Vec<u8> {
    let mut folded = key.to_ascii_lowercase();
    folded.retain(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' '));
    folded
}

/// The keys of an application's own list, in any spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKeys(Vec<Vec<u8>>);

impl OwnKeys {
    /// Those of `keys` that have any letters.
    pub fn of(keys: &[String]) -> OwnKeys {
        let mut own = OwnKeys(Vec::new());
        for key in keys {
            let key = fold_key(key.as_bytes());
            if !key.is_empty()
                && let Err(place) = own.0.binary_search(&key)
            {
                own.0.insert(place, key);
            }
        }
        own
    }

    /// Whether the list contains `key`.
    pub fn has(&self, key: &[u8]) -> bool {
        self.0.binary_search(&fold_key(key)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str) -> Class {
        class_of(name.as_bytes())
    }

    #[test]
    fn one_name_is_the_same_in_every_spelling() {
        for name in [
            "api_key",
            "apiKey",
            "api-key",
            "API_KEY",
            "APIKey",
            "ApiKey",
            "apikey",
            "APIKEY",
            "Api Key",
            "api.key",
            "OPENAI_API_KEY",
            "openaiApiKey",
            "x-api-key",
            "X-API-Key",
            "apiKey2",
            "API_KEY_PROD",
            "api_key_1",
        ] {
            assert_eq!(class(name), Secret, "{name}");
        }
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "password",
            "Password",
            "db_password",
            "dbPassword",
            "dbpassword",
            "newPassword",
            "new-password",
            "password_confirmation",
            "passwordHash",
            "PASSWORD1",
            "PGPASSWORD",
            "passwd",
            "pwd",
            "passphrase",
            "secret",
            "client_secret",
            "clientSecret",
            "webhookSecret",
            "aws_secret_access_key",
            "AWS_SECRET_ACCESS_KEY",
            "private_key",
            "privateKeyPem",
            "connection_string",
            "connectionString",
            "session_token",
            "sessionToken",
            "AWS_SESSION_TOKEN",
            "x-auth-token",
            "access_token",
            "refreshToken",
            "id_token",
            "authorization",
            "Proxy-Authorization",
            "Set-Cookie",
            "setCookie",
            "secret_key_base64",
            "DB_PASS",
            "encryption_key",
        ] {
            assert_eq!(class(name), Secret, "{name}");
        }
        for name in ["token", "GITHUB_TOKEN", "hfToken", "access_key", "credentials", "OPENAI_KEY"]
        {
            assert_eq!(class(name), Token, "{name}");
        }
        for name in [
            "cvv",
            "CVV2",
            "cvc",
            "card_number",
            "cardNumber",
            "credit_card_number",
            "card_cvc",
            "creditCard",
        ] {
            assert_eq!(class(name), Card, "{name}");
        }
    }

    #[test]
    fn names_that_only_look_alike_are_open() {
        for name in [
            "",
            "_",
            "tokens",
            "token_count",
            "tokenCount",
            "total_tokens",
            "max_tokens",
            "tokenizer",
            "author",
            "authors",
            "passage",
            "passages",
            "passed",
            "pass",
            "compass",
            "public_key",
            "public_key_id",
            "api_key_id",
            "key",
            "keys",
            "primary_key",
            "sort_key",
            "monkey",
            "keyboard",
            "secretary",
            "secret_name",
            "secretId",
            "password_length",
            "passwordPolicy",
            "cookie_consent",
            "cookieCount",
            "authorized",
            "authorization_url",
            "token_type",
            "next_page_token",
            "nextToken",
            "card",
            "cardinality",
            "card_brand",
            "cvv_check",
            "number",
            "name",
            "id",
            "description",
            "reason",
            "user",
            "session",
            "session_name",
            "string",
            "value",
            "test",
            "header",
            "ascvv",
        ] {
            assert_eq!(class(name), Class::Open, "{name}");
        }
    }

    #[test]
    fn a_token_is_told_from_a_word() {
        for token in [
            "abc123def456",
            "a1b2c3d4",
            "9f86d081884c7d65",
            "tok_live_4f9a8c7b",
            "xyzABC123xyzABC123",
        ] {
            assert!(is_token(token.as_bytes()), "{token}");
        }
        for word in [
            "",
            "Hello",
            " the",
            "12",
            "2024",
            "<|endoftext|>",
            "[PAD]",
            "</s>",
            "internationalization",
            "gpt-4o",
            "covid-19",
            "windows-10",
            "2024-05-01T10",
            "antidisestablishmentarianism",
            "\\n\\n",
            "3.14159265358979",
        ] {
            assert!(!is_token(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn a_very_long_name_is_judged_by_its_end() {
        let long = ["a_".repeat(5_000), "password".into()].concat();
        assert_eq!(class(&long), Secret);
        assert_eq!(class(&"é".repeat(5_000)), Class::Open);
    }
}
