//! The allow-list of hosts, and the secret headers of some of them.

use crate::settings::{FetchSettings, FetchSettingsError, HostHeader};
use crate::words::one_line;
use reqwest::header::{HeaderName, HeaderValue};
use url::{Host, Url};

/// Ports of an entry that names none.
const PORTS: [u16; 2] = [80, 443];

/// Headers that belong to the connection or to this crate, not to a settings file.
const RESERVED_HEADERS: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Every host that may be asked.
pub(crate) struct Hosts {
    rules: Vec<Rule>,
    headers: Vec<Header>,
}

struct Rule {
    name: NameRule,
    port: Option<u16>,
}

enum NameRule {
    /// As the URL parser writes it: lower case, punycode, IPv6 in brackets.
    Exact(String),
    /// With its leading dot.
    Suffix(String),
}

struct Header {
    rule: Rule,
    name: HeaderName,
    value: HeaderValue,
}

impl Hosts {
    pub(crate) fn new(settings: &FetchSettings) -> Result<Self, FetchSettingsError> {
        let rules = settings
            .hosts
            .iter()
            .map(|text| Rule::parse(text).map_err(|problem| FetchSettingsError::new("hosts", problem)))
            .collect::<Result<Vec<_>, _>>()?;
        let headers = settings
            .headers
            .iter()
            .map(|header| {
                Header::parse(header, &rules).map_err(|problem| FetchSettingsError::new("headers", problem))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { rules, headers })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether this host may be asked on this port.
    pub(crate) fn allow(&self, url: &Url) -> bool {
        self.rules.iter().any(|rule| rule.covers(url))
    }

    /// Whether this host may be asked on some port (for a clear message).
    pub(crate) fn allow_on_other_port(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        self.rules.iter().any(|rule| rule.name.covers(host))
    }

    /// The secret headers that go to this host.
    pub(crate) fn headers_for(&self, url: &Url) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.headers
            .iter()
            .filter(|header| header.rule.covers(url))
            .map(|header| (header.name.clone(), header.value.clone()))
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        let shown = one_line(text);
        let (name, port) = split_port(text).ok_or_else(|| format!("'{shown}' has a bad port"))?;
        let (name, is_suffix) = match name.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (name, false),
        };
        let malformed =
            || format!("'{shown}' is not a host, such as photos.example.com or *.example.com:8443");
        if name.contains('*') || name.starts_with('.') || name.ends_with('.') {
            return Err(malformed());
        }
        let name = match (Host::parse(name), is_suffix) {
            (Ok(Host::Domain(domain)), true) => NameRule::Suffix(format!(".{domain}")),
            (Ok(host), false) => NameRule::Exact(host.to_string()),
            (Ok(_), true) | (Err(_), _) => return Err(malformed()),
        };
        Ok(Self { name, port })
    }

    fn covers(&self, url: &Url) -> bool {
        let Some(port) = url.port_or_known_default() else {
            return false;
        };
        let port_allowed = match self.port {
            Some(named) => named == port,
            None => PORTS.contains(&port),
        };
        port_allowed && self.name.covers(url.host_str().unwrap_or_default())
    }
}

impl NameRule {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

impl Header {
    /// Never says the value.
    fn parse(header: &HostHeader, rules: &[Rule]) -> Result<Self, String> {
        let host = one_line(&header.host);
        let rule = Rule::parse(&header.host)?;
        let NameRule::Exact(name) = &rule.name else {
            return Err(format!("'{host}': a header needs one exact host"));
        };
        let is_listed = rules
            .iter()
            .any(|listed| listed.name.covers(name) && listed.port == rule.port);
        if !is_listed {
            return Err(format!("'{host}' is not among the allowed hosts"));
        }
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .ok()
            .filter(|name| !RESERVED_HEADERS.contains(&name.as_str()))
            .ok_or_else(|| {
                format!(
                    "'{host}': '{}' cannot be used as a header",
                    one_line(&header.name)
                )
            })?;
        let mut value = HeaderValue::from_str(header.value.expose())
            .map_err(|_| format!("'{host}': the value of '{name}' has characters a header cannot carry"))?;
        value.set_sensitive(true);
        Ok(Self { rule, name, value })
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`; nothing when the port is not one.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let has_port = match text.rfind(']') {
        Some(end) => text.len() > end + 1,
        None => text.contains(':'),
    };
    if !has_port {
        return Some((text, None));
    }
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some((host, Some(port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    fn hosts(list: &[&str]) -> Result<Hosts, FetchSettingsError> {
        Hosts::new(&FetchSettings {
            hosts: list.iter().map(ToString::to_string).collect(),
            ..FetchSettings::default()
        })
    }

    #[test]
    fn entries_cover_what_they_say() {
        let list = [
            "photos.example.com",
            "*.cdn.example",
            "lab.example:8443",
            "[2606:4700::1]",
            "1.1.1.1:81",
            "BÜCHER.example",
        ];
        let hosts = hosts(&list).unwrap();
        let cases = [
            ("https://photos.example.com/a", true),
            ("https://PHOTOS.example.com:443/a", true),
            ("http://photos.example.com/a", true),
            ("https://photos.example.com:8443/a", false),
            ("https://x.photos.example.com/a", false),
            ("https://photos.example.com.evil.test/a", false),
            ("https://photos.example.com./a", false),
            ("https://a.cdn.example/", true),
            ("https://a.b.cdn.example/", true),
            ("https://cdn.example/", false),
            ("https://.cdn.example/", false),
            ("https://evilcdn.example/", false),
            ("https://lab.example:8443/", true),
            ("https://lab.example/", false),
            ("https://[2606:4700:0::1]/", true),
            ("http://1.1.1.1:81/", true),
            ("http://16843009:81/", true),
            ("http://1.1.1.1/", false),
            ("https://xn--bcher-kva.example/", true),
        ];
        for (url, expected) in cases {
            assert_eq!(hosts.allow(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn malformed_entries_are_refused() {
        for text in [
            "",
            "*",
            "*.",
            "a.*.example",
            "https://a.example",
            "a.example/path",
            "me@a.example",
            "a.example:0",
            "a.example:99999",
            "a.example:",
            "::1",
            "*.1.2.3.4",
            ".a.example",
            "a.example.",
            "a b.example",
        ] {
            let error = hosts(&[text]).err().map(|it| it.to_string());
            assert!(error.is_some_and(|it| it.starts_with("hosts: '")), "{text}");
        }
    }

    #[test]
    fn headers_are_checked_without_being_told() {
        let cases = [
            ("a.example", "x-key", "ok", None),
            ("*.b.example", "x-key", "s3cret", Some("one exact host")),
            ("c.example", "x-key", "s3cret", Some("not among the allowed")),
            ("a.example:81", "x-key", "s3cret", Some("not among the allowed")),
            ("a.example", "x key", "s3cret", Some("cannot be used")),
            ("a.example", "Host", "s3cret", Some("cannot be used")),
            ("a.example", "x-key", "s3cret\r\nb: c", Some("cannot carry")),
        ];
        for (host, name, value, problem) in cases {
            let settings = FetchSettings {
                hosts: vec!["a.example".into(), "*.b.example".into()],
                headers: vec![HostHeader {
                    host: host.into(),
                    name: name.into(),
                    value: Secret::new(value),
                }],
                ..FetchSettings::default()
            };
            assert!(!format!("{settings:?}").contains("s3cret"));
            let error = Hosts::new(&settings).err().map(|it| it.to_string());
            assert!(!error.as_deref().unwrap_or_default().contains("s3cret"));
            match problem {
                None => assert_eq!(error, None),
                Some(words) => assert!(error.as_deref().is_some_and(|it| it.contains(words)), "{error:?}"),
            }
        }
    }
}
