//! From the provider's claims to a person: their name, and their role.

use serde_json::{Map, Value};
use walkaround_server::{Person, Role};

/// What a provider says of somebody.
pub(crate) type Claims = Map<String, Value>;

/// Which claims mean what.
#[derive(Debug, Clone)]
pub(crate) struct ClaimRules {
    /// The claim with the name that is written beside decisions.
    pub(crate) name: String,
    /// The claim with the words for roles: a text, or a list of texts. Dots lead into documents.
    pub(crate) role: String,
    /// Words for each role, from the least to the most.
    pub(crate) words: [(Role, Vec<String>); 3],
}

/// Words of a role claim that are looked at.
const WORDS_MAX: usize = 1000;

impl ClaimRules {
    /// The role that claims give; none where the claim is missing. Where it is there and has none of our words, the role is
    /// none.
    pub(crate) fn role(&self, claims: &Claims) -> Option<Option<Role>> {
        let said = find(claims, &self.role)?;
        let texts: Vec<&str> = match said {
            Value::String(text) => vec![text.as_str()],
            Value::Array(all) => all.iter().take(WORDS_MAX).filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let has = |words: &[String]| words.iter().any(|word| texts.contains(&word.as_str()));
        let mut roles = self.words.iter().rev();
        Some(roles.find(|(_, words)| has(words)).map(|(role, _)| *role))
    }

    /// The person; an address that the provider has not verified names nobody.
    pub(crate) fn person(&self, subject: &str, claims: &Claims) -> Person {
        let unverified = self.name == "email" && claims.get("email_verified") == Some(&Value::Bool(false));
        let named = find(claims, &self.name).and_then(Value::as_str);
        let named = named
            .map(str::trim)
            .filter(|name| !name.is_empty() && !unverified);
        Person {
            subject: subject.to_owned(),
            name: named.unwrap_or(subject).to_owned(),
            role: self.role(claims).flatten(),
        }
    }
}

/// A claim by its name, or else by its path.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut parts = name.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use super::{ClaimRules, Claims};
    use serde_json::{Value, json};
    use walkaround_server::Role;

    fn rules(role: &str) -> ClaimRules {
        ClaimRules {
            name: "email".to_owned(),
            role: role.to_owned(),
            words: [
                (Role::Viewer, vec!["viewer".to_owned(), "everybody".to_owned()]),
                (Role::Reviewer, vec!["reviewer".to_owned()]),
                (Role::Operator, vec!["operator".to_owned()]),
            ],
        }
    }

    fn claims(value: Value) -> Claims {
        let Value::Object(claims) = value else {
            panic!("claims are an object")
        };
        claims
    }

    #[test]
    fn the_highest_role_counts_wherever_the_claim_is() {
        for (name, said, role) in [
            (
                "roles",
                json!({"roles": ["viewer", "operator"]}),
                Some(Some(Role::Operator)),
            ),
            ("roles", json!({"roles": "reviewer"}), Some(Some(Role::Reviewer))),
            ("roles", json!({"roles": ["everybody"]}), Some(Some(Role::Viewer))),
            ("roles", json!({"roles": ["admin", 7]}), Some(None)),
            ("roles", json!({"roles": []}), Some(None)),
            ("roles", json!({"groups": ["operator"]}), None),
            (
                "cognito:groups",
                json!({"cognito:groups": ["viewer"]}),
                Some(Some(Role::Viewer)),
            ),
            (
                "realm_access.roles",
                json!({"realm_access": {"roles": ["operator"]}}),
                Some(Some(Role::Operator)),
            ),
            ("realm_access.roles", json!({"realm_access": "operator"}), None),
            (
                "https://e.example/roles",
                json!({"https://e.example/roles": ["viewer"]}),
                Some(Some(Role::Viewer)),
            ),
        ] {
            assert_eq!(rules(name).role(&claims(said.clone())), role, "{said}");
        }
    }

    #[test]
    fn a_name_is_an_address_that_was_verified_or_the_subject() {
        for (said, name) in [
            (json!({"email": "ada@example.com"}), "ada@example.com"),
            (
                json!({"email": "ada@example.com", "email_verified": true}),
                "ada@example.com",
            ),
            (json!({"email": "ada@example.com", "email_verified": false}), "u1"),
            (json!({"email": " "}), "u1"),
            (json!({}), "u1"),
        ] {
            assert_eq!(
                rules("roles").person("u1", &claims(said.clone())).name,
                name,
                "{said}"
            );
        }
    }
}
