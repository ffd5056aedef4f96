//! What the userinfo endpoint answers: OpenID Connect Core 1.0, section 5.3.

use crate::claims::Claims;
use crate::http::Answer;
use reqwest::StatusCode;
use serde_json::Value;
use walkaround_server::ProviderError;

/// What a provider says of whoever has a token.
#[derive(Debug, PartialEq)]
pub(crate) enum UserInfo {
    /// These claims, of this very subject.
    Claims(Claims),
    /// Nothing: it has no such endpoint, or signs what that answers.
    Nothing,
    /// It no longer vouches for them: why, in one line.
    Ended(&'static str),
}

/// The meaning of an answer about `subject`. Only a refusal of the endpoint's own, or its word about somebody else, says that
/// the provider no longer vouches for them.
///
/// # Errors
/// `Unavailable`: any other answer, which says nothing of anybody.
pub(crate) fn read(answer: &Answer, subject: &str) -> Result<UserInfo, ProviderError> {
    let unavailable = |why: String| Err(ProviderError::Unavailable(why));
    match answer.status {
        // RFC 6750, section 3.1: a token that is malformed, expired or revoked, or that is not good for this.
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Ok(UserInfo::Ended("the provider no longer knows them"));
        }
        status if !status.is_success() => {
            return unavailable(format!("the userinfo endpoint answered {status}"));
        }
        _ if answer.is_token => return Ok(UserInfo::Nothing),
        _ => {}
    }
    let Ok(claims) = serde_json::from_slice::<Claims>(&answer.body) else {
        return unavailable("the userinfo endpoint answered something that is not JSON".to_owned());
    };
    // Section 5.3.2: of another subject it is not to be used.
    match claims.get("sub").and_then(Value::as_str) {
        Some(sub) if sub == subject => Ok(UserInfo::Claims(claims)),
        Some(_) => Ok(UserInfo::Ended("the provider speaks of somebody else")),
        None => unavailable("the userinfo endpoint does not say of whom it speaks".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{UserInfo, read};
    use crate::http::Answer;
    use reqwest::StatusCode;

    fn answered(status: u16, body: &str) -> Option<UserInfo> {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            is_token: body.starts_with("ey"),
            body: body.as_bytes().to_vec(),
        };
        read(&answer, "u1").ok()
    }

    #[test]
    fn only_the_endpoint_itself_ends_a_session() {
        for status in [400, 401, 403] {
            let answered = answered(status, "");
            assert!(matches!(answered, Some(UserInfo::Ended(_))), "{status}");
        }
        let other = answered(200, r#"{"sub": "u2", "roles": ["operator"]}"#);
        assert!(matches!(other, Some(UserInfo::Ended(_))));
        for status in [302, 404, 405, 429, 500, 503] {
            assert_eq!(answered(status, r#"{"sub": "u1"}"#), None, "{status}");
        }
        for odd in ["", "<html>", "[]", "null", "{}", r#"{"sub": 7}"#] {
            assert_eq!(answered(200, odd), None, "{odd}");
        }
    }

    #[test]
    fn claims_are_those_of_the_subject() {
        let Some(UserInfo::Claims(claims)) = answered(200, r#"{"sub": "u1", "roles": []}"#) else {
            panic!("it is the subject's");
        };
        assert!(claims.contains_key("roles"));
        assert_eq!(
            answered(200, "eyJhbGciOiJSUzI1NiJ9.e30.x"),
            Some(UserInfo::Nothing)
        );
    }
}
