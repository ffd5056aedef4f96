//! Which requests are one inspection: tables, and properties for any two purposes.

use super::*;
use crate::record::Inspection;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn object(key: &str, version: Option<&str>) -> PhotoRef {
    PhotoRef::S3 {
        bucket: "photos".into(),
        key: key.into(),
        version: version.map(Into::into),
    }
}

fn id(text: &str) -> InspectionId {
    InspectionId::new(text).unwrap()
}

fn request(photo: PhotoRef) -> InspectionRequest {
    InspectionRequest::of(id("one"), photo)
}

fn for_purpose(purpose: Purpose<'_>) -> InspectionRequest {
    InspectionRequest {
        vehicle_id: purpose.vehicle_id.map(Into::into),
        reservation_id: purpose.reservation_id.map(Into::into),
        occasion: purpose.occasion,
        ..request(object("a.jpg", None))
    }
}

#[test]
fn without_a_version_the_content_is_part_of_the_identity() {
    let etag = |etag| Some(object_content(etag, 9));
    let text = |version, content: Option<String>| base_text(&object("k", version), content.as_deref());
    assert_ne!(text(None, etag("a")), text(None, etag("b")));
    assert_ne!(text(None, etag("a")), text(None, None));
    assert_eq!(
        text(None, etag("\"a\"")),
        text(None, etag("a")),
        "HEAD quotes an ETag, events do not"
    );
    // An event names both, a request the version alone: one photo.
    assert_eq!(text(Some("1"), etag("a")), text(Some("1"), None));
    assert_ne!(text(Some("1"), None), text(Some("2"), None));
    let file = |content: String| base_text(&PhotoRef::File("/p/1.jpg".into()), Some(&content));
    assert_ne!(file(file_content(7, 1)), file(file_content(7, 2)));
    assert_ne!(file(file_content(7, 1)), file(file_content(8, 1)));
}

#[test]
fn where_the_content_is_known_before_the_fetch() {
    let known = |photo, content: Option<&str>| {
        content_is_known(&InspectionRequest {
            content: content.map(Into::into),
            ..request(photo)
        })
    };
    assert!(known(object("k", Some("1")), None));
    assert!(known(object("k", None), Some("e/9")));
    assert!(known(object(&format!("{SUBMITTED_PREFIX}0a/1.jpg"), None), None));
    assert!(!known(object("k", None), None));
    assert!(!known(PhotoRef::Url("https://a/1.jpg".into()), None));
    assert!(!known(PhotoRef::File("1.jpg".into()), None));
    assert!(known(PhotoRef::File("1.jpg".into()), Some("7/1")));
}

const fn purpose<'a>(
    vehicle_id: Option<&'a str>,
    reservation_id: Option<&'a str>,
    occasion: Option<Occasion>,
) -> Purpose<'a> {
    Purpose {
        vehicle_id,
        reservation_id,
        occasion,
    }
}

/// A request that meets a stored inspection.
struct RelationCase {
    stored: Purpose<'static>,
    asked: Purpose<'static>,
    expected: ExpectedRelation,
}

enum ExpectedRelation {
    Known,
    /// What stands afterwards.
    Adds(Purpose<'static>),
    /// The part that differs.
    Differs(&'static str),
}

#[test]
fn a_request_is_known_adds_or_differs() {
    use ExpectedRelation::{Adds, Differs, Known};
    use Occasion::{PickUp, Return};
    let none = purpose(None, None, None);
    let whole = purpose(Some("v"), Some("r"), Some(PickUp));
    let vehicle = purpose(Some("v"), None, None);
    let case = |stored, asked, expected| RelationCase {
        stored,
        asked,
        expected,
    };
    let cases = [
        case(none, none, Known),
        case(whole, none, Known),
        case(whole, purpose(Some("v"), None, Some(PickUp)), Known),
        case(none, vehicle, Adds(vehicle)),
        case(
            vehicle,
            purpose(Some("v"), Some("r"), Some(Return)),
            Adds(purpose(Some("v"), Some("r"), Some(Return))),
        ),
        case(
            vehicle,
            purpose(None, Some("r"), None),
            Adds(purpose(Some("v"), Some("r"), None)),
        ),
        case(vehicle, purpose(Some("w"), None, None), Differs("vehicle")),
        case(
            purpose(Some("v"), Some("r"), None),
            purpose(None, Some("s"), None),
            Differs("reservation"),
        ),
        case(
            purpose(None, None, Some(PickUp)),
            purpose(Some("v"), None, Some(Return)),
            Differs("occasion"),
        ),
    ];
    for case in cases {
        let RelationCase { stored, asked, .. } = case;
        let relation = relate(&for_purpose(stored), &for_purpose(asked));
        match case.expected {
            Known => assert_eq!(relation, Relation::Known, "{stored:?} {asked:?}"),
            Adds(whole) => assert_eq!(
                relation,
                Relation::Adds(for_purpose(whole)),
                "{stored:?} {asked:?}"
            ),
            Differs(wanted) => assert!(
                matches!(&relation, Relation::Differs(Difference::Purpose { part, .. }) if *part == wanted),
                "{stored:?} {asked:?}: {relation:?}"
            ),
        }
    }
}

#[test]
fn what_is_no_purpose_completes_and_never_contradicts() {
    let with = |viewpoint: Option<&str>, label: &str| InspectionRequest {
        viewpoint: viewpoint.map(Into::into),
        labels: BTreeMap::from([(label.to_owned(), "1".to_owned())]),
        deadline: Some(Timestamp(label.len() as u64)),
        ..request(object("a.jpg", None))
    };
    assert_eq!(
        relate(&with(Some("rear"), "a"), &with(Some("front"), "a")),
        Relation::Known
    );
    let Relation::Adds(whole) = relate(&with(None, "a"), &with(Some("front"), "bb")) else {
        panic!("it adds");
    };
    assert_eq!(whole.viewpoint.as_deref(), Some("front"));
    assert_eq!(whole.labels.len(), 2);
    assert_eq!(
        whole.deadline,
        Some(Timestamp(1)),
        "a deadline is each request's own"
    );
}

#[test]
fn labels_that_are_added_stay_within_the_bound() {
    let many = |from: usize| InspectionRequest {
        labels: (from..from + LABELS_MAX)
            .map(|i| (i.to_string(), String::new()))
            .collect(),
        ..request(object("a.jpg", None))
    };
    assert_eq!(
        relate(&many(0), &many(100)),
        Relation::Known,
        "there is no room for more"
    );
}

#[test]
fn another_place_version_or_content_is_another_photo() {
    let at = |photo: PhotoRef, content: Option<&str>| InspectionRequest {
        content: content.map(Into::into),
        ..request(photo)
    };
    let stored = at(object("a.jpg", Some("1")), None);
    let other = [
        at(object("b.jpg", Some("1")), None),
        at(object("a.jpg", Some("2")), None),
        at(PhotoRef::File("a.jpg".into()), None),
    ];
    for other in &other {
        let relation = relate(&stored, other);
        assert!(
            matches!(relation, Relation::Differs(Difference::Photo { .. })),
            "{relation:?}"
        );
    }
    assert_eq!(relate(&stored, &at(object("a.jpg", None), None)), Relation::Known);
    let (one, two) = (
        at(object("a.jpg", None), Some("e/1")),
        at(object("a.jpg", None), Some("f/1")),
    );
    assert!(matches!(
        relate(&one, &two),
        Relation::Differs(Difference::Photo { .. })
    ));
    assert!(bytes_are_same(&one, &one) && !bytes_are_same(&one, &two));
    assert!(
        !bytes_are_same(&stored, &at(object("a.jpg", None), None)),
        "only a digest can tell"
    );
    // What stands in a URL's query is not stored.
    let url = |query: &str| at(PhotoRef::Url(format!("https://a/1.jpg{query}")), None);
    assert_eq!(relate(&url(""), &url("?signature=2")), Relation::Known);
}

#[test]
fn what_differs_is_one_clear_line() {
    let differs = relate(
        &for_purpose(purpose(Some("v"), None, None)),
        &for_purpose(purpose(Some("w"), None, None)),
    );
    let Relation::Differs(purpose) = differs else {
        panic!("it differs")
    };
    assert_eq!(
        purpose.to_string(),
        "is for vehicle v, not w: another purpose needs another id"
    );
    let Relation::Differs(photo) = relate(&request(object("a", None)), &request(object("b", None))) else {
        panic!("it differs");
    };
    assert_eq!(
        photo.to_string(),
        "is of s3://photos/a, not of s3://photos/b: another photo needs another id"
    );
}

#[test]
fn bytes_answer_what_was_sent_before_they_were_asked_for_or_found_the_same() {
    let mut inspection = Inspection::accepted(request(object("a", None)), Timestamp(5));
    assert!(inspection.has_bytes_of(Timestamp(4)) && inspection.has_bytes_of(Timestamp(5)));
    assert!(!inspection.has_bytes_of(Timestamp(6)));
    inspection.compared(Timestamp(8), None);
    assert!(inspection.has_bytes_of(Timestamp(8)) && !inspection.has_bytes_of(Timestamp(9)));
    // Others were found since: what was sent in between may mean either.
    inspection.compared(Timestamp(10), Some(InspectionId::new("other").unwrap()));
    assert!(!inspection.has_bytes_of(Timestamp(6)) && inspection.has_bytes_of(Timestamp(5)));
}

fn name() -> impl Strategy<Value = Option<String>> {
    // Few values meet; the odd ones must not run together.
    proptest::option::of(prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        "[a-b:\u{1f}0-9]{1,6}"
    ])
}

prop_compose! {
    fn any_purpose()(
        vehicle_id in name(),
        reservation_id in name(),
        occasion in proptest::option::of(prop_oneof![Just(Occasion::PickUp), Just(Occasion::Return)]),
    ) -> InspectionRequest {
        InspectionRequest { vehicle_id, reservation_id, occasion, ..request(object("a.jpg", None)) }
    }
}

proptest! {
    /// Whatever comes in whatever order: what stands answers the request, or the two contradict each other; nothing that
    /// stood is changed; and asking again adds nothing.
    #[test]
    fn a_completed_inspection_answers_both_requests(stored in any_purpose(), asked in any_purpose()) {
        match relate(&stored, &asked) {
            Relation::Known => prop_assert!(Purpose::of(&stored).covers(Purpose::of(&asked))),
            Relation::Adds(whole) => {
                prop_assert!(Purpose::of(&whole).covers(Purpose::of(&asked)));
                prop_assert!(Purpose::of(&whole).covers(Purpose::of(&stored)));
                prop_assert_eq!(relate(&whole, &asked), Relation::Known);
            }
            Relation::Differs(_) => {
                let back = relate(&asked, &stored);
                prop_assert!(matches!(back, Relation::Differs(_)), "{:?}", back);
            }
        }
    }

    #[test]
    fn parts_have_one_text_each(one in any_purpose(), other in any_purpose(), bytes in any::<[u8; 32]>()) {
        let base = id("base");
        let text = |request| Part::Purpose(Purpose::of(request)).text(&base);
        prop_assert_eq!(text(&one) == text(&other), Purpose::of(&one) == Purpose::of(&other));
        prop_assert_ne!(Part::Bytes(&bytes).text(&base), text(&one));
        prop_assert_ne!(Part::Bytes(&bytes).text(&base), Part::Bytes(&bytes).text(&id("other")));
    }
}
