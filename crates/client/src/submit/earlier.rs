//! What a run has sent already. The stack may not have processed it yet, so its records do not show it.

use super::standing::Watched;
use std::collections::{HashMap, HashSet};
use walkaround_domain::identity::{Difference, Part, Purpose, Relation, content_is_known, relate};
use walkaround_domain::{InspectionId, InspectionRequest};
use walkaround_messages::{own_id, request_json};

/// Requests of this run.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    whole: HashSet<String>,
    by_id: HashMap<InspectionId, Vec<InspectionRequest>>,
}

impl Earlier {
    /// Whether the very same request is new to this run. One for another purpose than an earlier one gets the id that
    /// triage would give it, whichever of the two comes first there; where only the bytes will tell whether both are of one photo,
    /// that is left to triage.
    pub(super) fn add(&mut self, request: &mut InspectionRequest, watched: &mut Watched) -> bool {
        if !self.whole.insert(request_json(request)) {
            return false;
        }
        let earlier = self.by_id.entry(request.id.clone()).or_default();
        let contradicts = |earlier: &InspectionRequest| {
            let relation = relate(earlier, request);
            matches!(relation, Relation::Differs(Difference::Purpose { .. }))
        };
        if !watched.id_given && content_is_known(request) && earlier.iter().any(contradicts) {
            let own = own_id(&request.id, &Part::Purpose(Purpose::of(request)));
            watched.id = own.clone();
            request.id = own;
        } else {
            earlier.push(request.clone());
        }
        true
    }
}
