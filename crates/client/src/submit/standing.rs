//! What a request meets in the stack before it is sent, and where its result will stand: the rules of
//! [`walkaround_domain::identity`], as a client follows them.

use walkaround_domain::identity::{
    self, Difference, PARTS_MAX, Part, Purpose, Relation, bytes_are_same, content_is_known, relate,
};
use walkaround_domain::{Inspection, InspectionId, InspectionRequest, Phase, Timestamp};
use walkaround_messages::own_id;
use walkaround_ports::Records;

/// An inspection whose result is waited for.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Where the result is looked for.
    pub id: InspectionId,
    /// The photo, for people.
    pub photo: String,
    /// What was asked for.
    pub request: InspectionRequest,
    /// Whether the caller gave the id.
    pub id_given: bool,
    /// What the inspection had been compared with before this request was sent, where only a comparison of bytes
    /// says whether it is the one that the request means.
    seen: Option<Timestamp>,
}

/// What a request meets.
pub(crate) enum Standing {
    /// What it asks for is there.
    Known(Watched),
    /// It has to be sent.
    Open(Watched),
    /// Its id stands for something else.
    Taken(Difference),
}

/// Looks where the result of a request stands, or will.
pub(crate) async fn standing(
    records: &dyn Records,
    request: &InspectionRequest,
    id_given: bool,
) -> anyhow::Result<Standing> {
    let mut watched = Watched {
        id: request.id.clone(),
        photo: request.photo.to_string(),
        request: request.clone(),
        id_given,
        seen: None,
    };
    for _ in 0..PARTS_MAX {
        let Some(record) = records.read(&watched.id).await? else {
            return Ok(Standing::Open(watched));
        };
        let inspection = crate::inspection(&record)?;
        match relate(&inspection.request, request) {
            Relation::Known if is_failed_unseen(&inspection) => return Ok(Standing::Known(watched)),
            _ if !bytes_are_same(&inspection.request, request) && is_same_place(&inspection, request) => {
                watched.seen = Some(inspection.seen_at());
                return Ok(Standing::Open(watched));
            }
            Relation::Known if inspection.phase.is_final() => return Ok(Standing::Known(watched)),
            Relation::Known | Relation::Adds(_) => return Ok(Standing::Open(watched)),
            Relation::Differs(difference) => match own(&watched, &difference) {
                Some(id) => watched.id = id,
                None => return Ok(Standing::Taken(difference)),
            },
        }
    }
    Ok(Standing::Open(watched))
}

/// Whether it failed before its photo's bytes were seen: there is nothing that another fetch could be compared with, and
/// only `retry` inspects it again.
fn is_failed_unseen(inspection: &Inspection) -> bool {
    matches!(inspection.phase, Phase::Failed { .. }) && inspection.photo_history.photo_sha256.is_none()
}

/// Whether only the photo's bytes can tell two requests apart.
fn is_same_place(inspection: &Inspection, request: &InspectionRequest) -> bool {
    let differs = relate(&inspection.request, request);
    !matches!(differs, Relation::Differs(Difference::Photo { .. }))
        && (!content_is_known(request) || !content_is_known(&inspection.request))
}

/// The id of an inspection of its own.
fn own(watched: &Watched, difference: &Difference) -> Option<InspectionId> {
    let another = matches!(difference, Difference::Purpose { .. }) && !watched.id_given;
    another.then(|| own_id(&watched.id, &Part::Purpose(Purpose::of(&watched.request))))
}

impl Watched {
    /// What distinguishes this request from another one that is watched under the same id.
    pub(crate) fn key(&self) -> String {
        identity::Part::Purpose(Purpose::of(&self.request)).text(&self.id)
    }

    /// Looks at the inspection under its id: true when it is the result. Otherwise it is not there yet, or `id` has
    /// become another one.
    pub(crate) fn is_result(&mut self, inspection: &Inspection) -> bool {
        if let Some(seen) = self.seen
            && inspection.phase.is_final()
        {
            if inspection.seen_at() <= seen {
                return false;
            }
            self.seen = None;
            if let Some(other) = &inspection.photo_history.other_bytes {
                self.id = other.clone();
                return false;
            }
        }
        match relate(&inspection.request, &self.request) {
            Relation::Known => inspection.phase.is_final(),
            Relation::Adds(_) => false,
            Relation::Differs(difference) => {
                if let Some(id) = own(self, &difference) {
                    self.id = id;
                }
                false
            }
        }
    }
}
