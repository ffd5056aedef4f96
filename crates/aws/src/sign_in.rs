//! Why AWS is not reached: profile, region, credentials or endpoint; and the command that fixes it.
//!
//! The SDK's own words name none of these: an unknown profile reads as a missing region, an expired sign-in as missing
//! credentials, and a dead endpoint as a failed dispatch.

use crate::connect::Connection;
use crate::fault::one_line;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::future;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for a connection to a named endpoint.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Longest profile file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Most profiles that are named.
const PROFILES_SHOWN_MAX: usize = 8;

/// Why nothing can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSignedIn {
    /// A profile or region is named wrongly, or not at all.
    Settings(String),
    /// No credentials, or nothing at the endpoint.
    Access(String),
}

/// What is asked before the first call. The configuration comes back with the credentials that were read on the way: a
/// profile may start a program for them, and it is not started twice.
///
/// # Errors
/// One line: the cause, and the command that fixes it.
pub async fn signed_in(connection: &Connection, config: SdkConfig) -> Result<SdkConfig, NotSignedIn> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let has_keys = variable("AWS_ACCESS_KEY_ID").is_some();
    let profiles = Profiles::read();
    let named = connection.profile.clone().or_else(|| variable("AWS_PROFILE"));
    if let Some(name) = &named
        && !profiles.has(name)
        // With keys in the environment, a profile named in the environment is ignored.
        && (connection.profile.is_some() || !has_keys)
    {
        return Err(NotSignedIn::Settings(profiles.unknown(name)));
    }
    let profile = named.unwrap_or_else(|| "default".to_owned());
    if config.region().is_none() {
        return Err(NotSignedIn::Settings(format!(
            "no AWS region: name one with --region or AWS_REGION, or `aws configure set region REGION --profile {profile}`"
        )));
    }
    if let Some(endpoint) = config.endpoint_url() {
        reachable(endpoint).await.map_err(NotSignedIn::Access)?;
    }
    let Some(provider) = config.credentials_provider() else {
        return Err(NotSignedIn::Access(
            profiles.no_credentials(&profile, "there are none"),
        ));
    };
    match provider.provide_credentials().await {
        Err(error) => Err(NotSignedIn::Access(
            profiles.no_credentials(&profile, &cause(&error)),
        )),
        Ok(credentials) => {
            let first = First {
                credentials: Mutex::new(Some(credentials)),
                rest: provider,
            };
            let provider = SharedCredentialsProvider::new(first);
            Ok(config.into_builder().credentials_provider(provider).build())
        }
    }
}

/// The last cause that has words.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let last = std::iter::successors(Some(error), |e| e.source()).last();
    one_line(&last.unwrap_or(error).to_string())
}

/// Credentials that were read before, once; then what their provider gives.
#[derive(Debug)]
struct First {
    credentials: Mutex<Option<Credentials>>,
    rest: SharedCredentialsProvider,
}

impl ProvideCredentials for First {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self
            .credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match first {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => self.rest.provide_credentials(),
        }
    }
}

/// Whether anything answers where an endpoint is said to be.
async fn reachable(endpoint: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        format!(
            "nothing answers at the AWS endpoint {endpoint}: {why}; correct --endpoint-url or AWS_ENDPOINT_URL, or \
             start the service that should answer there"
        )
    };
    let (scheme, rest) = endpoint.split_once("://").ok_or_else(|| wrong("not a URL"))?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let default_port = if scheme == "https" { 443 } else { 80 };
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port {
        host.to_owned()
    } else {
        format!("{host}:{default_port}")
    };
    match timeout(CONNECT_MAX, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(wrong(&one_line(&error.to_string()))),
        Err(_) => Err(wrong("the connection timed out")),
    }
}

/// The profiles of the shared configuration files, each with its keys and no values but the harmless ones.
/// See <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>.
#[derive(Debug, Default)]
struct Profiles {
    /// What each profile has: names of settings.
    settings: BTreeMap<String, Vec<String>>,
    /// The files, for messages.
    files: Vec<String>,
}

impl Profiles {
    fn read() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let mut profiles = Self::default();
        for (variable, file) in [
            ("AWS_CONFIG_FILE", "config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ] {
            let named = std::env::var_os(variable).map(PathBuf::from);
            let path = named.unwrap_or_else(|| home.join(".aws").join(file));
            profiles.files.push(path.display().to_string());
            let small =
                std::fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= FILE_BYTES_MAX);
            if small && let Ok(text) = std::fs::read_to_string(&path) {
                profiles.add(&text, file == "config");
            }
        }
        profiles
    }

    fn add(&mut self, text: &str, is_config: bool) {
        let mut current: Option<String> = None;
        for line in text.lines() {
            if let Some(section) = line.trim().strip_prefix('[') {
                let section = section.split(']').next().unwrap_or_default().trim();
                let name = match section
                    .strip_prefix("profile")
                    .filter(|rest| rest.starts_with([' ', '\t']))
                {
                    Some(name) if is_config => Some(name.trim()),
                    _ if section == "default" || !is_config => Some(section),
                    _ => None,
                };
                current = name.map(|name| name.trim_matches('"').to_owned());
                if let Some(name) = &current {
                    self.settings.entry(name.clone()).or_default();
                }
            } else if let (Some(name), Some((setting, _))) = (&current, line.split_once('=')) {
                let settings = self.settings.entry(name.clone()).or_default();
                settings.push(setting.trim().to_ascii_lowercase());
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.settings.contains_key(name)
    }

    fn unknown(&self, name: &str) -> String {
        let known: Vec<&str> = self.settings.keys().map(String::as_str).collect();
        let known = match known.len() {
            0 => "there are no profiles".to_owned(),
            n if n > PROFILES_SHOWN_MAX => format!("there are {} …", known[..PROFILES_SHOWN_MAX].join(", ")),
            _ => format!("there are {}", known.join(", ")),
        };
        format!(
            "no AWS profile `{name}` in {}: {known}; correct --profile or AWS_PROFILE, or create it: \
             `aws configure sso --profile {name}` or `aws configure --profile {name}`",
            self.files.join(" or ")
        )
    }

    fn no_credentials(&self, profile: &str, why: &str) -> String {
        let none = Vec::new();
        let settings = self.settings.get(profile).unwrap_or(&none);
        let has = |name: &str| settings.iter().any(|setting| setting == name);
        let fix = if has("sso_session") || has("sso_start_url") {
            format!("sign in: `aws sso login --profile {profile}`")
        } else if has("credential_process") {
            format!("run the credential_process of profile `{profile}` by hand: it has to print credentials")
        } else if has("role_arn") {
            format!(
                "check whether the role may be assumed: `aws sts get-caller-identity --profile {profile}`"
            )
        } else {
            format!(
                "sign in (`aws sso login`), or give keys: `aws configure --profile {profile}`, or AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY"
            )
        };
        format!("no usable AWS credentials for profile `{profile}`: {why}; {fix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles() -> Profiles {
        let mut profiles = Profiles {
            files: vec!["~/.aws/config".into(), "~/.aws/credentials".into()],
            ..Profiles::default()
        };
        let config = "[default]\nregion = eu-central-1\n[profile fleet]\nsso_session = work\n\n[sso-session work]\nx=y\n\
                      [profile  tool]\ncredential_process = /bin/x\n[profile role]\nrole_arn=arn\nsource_profile=default\n";
        profiles.add(config, true);
        profiles.add(
            "[keys]\naws_access_key_id = AKIA\naws_secret_access_key = hush\n",
            false,
        );
        profiles
    }

    #[test]
    fn profiles_are_those_of_both_files() {
        let profiles = profiles();
        for name in ["default", "fleet", "tool", "role", "keys"] {
            assert!(profiles.has(name), "{name}");
        }
        assert!(!profiles.has("work") && !profiles.has("sso-session work"));
        let line = profiles.unknown("flet");
        assert!(line.starts_with(
            "no AWS profile `flet` in ~/.aws/config or ~/.aws/credentials: there are default, fleet"
        ));
        assert!(line.contains("`aws configure sso --profile flet`"), "{line}");
        assert!(!format!("{profiles:?}").contains("hush"));
    }

    #[test]
    fn the_command_that_fixes_it_is_that_of_the_profile() {
        let profiles = profiles();
        for (profile, command) in [
            ("fleet", "`aws sso login --profile fleet`"),
            ("tool", "credential_process"),
            ("role", "`aws sts get-caller-identity --profile role`"),
            ("keys", "`aws configure --profile keys`"),
            ("default", "`aws configure --profile default`"),
        ] {
            let line = profiles.no_credentials(profile, "the token has expired");
            assert!(
                line.contains(command) && line.contains("the token has expired"),
                "{line}"
            );
        }
    }

    #[tokio::test]
    async fn a_dead_endpoint_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        assert_eq!(reachable(&endpoint).await, Ok(()));
        drop(listener);
        let line = reachable(&endpoint).await.unwrap_err();
        assert!(
            line.contains(&endpoint) && line.contains("--endpoint-url"),
            "{line}"
        );
    }
}
