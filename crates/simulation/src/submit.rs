//! What is submitted to a world: photos in every form of message, some of it twice, and some that nobody can
//! read.

use crate::context::Context;
use crate::injected_fault::InjectedFault;
use crate::photos::{Bytes, Kind, Photo};
use crate::plan::Plan;
use crate::planted;
use crate::queue::SimQueue;
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::{InspectionId, InspectionRequest, PhotoRef};
use walkaround_messages::{derived_id, request_json, request_protobuf};
use walkaround_ports::OutMessage;

/// One message to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    pub(crate) at: Duration,
    pub(crate) message: OutMessage,
    pub(crate) photos: Vec<Photo>,
    pub(crate) unreadable: bool,
}

/// Messages that ask for nothing, and messages that cannot be read.
const NOTHING: &str = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"photos"}"#;
const UNREADABLE: [&str; 4] = [
    "not json",
    " ",
    r#"{"photo":{"s3":{"bucket":"photos"}}}"#,
    r#"{"version":99,"photo":{"file":"p.png"}}"#,
];

/// Everything that is submitted, in the order of time.
pub(crate) fn draw(plan: &Plan, rng: &mut fastrand::Rng) -> Vec<Submission> {
    let mut all = Vec::new();
    let mut numbers = 0..plan.photos;
    while let Some(number) = numbers.next() {
        let first = photo(number, rng);
        let submission = if matches!(first.reference, PhotoRef::S3 { .. }) && rng.u32(0..3) == 0 {
            let mut photos = vec![first];
            for number in numbers.by_ref().take(rng.usize(0..3)) {
                photos.push(stored_photo(number, rng));
            }
            s3_event(photos)
        } else {
            request(first, rng)
        };
        all.push(submission);
    }
    let more = again(&mut all, plan, rng);
    all.extend(more);
    for _ in 0..rng.usize(0..3) {
        all.push(submission(plain(NOTHING)));
        let mut unreadable = submission(plain(UNREADABLE[rng.usize(0..UNREADABLE.len())]));
        unreadable.unreadable = true;
        if rng.bool() {
            // As many attributes as a queue takes: parking must not ask it for more.
            unreadable.message.attributes = (0..10).map(|i| (format!("a{i}"), "v".to_owned())).collect();
        }
        all.push(unreadable);
    }
    for i in 0..all.len() {
        if rng.u32(0..6) == 0 {
            all[i].photos.iter_mut().for_each(|photo| photo.once = false);
            all.push(all[i].clone());
        }
    }
    let over = u64::try_from(plan.submit_over.as_millis()).unwrap_or(0);
    for submission in &mut all {
        let earliest = submission.photos.iter().map(|photo| photo.since).max();
        let earliest = earliest.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
        submission.at = Duration::from_millis(rng.u64(0..=over).max(earliest));
    }
    all.sort_by_key(|submission| submission.at);
    all
}

fn photo(number: usize, rng: &mut fastrand::Rng) -> Photo {
    let reference = match rng.u32(0..4) {
        0 => PhotoRef::Url(format!("https://photos.example/{number}.png?signature=x")),
        1 => PhotoRef::File(format!("folder/{number}.png")),
        _ => return stored_photo(number, rng),
    };
    Photo {
        number,
        kind: Kind::draw(rng),
        id: InspectionId::new(format!("inspection-{number}")).expect("letters, a dash and digits"),
        reference,
        vehicle: None,
        since: Duration::ZERO,
        id_is_shared: false,
        changes: false,
        once: true,
    }
}

/// Requests that contradict earlier ones: for another vehicle, under an id that another photo has, and of a photo that
/// changed meanwhile.
fn again(all: &mut [Submission], plan: &Plan, rng: &mut fastrand::Rng) -> Vec<Submission> {
    let mut more = Vec::new();
    let change = plan.submit_over / 2 + Duration::from_millis(1);
    for (number, submission) in all.iter_mut().enumerate() {
        let [original] = submission.photos.as_mut_slice() else {
            continue;
        };
        let was = std::mem::replace(&mut original.once, false);
        let mut photo = original.clone();
        match (&photo.reference, rng.u32(0..6)) {
            (PhotoRef::S3 { .. }, 0) => {
                photo.vehicle = Some("vehicle-8");
                more.push(request_for(photo, rng));
            }
            (PhotoRef::File(_), 0..2) => {
                photo.reference = PhotoRef::File(format!("folder/other-{number}.png"));
                photo.id_is_shared = true;
                original.id_is_shared = true;
                more.push(request_for(photo, rng));
            }
            (PhotoRef::Url(_), 0..4) => {
                let at = |kind, since| Photo {
                    reference: PhotoRef::Url(format!("https://photos.example/changing-{number}.png")),
                    kind,
                    since,
                    changes: true,
                    ..photo.clone()
                };
                for (kind, since) in [(Kind::Clean, Duration::ZERO), (Kind::Damaged, change)] {
                    let mut photo = at(kind, since);
                    photo.id = derived_id(&photo.reference);
                    photo.vehicle = None;
                    more.push(request_for(photo, rng));
                }
            }
            _ => original.once = was,
        }
    }
    more
}

fn stored_photo(number: usize, rng: &mut fastrand::Rng) -> Photo {
    let reference = PhotoRef::S3 {
        bucket: "photos".into(),
        key: format!("vehicle 7/{number}.png"),
        version: None,
    };
    Photo {
        number,
        kind: Kind::draw(rng),
        id: derived_id(&reference),
        reference,
        vehicle: None,
        since: Duration::ZERO,
        id_is_shared: false,
        changes: false,
        once: true,
    }
}

fn submission(message: OutMessage) -> Submission {
    Submission {
        at: Duration::ZERO,
        message,
        photos: Vec::new(),
        unreadable: false,
    }
}

/// A message without attributes.
fn plain(body: &str) -> OutMessage {
    OutMessage {
        body: body.to_owned(),
        ..OutMessage::default()
    }
}

/// S3's own event, with one record a photo.
fn s3_event(mut photos: Vec<Photo>) -> Submission {
    if photos.iter().any(|photo| photo.kind.comes_back()) {
        photos.iter_mut().for_each(|photo| photo.once = false);
    }
    let records: Vec<String> = photos
        .iter()
        .map(|photo| {
            format!(
                r#"{{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{{"bucket":{{"name":"photos"}},"object":{{"key":"vehicle+7/{}.png","size":1}}}}}}"#,
                photo.number
            )
        })
        .collect();
    let body = format!(r#"{{"Records":[{}]}}"#, records.join(","));
    Submission {
        photos,
        ..submission(plain(&body))
    }
}

fn request(mut photo: Photo, rng: &mut fastrand::Rng) -> Submission {
    photo.vehicle = Some("vehicle-7");
    request_for(photo, rng)
}

fn request_for(photo: Photo, rng: &mut fastrand::Rng) -> Submission {
    let request = InspectionRequest {
        id: photo.id.clone(),
        photo: photo.reference.clone(),
        vehicle_id: photo.vehicle.map(Into::into),
        reservation_id: None,
        occasion: None,
        viewpoint: None,
        taken_at: None,
        deadline: None,
        labels: BTreeMap::new(),
        content: None,
    };
    let (body, attributes) = if rng.bool() {
        (request_json(&request), BTreeMap::new())
    } else {
        request_protobuf(&request)
    };
    let message = OutMessage {
        body,
        attributes,
        delay: Duration::ZERO,
    };
    Submission {
        photos: vec![photo],
        ..submission(message)
    }
}

/// Where each photo of a world is found.
pub(crate) fn photos(submissions: &[Submission]) -> BTreeMap<String, Vec<Bytes>> {
    let mut all: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
    for photo in submissions.iter().flat_map(|s| &s.photos) {
        let bytes = Bytes {
            since: photo.since,
            kind: photo.kind,
            number: photo.number,
        };
        all.entry(photo.reference.identity()).or_default().push(bytes);
    }
    all.values_mut()
        .for_each(|bytes| bytes.sort_by_key(|bytes| bytes.since));
    all
}

/// Sends everything at its time.
pub(crate) async fn all(
    context: &Context,
    intake: &SimQueue,
    submissions: &[Submission],
    plant: Option<InjectedFault>,
) {
    for submission in submissions {
        tokio::time::sleep(submission.at.saturating_sub(context.ticks())).await;
        for photo in &submission.photos {
            context.log("submits", format_args!("{} {:?}", photo.id, photo.kind));
        }
        intake.put(&planted::message(plant, &submission.message));
    }
}
