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

/// Claims that count only where the provider says, beside them, that it has verified them (OpenID Connect Core 1.0, section
/// 5.1): anybody may enter an address of somebody else.
const VERIFIED: [(&str, &str); 2] = [
    ("email", "email_verified"),
    ("phone_number", "phone_number_verified"),
];

impl ClaimRules {
    /// The role that claims give; none where the claim is missing. Where it is there and has none of our words, the role is
    /// none. `said` is as for [`find`].
    pub(crate) fn role(&self, said: &[&Claims]) -> Option<Option<Role>> {
        let found = find(said, &self.role)?;
        let texts: Vec<&str> = match found {
            Value::String(text) => vec![text.as_str()],
            Value::Array(all) => all.iter().take(WORDS_MAX).filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let has = |words: &[String]| words.iter().any(|word| texts.contains(&word.as_str()));
        let mut roles = self.words.iter().rev();
        Some(roles.find(|(_, words)| has(words)).map(|(role, _)| *role))
    }

    /// The person; without a name that counts, the subject is theirs. `said` is as for [`find`].
    pub(crate) fn person(&self, subject: &str, said: &[&Claims]) -> Person {
        let named = find(said, &self.name).and_then(Value::as_str);
        let named = named.map(str::trim).filter(|name| !name.is_empty());
        Person {
            subject: subject.to_owned(),
            name: named.unwrap_or(subject).to_owned(),
            role: self.role(said).flatten(),
        }
    }
}

/// A claim by its name, or else by its path, of the first of these documents that has it: the ID token's, then those of
/// userinfo. A provider may say something in one of them only.
fn find<'a>(said: &[&'a Claims], name: &str) -> Option<&'a Value> {
    said.iter().find_map(|claims| find_in(claims, name))
}

fn find_in<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if claims.contains_key(name) {
        return trusted(claims, name);
    }
    let (path, last) = name.rsplit_once('.')?;
    let mut place = claims;
    for part in path.split('.') {
        place = place.get(part)?.as_object()?;
    }
    trusted(place, last)
}

/// A claim of a document; none where it is null, or needs to be verified and is not.
fn trusted<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    let value = claims.get(name).filter(|value| !value.is_null())?;
    let Some((_, verified)) = VERIFIED.iter().find(|(claim, _)| *claim == name) else {
        return Some(value);
    };
    let is_verified = match claims.get(*verified) {
        Some(Value::Bool(is_verified)) => *is_verified,
        // Cognito says it as a text.
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    is_verified.then_some(value)
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
            assert_eq!(rules(name).role(&[&claims(said.clone())]), role, "{said}");
        }
    }

    #[test]
    fn a_name_is_an_address_that_was_verified_or_the_subject() {
        for (verified, name) in [
            (json!(true), "ada@example.com"),
            (json!("true"), "ada@example.com"),
            (json!(false), "u1"),
            (json!("false"), "u1"),
            (json!(1), "u1"),
            (Value::Null, "u1"),
        ] {
            let said = claims(json!({"email": "ada@example.com", "email_verified": verified}));
            assert_eq!(rules("roles").person("u1", &[&said]).name, name, "{said:?}");
        }
        for said in [
            json!({"email": "ada@example.com"}),
            json!({"email": " ", "email_verified": true}),
            json!({}),
        ] {
            let said = claims(said);
            assert_eq!(rules("roles").person("u1", &[&said]).name, "u1", "{said:?}");
        }
    }

    #[test]
    fn an_address_that_was_not_verified_gives_no_role() {
        let mut rules = rules("email");
        rules.words[1].1 = vec!["ada@example.com".to_owned()];
        let said = |verified| claims(json!({"email": "ada@example.com", "email_verified": verified}));
        assert_eq!(rules.role(&[&said(true)]), Some(Some(Role::Reviewer)));
        assert_eq!(rules.role(&[&said(false)]), None);
        assert_eq!(rules.role(&[&claims(json!({"email": "ada@example.com"}))]), None);
    }

    #[test]
    fn each_claim_is_of_the_first_document_that_has_it() {
        let token = claims(json!({
            "email": "mallory@example.com",
            "realm_access": {"verify_caller": true},
            "roles": ["viewer"],
        }));
        let userinfo = claims(json!({
            "email": "ada@example.com",
            "email_verified": true,
            "realm_access": {"roles": ["operator"]},
            "roles": ["operator"],
        }));
        let person = rules("realm_access.roles").person("u1", &[&token, &userinfo]);
        // Not the token's address by the word of userinfo about another one.
        assert_eq!(
            (person.name.as_str(), person.role),
            ("ada@example.com", Some(Role::Operator))
        );
        let person = rules("roles").person("u1", &[&token, &userinfo]);
        assert_eq!(person.role, Some(Role::Viewer), "the token's word counts first");
    }
}
