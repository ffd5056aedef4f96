//! Looking up names, and refusing what must not be connected to.
//!
//! The check sits inside the HTTP client's own resolver: the addresses that were checked are the addresses that
//! are connected to, so a name that answers differently the second time (DNS rebinding) gains nothing.

use crate::address;
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Looks up host names.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of a name, in the order to try them. What is returned is not trusted.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// A name has no address that may be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name resolves to {address}, {kind}")]
pub(crate) struct RefusedAddress {
    address: IpAddr,
    kind: &'static str,
}

/// Passes on only addresses that may be connected to.
pub(crate) struct GuardedResolver {
    pub(crate) inner: Arc<dyn Resolver>,
    pub(crate) allow_private: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let inner = Arc::clone(&self.inner);
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = inner.resolve(name.as_str()).await?;
            // Port 0: the client puts the URL's port in.
            let kept = only_allowed(found, allow_private)?
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(kept) as Addrs)
        })
    }
}

/// The addresses that may be connected to. A refusal when there are only others; an empty answer stays empty.
fn only_allowed(found: Vec<IpAddr>, allow_private: bool) -> Result<Vec<IpAddr>, RefusedAddress> {
    let mut kept = Vec::new();
    let mut refused = None;
    for address in found {
        match address::refusal(address, allow_private) {
            None => kept.push(address),
            Some(kind) => refused = refused.or(Some(RefusedAddress { address, kind })),
        }
    }
    match refused {
        Some(refused) if kept.is_empty() => Err(refused),
        _ => Ok(kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Answers like a rebinding name server: public first, then private.
    struct Rebinding(AtomicUsize);

    #[async_trait]
    impl Resolver for Rebinding {
        async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
            let text = if first { "93.184.215.14" } else { "10.0.0.1" };
            Ok(vec![text.parse().unwrap()])
        }
    }

    #[tokio::test]
    async fn each_look_up_is_checked_anew() {
        let guard = GuardedResolver {
            inner: Arc::new(Rebinding(AtomicUsize::new(0))),
            allow_private: false,
        };
        let name = || "rebinding.example".parse::<Name>().unwrap();
        let first: Vec<SocketAddr> = guard.resolve(name()).await.ok().unwrap().collect();
        assert_eq!(first, ["93.184.215.14:0".parse().unwrap()]);
        let second = guard.resolve(name()).await.err().unwrap();
        assert_eq!(
            second.downcast_ref::<RefusedAddress>().unwrap().to_string(),
            "the name resolves to 10.0.0.1, a private address"
        );
    }

    #[test]
    fn a_mixed_answer_keeps_only_what_is_public() {
        let found = ["127.0.0.1", "1.1.1.1", "::1"]
            .map(|it| it.parse().unwrap())
            .to_vec();
        assert_eq!(
            only_allowed(found, false).unwrap(),
            ["1.1.1.1".parse::<IpAddr>().unwrap()]
        );
    }
}
