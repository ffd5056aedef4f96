//! What a provider says of itself: its endpoints, and its keys (OpenID Connect Discovery 1.0).

use crate::http::{Http, checked_url};
use crate::keys::Keys;
use serde::Deserialize;
use url::Url;
use walkaround_server::ProviderError;

#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// A provider, as it says.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) keys: Url,
    /// Where it says who somebody is now, if it does.
    pub(crate) userinfo: Option<Url>,
    /// Whether the client's secret goes into the body: only where the provider does not take it in the header.
    pub(crate) secret_in_body: bool,
}

/// Asks a provider for its endpoints.
pub(crate) async fn discover(http: &Http, issuer: &str) -> Result<Provider, ProviderError> {
    let refused = |why: String| ProviderError::Refused(format!("the provider's own description: {why}"));
    // The path is appended, whatever the issuer ends with.
    let at = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    let at = checked_url("WALKAROUND_OIDC_ISSUER", &at).map_err(refused)?;
    let answer = http.send(http.get(&at)).await?;
    if !answer.status.is_success() {
        return Err(refused(format!("answered {}", answer.status)));
    }
    parse(&answer.body, issuer).map_err(refused)
}

fn parse(body: &[u8], issuer: &str) -> Result<Provider, String> {
    let document: Document = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if document.issuer != issuer {
        return Err(
            "it is that of another issuer: WALKAROUND_OIDC_ISSUER must be equal to it, to the last slash"
                .to_owned(),
        );
    }
    let userinfo = document.userinfo_endpoint.as_deref();
    let methods = &document.token_endpoint_auth_methods_supported;
    let takes = |method: &str| methods.iter().any(|one| one == method);
    Ok(Provider {
        authorization: checked_url("authorization_endpoint", &document.authorization_endpoint)?,
        token: checked_url("token_endpoint", &document.token_endpoint)?,
        keys: checked_url("jwks_uri", &document.jwks_uri)?,
        userinfo: userinfo
            .map(|url| checked_url("userinfo_endpoint", url))
            .transpose()?,
        secret_in_body: !takes("client_secret_basic") && takes("client_secret_post"),
    })
}

/// Asks a provider for its keys.
pub(crate) async fn keys(http: &Http, provider: &Provider) -> Result<Keys, ProviderError> {
    let answer = http.send(http.get(&provider.keys)).await?;
    Keys::parse(&answer.body).map_err(|why| ProviderError::Refused(format!("the provider's keys: {why}")))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use serde_json::json;

    #[test]
    fn a_description_is_of_the_issuer_that_was_asked() {
        let document = |issuer: &str, token: &str| {
            json!({
                "issuer": issuer,
                "authorization_endpoint": "https://id.example/auth",
                "token_endpoint": token,
                "jwks_uri": "https://id.example/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })
            .to_string()
        };
        let good = document("https://id.example", "https://id.example/token");
        let provider = parse(good.as_bytes(), "https://id.example").unwrap();
        assert!(provider.secret_in_body && provider.userinfo.is_none());
        assert!(parse(good.as_bytes(), "https://id.example/").is_err());
        let plain = document("https://id.example", "http://id.example/token");
        assert!(parse(plain.as_bytes(), "https://id.example").is_err());
        assert!(parse(b"{}", "https://id.example").is_err());
        assert!(parse(b"<html>", "https://id.example").is_err());
    }
}
