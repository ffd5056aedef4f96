//! Errors of the services, as what the caller should do about them.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Longest text of a service that is repeated.
const TEXT_CHARS_MAX: usize = 300;
/// What to do about credentials that a service refuses.
const SIGN_IN: &str = "; sign in again (`aws sso login`), or correct the keys (`aws configure`)";

/// What a failed call means. Only the service's code and message are repeated: the request, its headers and
/// its URL (which may be signed) never are.
pub(crate) fn port_error<E>(at: PortCall, what: &str, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let (kind, detail) = match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or("no code");
            let message = service.err().message().unwrap_or("no message");
            let fix = if is_of_credentials(code) { SIGN_IN } else { "" };
            (
                kind_of(code, status),
                format!("{code}: {}{fix}", one_line(message)),
            )
        }
        SdkError::TimeoutError(_) => (PortErrorKind::Unavailable, "timed out".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            (PortErrorKind::Unavailable, "timed out".to_owned())
        }
        SdkError::DispatchFailure(failure) if failure.is_io() => {
            (PortErrorKind::Unavailable, dispatch_cause(failure))
        }
        SdkError::DispatchFailure(failure)
            if names_credentials(failure.as_connector_error().map(|e| e as _)) =>
        {
            (
                // A role's credentials are renewed: what cannot be had now may be had later.
                PortErrorKind::Unavailable,
                format!("no usable AWS credentials{SIGN_IN}"),
            )
        }
        SdkError::DispatchFailure(failure) => (PortErrorKind::Unavailable, dispatch_cause(failure)),
        SdkError::ConstructionFailure(_) => (
            PortErrorKind::Invalid,
            "the request could not be built".to_owned(),
        ),
        _ => (
            PortErrorKind::Unavailable,
            "the answer could not be read".to_owned(),
        ),
    };
    at.error(kind, format!("{what}: {detail}"))
}

/// Whether a service refuses who asks, not what is asked.
fn is_of_credentials(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
    )
}

/// Why no connection came about. The cause has no URL in it: the host of one, at most.
fn dispatch_cause(failure: &DispatchFailure) -> String {
    let connector = failure.as_connector_error();
    let first: &(dyn std::error::Error + 'static) = match connector.and_then(std::error::Error::source) {
        Some(source) => source,
        None => return "not reachable: check network, region and endpoint".to_owned(),
    };
    let cause = std::iter::successors(Some(first), |e| e.source())
        .last()
        .unwrap_or(first);
    let cause = one_line(&cause.to_string());
    format!("not reachable ({cause}): check network, region and endpoint (--endpoint-url, AWS_ENDPOINT_URL)")
}

/// Whether a call was never sent for want of credentials: the SDK has no kind for that, only its words.
fn names_credentials(error: Option<&(dyn std::error::Error + 'static)>) -> bool {
    std::iter::successors(error, |e| e.source()).any(|e| e.to_string().contains("credential"))
}

/// The kind of a service's error, from its code and else its HTTP status.
pub(crate) fn kind_of(code: &str, status: u16) -> PortErrorKind {
    match code {
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "LimitExceededException"
        | "OverLimit"
        // A customer key has a limit of its own; SQS, SNS and S3 pass it on under these names.
        | "KmsThrottled"
        | "KMS.ThrottlingException"
        | "KMSThrottling"
        | "KMSThrottlingException" => PortErrorKind::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "AuthorizationError"
        | "KMSAccessDeniedException"
        | "KmsAccessDenied"
        // A customer key that somebody switched off: what it protects is there, and may be had again.
        | "KmsDisabled"
        | "KMSDisabledException"
        | "KMS.DisabledException"
        | "KmsInvalidState"
        | "KMSInvalidStateException"
        | "KMS.KMSInvalidStateException" => PortErrorKind::Denied,
        "NoSuchKey"
        | "NotFound"
        | "NotFoundException"
        | "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue" => PortErrorKind::NotFound,
        // Not the object is missing: the call names a bucket that is not there, which is for people to put right.
        "NoSuchBucket" => PortErrorKind::Invalid,
        "BadDigest" | "XAmzContentSHA256Mismatch" => PortErrorKind::Corrupt,
        // S3 answers these with 400 and 409; the same call may succeed later.
        "RequestTimeout" | "ConditionalRequestConflict" | "OperationAborted" => PortErrorKind::Unavailable,
        // Credentials that were not renewed in time.
        "ExpiredToken" | "ExpiredTokenException" => PortErrorKind::Unavailable,
        _ => match status {
            429 | 503 => PortErrorKind::Throttled,
            401 | 403 => PortErrorKind::Denied,
            404 => PortErrorKind::NotFound,
            // A bucket of another region redirects.
            300..=499 => PortErrorKind::Invalid,
            _ => PortErrorKind::Unavailable,
        },
    }
}

/// A service's words as one line, cut at [`TEXT_CHARS_MAX`].
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttled_customer_key_is_no_bad_request() {
        for code in [
            "KmsThrottled",
            "KMS.ThrottlingException",
            "KMSThrottlingException",
            "KMSThrottling",
        ] {
            assert_eq!(kind_of(code, 400), PortErrorKind::Throttled, "{code}");
        }
        for code in ["KmsDisabled", "KMSInvalidStateException", "KmsAccessDenied"] {
            assert_eq!(kind_of(code, 400), PortErrorKind::Denied, "{code}");
        }
        assert_eq!(kind_of("ValidationException", 400), PortErrorKind::Invalid);
    }
}
