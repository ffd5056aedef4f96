//! An inspection that supersedes another one: of the same photo for the same purpose, asked for again with a reason.
//!
//! Both stay. The newer one names the older one in its labels, so that whoever reads record or event knows.

use crate::identity::LABELS_MAX;
use crate::ids::InspectionId;
use crate::photo::InspectionRequest;

/// Label with the id of the inspection that is superseded.
pub const SUPERSEDES: &str = "supersedes";
/// Label with the reason.
pub const SUPERSEDES_BECAUSE: &str = "supersedes_because";
/// Longest reason, in bytes: as any label.
pub const REASON_BYTES_MAX: usize = 256;

/// The request for an inspection that supersedes one; none where the labels of that one leave no room.
pub fn superseding(old: &InspectionRequest, id: InspectionId, reason: &str) -> Option<InspectionRequest> {
    let mut request = InspectionRequest {
        id,
        // What was urgent then is so no longer.
        deadline: None,
        ..old.clone()
    };
    request.labels.insert(SUPERSEDES.to_owned(), old.id.to_string());
    request
        .labels
        .insert(SUPERSEDES_BECAUSE.to_owned(), reason.to_owned());
    (request.labels.len() <= LABELS_MAX).then_some(request)
}

/// The inspection that a request supersedes.
pub fn superseded_by(request: &InspectionRequest) -> Option<&str> {
    request.labels.get(SUPERSEDES).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::PhotoRef;
    use crate::time::Timestamp;

    fn id(text: &str) -> InspectionId {
        InspectionId::new(text).expect("an id")
    }

    #[test]
    fn a_superseding_request_is_of_the_same_photo_and_purpose_and_names_the_other() {
        let mut old = InspectionRequest::of(id("a"), PhotoRef::File("a.jpg".to_owned()));
        old.vehicle_id = Some("B-WA 1234".to_owned());
        old.deadline = Some(Timestamp(5));
        old.labels.insert("site".to_owned(), "BER".to_owned());
        let new = superseding(&old, id("b"), "bundle 2").expect("two labels fit");
        assert_eq!(
            (&new.photo, &new.vehicle_id, new.deadline),
            (&old.photo, &old.vehicle_id, None)
        );
        assert_eq!(superseded_by(&new), Some("a"));
        assert_eq!(
            (
                new.labels["site"].as_str(),
                new.labels[SUPERSEDES_BECAUSE].as_str()
            ),
            ("BER", "bundle 2")
        );
        assert_eq!(superseded_by(&old), None);
        let again = superseding(&new, id("c"), "bundle 3").expect("the labels are replaced");
        assert_eq!((again.labels.len(), superseded_by(&again)), (3, Some("b")));
    }

    #[test]
    fn labels_that_leave_no_room_are_not_cut() {
        let mut old = InspectionRequest::of(id("a"), PhotoRef::File("a.jpg".to_owned()));
        old.labels = (0..LABELS_MAX).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(superseding(&old, id("b"), "bundle 2"), None);
    }
}
