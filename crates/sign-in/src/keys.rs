//! Signatures of a provider's own keys: JSON Web Keys (RFC 7517), and what each algorithm (RFC 7518) is to ring.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// Keys of a provider that are looked at.
const KEYS_MAX: usize = 100;

/// An algorithm that only the holder of a private key signs by. `none` is not among them, nor one with a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    const ALL: [(&str, Self); 9] = [
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];

    /// The algorithm of a token's header.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, algorithm)| *algorithm)
    }

    fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, algorithm)| *algorithm == self)
            .map_or("", |(name, _)| name)
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }

    fn ecdsa(self) -> Option<(&'static str, &'static EcdsaVerificationAlgorithm)> {
        Some(match self {
            Self::Es256 => ("P-256", &ECDSA_P256_SHA256_FIXED),
            Self::Es384 => ("P-384", &ECDSA_P384_SHA384_FIXED),
            _ => return None,
        })
    }
}

#[derive(Debug, Deserialize)]
struct Document {
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kty: String,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The point as ring has it: 4, x, y.
    Ec {
        curve: String,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
}

/// A public key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    id: Option<String>,
    /// The one algorithm that it is for, where its owner says so.
    algorithm: Option<String>,
    material: Material,
}

impl Key {
    /// A key; none for one of another kind or use, or that is malformed.
    fn parse(value: &Value) -> Option<Self> {
        let document: Document = serde_json::from_value(value.clone()).ok()?;
        if document.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let material = match (document.kty.as_str(), document.crv) {
            ("RSA", _) => Material::Rsa {
                n: bytes(document.n)?,
                e: bytes(document.e)?,
            },
            ("EC", Some(curve)) => Material::Ec {
                curve,
                point: [vec![4], bytes(document.x)?, bytes(document.y)?].concat(),
            },
            ("OKP", Some(curve)) if curve == "Ed25519" => Material::Ed25519(bytes(document.x)?),
            _ => return None,
        };
        Some(Self {
            id: document.kid,
            algorithm: document.alg,
            material,
        })
    }

    /// Whether this key signed a message by this algorithm.
    pub(crate) fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if self
            .algorithm
            .as_ref()
            .is_some_and(|only| only != algorithm.as_str())
        {
            return false;
        }
        match &self.material {
            Material::Rsa { n, e } => algorithm.rsa().is_some_and(|parameters| {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, message, signature).is_ok()
            }),
            Material::Ec { curve, point } => algorithm.ecdsa().is_some_and(|(of, how)| {
                of == curve
                    && UnparsedPublicKey::new(how, point)
                        .verify(message, signature)
                        .is_ok()
            }),
            Material::Ed25519(bytes) => {
                algorithm == Algorithm::EdDsa
                    && UnparsedPublicKey::new(&ED25519, bytes)
                        .verify(message, signature)
                        .is_ok()
            }
        }
    }
}

/// A provider's keys. One of a kind that is not known here is left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// The keys of a JSON Web Key Set.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let document: Value = serde_json::from_slice(body).map_err(|_| "they are not JSON".to_owned())?;
        let keys = document["keys"].as_array().ok_or("there is no list of them")?;
        Ok(Self(keys.iter().take(KEYS_MAX).filter_map(Key::parse).collect()))
    }

    /// The key that a token names; without a name, the only one.
    pub(crate) fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.0.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Keys};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    /// RFC 8037, appendix A: a key, a message and its signature.
    #[test]
    fn a_signature_of_the_standard_is_known_and_any_other_is_not() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let set = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a", "use": "sig"},
            {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "enc", "use": "enc"},
            {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "es", "alg": "ES256"},
            {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        ]});
        let keys = Keys::parse(set.to_string().as_bytes()).unwrap();
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = keys.find(Some("a")).unwrap();
        assert!(key.signed(Algorithm::EdDsa, message, &signature));
        assert!(!key.signed(Algorithm::EdDsa, b"another", &signature));
        assert!(!key.signed(Algorithm::EdDsa, message, &signature[1..]));
        assert!(!key.signed(Algorithm::Rs256, message, &signature));
        assert!(!key.signed(Algorithm::Es256, message, &signature));
        assert!(
            !keys
                .find(Some("es"))
                .unwrap()
                .signed(Algorithm::EdDsa, message, &signature)
        );
        for unusable in [Some("enc"), Some("shared"), Some("missing"), None] {
            assert!(keys.find(unusable).is_none(), "{unusable:?}");
        }
    }

    #[test]
    fn only_signatures_of_private_keys_count() {
        for word in [
            "none", "None", "NONE", "", "HS256", "HS512", "RS1", "rs256", "ES256K",
        ] {
            assert_eq!(Algorithm::parse(word), None, "{word}");
        }
        for (word, algorithm) in Algorithm::ALL {
            assert_eq!(
                (Algorithm::parse(word), algorithm.as_str()),
                (Some(algorithm), word)
            );
        }
    }
}
