//! A table of the secrets that begin with a prefix of their own.
//!
//! Each row says what follows the prefix: the alphabet, the least length, and any further condition. Prefixes, alphabets
//! and lengths are facts from the vendors' documents and from published rule sets: gitleaks (`config/gitleaks.toml`,
//! whose rule is named) and secretlint. A length below the published one allows a vendor to shorten a key, but none is
//! so short that words match. Public keys (Stripe's `pk_live_`, Langfuse's `pk-lf-`) are not secrets and not listed.

use super::reader::Alphabet::{self, Alnum, Base64, Dotted, Hex, Token, Upper, Url};

/// A condition on the bytes after a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Only their number matters.
    Length,
    /// They contain a digit.
    Digit,
    /// They look random, because ordinary names begin with the prefix as well: see
    /// [`Reader::looks_random`](super::reader::Reader::looks_random).
    Random,
}

/// The shape of one kind of secret.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The prefix.
    pub prefix: &'static str,
    /// The alphabet of the rest.
    pub alphabet: Alphabet,
    /// The least number of bytes after the prefix.
    pub shortest: usize,
    /// Whether exactly `shortest` bytes follow the prefix.
    pub is_exact: bool,
    /// Whether the prefix is a URL that is not masked.
    pub keeps_prefix: bool,
    /// The condition on the rest.
    pub needs: Needs,
}

const fn rule(prefix: &'static str, alphabet: Alphabet, shortest: usize) -> Rule {
    let needs = Needs::Length;
    Rule { prefix, alphabet, shortest, is_exact: false, keeps_prefix: false, needs }
}

const fn exact(prefix: &'static str, alphabet: Alphabet, length: usize) -> Rule {
    Rule { is_exact: true, ..rule(prefix, alphabet, length) }
}

const fn with_digit(prefix: &'static str, alphabet: Alphabet, shortest: usize) -> Rule {
    Rule { needs: Needs::Digit, ..rule(prefix, alphabet, shortest) }
}

const fn random(prefix: &'static str, alphabet: Alphabet, shortest: usize) -> Rule {
    Rule { needs: Needs::Random, ..rule(prefix, alphabet, shortest) }
}

const fn address(prefix: &'static str, alphabet: Alphabet, shortest: usize) -> Rule {
    Rule { keeps_prefix: true, ..rule(prefix, alphabet, shortest) }
}

/// All rules, sorted by the first byte of their prefix. If one prefix begins with another, the longer one comes first.
pub const RULES: &[Rule] = &[
    // 1Password: secret keys, service accounts (gitleaks 1password-*).
    with_digit("A3-", Url, 30),
    // AWS: access key ids, Bedrock's keys (gitleaks aws-access-token, aws-amazon-bedrock-*).
    rule("ABSK", Base64, 100),
    exact("ABIA", Upper, 16),
    exact("ACCA", Upper, 16),
    // age (gitleaks age-secret-key).
    rule("AGE-SECRET-KEY-1", Alnum, 50),
    // Google: API keys (gitleaks gcp-api-key).
    rule("AIza", Url, 30),
    exact("AKIA", Upper, 16),
    // JFrog (gitleaks artifactory-api-key).
    rule("AKCp", Alnum, 60),
    // Octopus Deploy (gitleaks octopus-deploy-api-key).
    exact("API-", Upper, 26),
    // Yandex: API keys (gitleaks yandex-api-key).
    rule("AQVN", Url, 34),
    exact("ASIA", Upper, 16),
    // Atlassian and Bitbucket (gitleaks atlassian-api-token; Atlassian's "API token format").
    with_digit("ATATT", Base64, 40),
    with_digit("ATBB", Alnum, 24),
    with_digit("ATCTT", Base64, 40),
    // CircleCI ("Managing API tokens").
    random("CCIPAT_", Url, 30),
    // Contentful ("Personal access tokens").
    rule("CFPAT-", Url, 40),
    // Clojars (gitleaks clojars-api-token).
    rule("CLOJARS_", Alnum, 55),
    // Facebook (gitleaks facebook-page-access-token), Square (gitleaks square-access-token).
    with_digit("EAAA", Url, 55),
    with_digit("EAA", Alnum, 80),
    // EasyPost (gitleaks easypost-*).
    rule("EZAK", Alnum, 50),
    rule("EZTK", Alnum, 50),
    // Flutterwave (gitleaks flutterwave-*).
    with_digit("FLWSECK_TEST-", Url, 12),
    with_digit("FLWSECK-", Url, 12),
    // Google: the secrets of OAuth clients.
    rule("GOCSPX-", Url, 24),
    // GitLab: runner registration (gitleaks gitlab-rrt).
    rule("GR1348941", Url, 20),
    // Heroku (gitleaks heroku-api-key-v2).
    rule("HRKU-", Url, 36),
    // Alibaba Cloud (gitleaks alibaba-access-key-id).
    with_digit("LTAI", Alnum, 16),
    // New Relic (gitleaks new-relic-*).
    rule("NRAK-", Alnum, 27),
    rule("NRII-", Url, 32),
    // Postman (gitleaks postman-api-token).
    rule("PMAK-", Url, 40),
    // SendGrid (gitleaks sendgrid-api-token), Twilio (gitleaks twilio-api-key).
    rule("SG.", Dotted, 50),
    exact("SK", Hex, 32),
    // A JSON web token that was coded in Base64 once more (gitleaks jwt-base64).
    rule("ZXlK", Base64, 60),
    // Hugging Face: organisations (gitleaks huggingface-organization-api-token).
    rule("api_org_", Alnum, 30),
    // AWS: Bedrock's short-lived keys (gitleaks aws-amazon-bedrock-api-key-short-lived).
    rule("bedrock-api-key-", Base64, 40),
    // Buildkite ("Token security").
    rule("bkua_", Alnum, 36),
    // Braintrust ("API keys").
    random("bt-st-", Alnum, 24),
    // Cloudflare ("Token formats").
    with_digit("cfat_", Alnum, 36),
    with_digit("cfk_", Alnum, 36),
    with_digit("cfut_", Alnum, 36),
    // JFrog (gitleaks artifactory-reference-token).
    rule("cmVmd", Alnum, 55),
    // Cerebras ("API keys").
    random("csk-", Alnum, 32),
    // Databricks (gitleaks databricks-api-token).
    rule("dapi", Hex, 32),
    // Docker ("Access tokens").
    with_digit("dckr_oat_", Url, 24),
    with_digit("dckr_pat_", Url, 24),
    // Discord: webhooks ("Webhook resource").
    address("discord.com/api/webhooks/", Token, 40),
    address("discordapp.com/api/webhooks/", Token, 40),
    // DigitalOcean (gitleaks digitalocean-*).
    rule("doo_v1_", Hex, 60),
    rule("dop_v1_", Hex, 60),
    rule("dor_v1_", Hex, 60),
    // Doppler (gitleaks doppler-api-token; "Token formats").
    rule("dp.audit.", Alnum, 36),
    rule("dp.ct.", Alnum, 36),
    rule("dp.pt.", Alnum, 36),
    rule("dp.sa.", Alnum, 36),
    rule("dp.scim.", Alnum, 36),
    rule("dp.st.", Dotted, 36),
    // Dynatrace (gitleaks dynatrace-api-token).
    rule("dt0c01.", Dotted, 80),
    // Duffel (gitleaks duffel-api-token).
    rule("duffel_live_", Base64, 36),
    rule("duffel_test_", Base64, 36),
    // E2B ("API key").
    rule("e2b_", Hex, 36),
    // Grafana: API keys (gitleaks grafana-api-key).
    rule("eyJrIjoi", Base64, 60),
    // Figma ("Personal access tokens").
    with_digit("figd_", Url, 36),
    with_digit("figdr_", Url, 36),
    // Frame.io (gitleaks frameio-api-token).
    rule("fio-u-", Base64, 60),
    // Fly.io (gitleaks flyio-access-token).
    with_digit("fm1a_", Base64, 80),
    with_digit("fm1r_", Base64, 80),
    with_digit("fm2_", Base64, 80),
    with_digit("fo1_", Url, 40),
    // GitHub (gitleaks github-*).
    rule("ghp_", Alnum, 30),
    rule("gho_", Alnum, 30),
    rule("ghr_", Alnum, 30),
    rule("ghs_", Alnum, 30),
    rule("ghu_", Alnum, 30),
    with_digit("github_pat_", Url, 40),
    // GitLab (gitleaks gitlab-*).
    with_digit("glagent-", Dotted, 20),
    with_digit("glcbt-", Dotted, 20),
    // Grafana Cloud (gitleaks grafana-cloud-api-token).
    with_digit("glc_", Base64, 32),
    with_digit("gldt-", Dotted, 20),
    with_digit("glffct-", Dotted, 20),
    with_digit("glft-", Dotted, 20),
    with_digit("glimt-", Dotted, 20),
    with_digit("gloas-", Dotted, 20),
    rule("glpat-", Dotted, 20),
    with_digit("glptt-", Dotted, 20),
    with_digit("glrt-", Dotted, 20),
    // Grafana: service accounts (gitleaks grafana-service-account-token).
    rule("glsa_", Url, 36),
    random("glsoat-", Dotted, 20),
    // Groq ("API keys").
    rule("gsk_", Alnum, 40),
    // Hugging Face (gitleaks huggingface-access-token).
    rule("hf_", Alnum, 30),
    // HoneyHive: ingestion keys, keys of the data plane, and older ones.
    with_digit("hh_fgdp_", Url, 16),
    rule("hh_fgdp_", Alnum, 16),
    with_digit("hh_ingst_", Url, 16),
    rule("hh_ingst_", Alnum, 16),
    random("hh_", Url, 16),
    // Slack: webhooks (gitleaks slack-webhook-url).
    address("hooks.slack.com/services/", Base64, 30),
    address("hooks.slack.com/triggers/", Base64, 30),
    address("hooks.slack.com/workflows/", Base64, 30),
    // HashiCorp Vault (gitleaks vault-*).
    with_digit("hvb.", Url, 60),
    with_digit("hvr.", Url, 60),
    with_digit("hvs.", Url, 22),
    // Infracost (gitleaks infracost-api-token).
    with_digit("ico-", Alnum, 32),
    // Jina ("API key").
    with_digit("jina_", Url, 40),
    // Mailgun ("API keys").
    exact("key-", Hex, 32),
    // Linear (gitleaks linear-api-key).
    rule("lin_api_", Alnum, 32),
    rule("lin_oauth_", Alnum, 32),
    // LangSmith ("API keys").
    rule("ls__", Hex, 30),
    rule("lsv2_pt_", Url, 32),
    rule("lsv2_sk_", Url, 32),
    // Netlify ("Token format").
    with_digit("nfp_", Alnum, 36),
    // npm (gitleaks npm-access-token).
    rule("npm_", Alnum, 30),
    // Notion (gitleaks notion-api-token).
    rule("ntn_", Alnum, 40),
    // NVIDIA ("NGC API keys").
    with_digit("nvapi-", Url, 50),
    // 1Password: service accounts (gitleaks 1password-service-account-token).
    rule("ops_eyJ", Base64, 60),
    // Airtable (gitleaks airtable-personnal-access-token) and Harness have their own shape: see patterns.
    // HubSpot ("Private apps").
    random("pat-eu1-", Url, 32),
    random("pat-na1-", Url, 32),
    // Pinecone ("API keys").
    random("pcsk_", Url, 40),
    // Adobe (gitleaks adobe-client-secret).
    rule("p8e-", Alnum, 32),
    // PostHog ("Personal API keys").
    rule("phx_", Alnum, 36),
    // Prefect (gitleaks prefect-api-token).
    rule("pnu_", Alnum, 34),
    // Perplexity (gitleaks perplexity-api-key).
    rule("pplx-", Alnum, 40),
    // PlanetScale (gitleaks planetscale-*).
    with_digit("pscale_oauth_", Dotted, 32),
    with_digit("pscale_pw_", Dotted, 32),
    with_digit("pscale_tkn_", Dotted, 32),
    // Pulumi (gitleaks pulumi-api-token).
    rule("pul-", Hex, 40),
    // PyPI (gitleaks pypi-upload-token).
    rule("pypi-AgE", Url, 40),
    // Replicate ("API tokens").
    rule("r8_", Alnum, 32),
    // ReadMe (gitleaks readme-api-token).
    rule("rdme_", Alnum, 60),
    // Resend ("API keys").
    random("re_", Url, 24),
    // Stripe (gitleaks stripe-access-token).
    rule("rk_live_", Alnum, 10),
    rule("rk_prod_", Alnum, 10),
    rule("rk_test_", Alnum, 10),
    // Render ("API keys").
    random("rnd_", Alnum, 24),
    // RubyGems (gitleaks rubygems-api-token).
    rule("rubygems_", Hex, 40),
    // Intra42 (gitleaks intra42-client-secret).
    rule("s-s4t2af-", Hex, 60),
    rule("s-s4t2ud-", Hex, 60),
    // Supabase ("API keys").
    rule("sb_secret_", Url, 20),
    rule("sbp_", Hex, 36),
    // Notion, before `ntn_`.
    rule("secret_", Alnum, 40),
    // Sourcegraph (gitleaks sourcegraph-access-token).
    with_digit("sgp_", Url, 40),
    // OpenShift (gitleaks openshift-user-token).
    rule("sha256~", Url, 40),
    // Shippo (gitleaks shippo-api-token).
    rule("shippo_live_", Hex, 36),
    rule("shippo_test_", Hex, 36),
    // Shopify (gitleaks shopify-*).
    rule("shpat_", Hex, 30),
    rule("shpca_", Hex, 30),
    rule("shppa_", Hex, 30),
    rule("shpss_", Hex, 30),
    // Anthropic (gitleaks anthropic-*), OpenRouter, OpenAI (gitleaks openai-api-key), Langfuse, and those
    // who write theirs as OpenAI did at first (DeepSeek, Moonshot, LiteLLM, Braintrust).
    random("sk-admin-", Url, 20),
    random("sk-ant-", Url, 20),
    random("sk-lf-", Url, 32),
    with_digit("sk-or-v1-", Alnum, 32),
    random("sk-proj-", Url, 16),
    random("sk-svcacct-", Url, 20),
    random("sk-", Url, 16),
    // Mapbox ("Access tokens").
    rule("sk.eyJ", Dotted, 60),
    // Stripe (gitleaks stripe-access-token), ElevenLabs ("API keys").
    rule("sk_live_", Alnum, 10),
    rule("sk_prod_", Alnum, 10),
    rule("sk_test_", Alnum, 10),
    rule("sk_", Hex, 40),
    // SettleMint (gitleaks settlemint-*).
    with_digit("sm_aat_", Alnum, 16),
    with_digit("sm_pat_", Alnum, 16),
    with_digit("sm_sat_", Alnum, 16),
    // Sentry (gitleaks sentry-*).
    rule("sntrys_", Base64, 40),
    rule("sntryu_", Hex, 60),
    // Square (gitleaks square-access-token).
    rule("sq0atp-", Url, 22),
    rule("sq0csp-", Url, 40),
    // Sonar ("Managing your tokens").
    rule("sqa_", Hex, 40),
    rule("sqp_", Hex, 40),
    rule("squ_", Hex, 40),
    // Typeform (gitleaks typeform-api-token).
    with_digit("tfp_", Base64, 40),
    // Scalingo (gitleaks scalingo-api-token).
    with_digit("tk-us-", Url, 44),
    // Tavily ("API key").
    random("tvly-", Url, 24),
    // Cloudflare: origin CA keys (gitleaks cloudflare-origin-ca-key).
    rule("v1.0-", Url, 100),
    // Vercel ("Token formats").
    with_digit("vca_", Alnum, 36),
    with_digit("vcp_", Alnum, 36),
    // Stripe and those who sign as it does: webhooks ("Check the signatures").
    rule("whsec_", Base64, 24),
    // xAI ("API keys").
    with_digit("xai-", Alnum, 50),
    // Slack (gitleaks slack-*).
    random("xapp-", Url, 20),
    // Brevo (gitleaks sendinblue-api-token).
    rule("xkeysib-", Url, 60),
    random("xoxa-", Url, 10),
    random("xoxb-", Url, 10),
    random("xoxc-", Url, 10),
    random("xoxd-", Url, 10),
    random("xoxe-", Url, 10),
    with_digit("xoxe.xoxb-", Url, 10),
    with_digit("xoxe.xoxp-", Url, 10),
    random("xoxo-", Url, 10),
    random("xoxp-", Url, 10),
    random("xoxr-", Url, 10),
    random("xoxs-", Url, 10),
    rule("xsmtpsib-", Url, 60),
    // Google: OAuth access tokens.
    with_digit("ya29.", Dotted, 20),
];

/// Words, in lower case, that begin a secret for which there is no rule in the table: see [`super::patterns`].
pub const WORDS: &[&str] = &["authorization", "basic", "bearer", "cookie"];

/// Prefixes of secrets for which there is no rule in the table: JSON web tokens, and tokens of Airtable and Harness.
const SHAPES: &[&str] = &["eyJ", "pat", "sat."];

/// A bit for each hash of three bytes: whether any secret begins with such bytes.
const BEGINNINGS: [u32; 512] = {
    const fn with(mut beginnings: [u32; 512], first: u8, second: u8, third: u8) -> [u32; 512] {
        let hash = hash(first, second, third);
        beginnings[hash >> 5] |= 1 << (hash & 31);
        beginnings
    }
    let mut all = [0; 512];
    let mut row = 0;
    while row < RULES.len() {
        let prefix = RULES[row].prefix.as_bytes();
        if prefix.len() > 2 {
            all = with(all, prefix[0], prefix[1], prefix[2]);
        } else {
            let mut third = 0_u8;
            while third < 128 {
                if third.is_ascii_hexdigit() {
                    all = with(all, prefix[0], prefix[1], third);
                }
                third += 1;
            }
        }
        row += 1;
    }
    row = 0;
    while row < SHAPES.len() {
        let prefix = SHAPES[row].as_bytes();
        all = with(all, prefix[0], prefix[1], prefix[2]);
        row += 1;
    }
    row = 0;
    while row < WORDS.len() {
        let word = WORDS[row].as_bytes();
        let mut cases = 0;
        while cases < 8 {
            let (first, second) = (word[0] ^ (cases & 1) << 5, word[1] ^ (cases >> 1 & 1) << 5);
            all = with(all, first, second, word[2] ^ (cases >> 2 & 1) << 5);
            cases += 1;
        }
        row += 1;
    }
    all
};

/// [`continuations`] of the second bytes.
const PAIRS: [u32; 128] = continuations(1);

/// For each first byte of a secret, a set of the bytes that it may have at `place`, which is 0, 1 or 2. The set has a bit
/// for each value of their last five bits.
pub const fn continuations(place: usize) -> [u32; 128] {
    /// The hexadecimal digits, which may follow the shortest prefix.
    const HEX: u32 = 0x3ff_007e;
    let mut sets = [0; 128];
    let mut row = 0;
    while row < RULES.len() {
        let prefix = RULES[row].prefix.as_bytes();
        let set = if place < prefix.len() { 1 << (prefix[place] & 31) } else { HEX };
        sets[prefix[0] as usize] |= set;
        row += 1;
    }
    row = 0;
    while row < SHAPES.len() {
        let prefix = SHAPES[row].as_bytes();
        sets[prefix[0] as usize] |= 1 << (prefix[place] & 31);
        row += 1;
    }
    row = 0;
    while row < WORDS.len() {
        let word = WORDS[row].as_bytes();
        sets[word[0] as usize] |= 1 << (word[place] & 31);
        sets[word[0].to_ascii_uppercase() as usize] |= 1 << (word[place] & 31);
        row += 1;
    }
    sets
}

/// A hash from 0 to 16,383 of three bytes.
#[inline(always)]
const fn hash(first: u8, second: u8, third: u8) -> usize {
    (first as usize * 193 + second as usize * 1_201 + third as usize * 31) & 16_383
}

/// For each first byte of a prefix, the range of its rules in the table.
const ROWS: [(u8, u8); 128] = {
    let mut rows = [(0, 0); 128];
    let mut row = 0;
    while row < RULES.len() {
        let first = RULES[row].prefix.as_bytes()[0] as usize;
        if rows[first].1 == 0 {
            rows[first].0 = row as u8;
        }
        assert!(
            rows[first].1 == 0 || rows[first].1 == row as u8,
            "rows of one first byte are apart"
        );
        row += 1;
        rows[first].1 = row as u8;
    }
    rows
};

/// Whether a secret may begin with these two bytes, of which the first is ASCII.
#[inline(always)]
pub fn may_begin_with_pair(first: u8, second: u8) -> bool {
    PAIRS[usize::from(first & 127)] >> (second & 31) & 1 != 0
}

/// Whether a secret may begin with these three bytes. Few words do.
#[inline(always)]
pub fn may_begin_with(first: u8, second: u8, third: u8) -> bool {
    let hash = hash(first, second, third);
    BEGINNINGS[hash >> 5] >> (hash & 31) & 1 != 0
}

/// The rules whose prefixes begin with `first`.
pub fn rules_starting_with(first: u8) -> &'static [Rule] {
    let (from, to) = ROWS.get(usize::from(first)).copied().unwrap_or_default();
    &RULES[usize::from(from)..usize::from(to)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_in_the_document() {
        let document = include_str!("../../../docs/redaction.md");
        for rule in RULES {
            assert!(document.contains(&format!("`{}`", rule.prefix)), "{} is missing", rule.prefix);
        }
    }
}
