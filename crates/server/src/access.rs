//! Who may do what: roles, and what each route needs.

/// What somebody who signed in may do. A later one may do all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also claims tasks and decides.
    Reviewer,
    /// Also redrives and retries.
    Operator,
}

impl Role {
    /// From the least to the most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Reviewer, Self::Operator];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Operator => "operator",
        }
    }

    /// The role of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// What a route asks of whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing: it has no data of anybody's.
    Open,
    /// Nothing, and it is asked under any name: a load balancer knows only addresses.
    Probe,
    /// A role, or the token of the metrics.
    Metrics,
    /// At least this role.
    Role(Role),
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn a_later_role_may_do_more() {
        assert!(Role::Operator > Role::Reviewer && Role::Reviewer > Role::Viewer);
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("admin"), None);
    }
}
