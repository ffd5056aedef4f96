//! Which part of a data set a photo is in: by a hash of its vehicle, so that no vehicle is in two parts.

use sha2::{Digest, Sha256};
use std::fmt;
use walkaround_domain::hex;

/// Most parts.
pub const SPLITS_MAX: usize = 8;
/// Longest name of a part, in bytes.
const NAME_BYTES_MAX: usize = 32;
/// The part of a data set that is not divided.
pub const WHOLE: &str = "all";

/// Whether a text can name a part: files have its name.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// What is never divided: its photos are all in one part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group([u8; 32]);

impl Group {
    /// The group of a photo: its vehicle, else its reservation, else its bytes.
    pub fn of(vehicle: Option<&str>, reservation: Option<&str>, photo: &[u8; 32]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"walkaround group 1\0");
        match (vehicle, reservation) {
            (Some(vehicle), _) => hash.update([b"vehicle\0", vehicle.as_bytes()].concat()),
            (None, Some(reservation)) => hash.update([b"reservation\0", reservation.as_bytes()].concat()),
            (None, None) => hash.update([&b"photo\0"[..], photo].concat()),
        }
        Self(hash.finalize().into())
    }

    /// 16 hexadecimal digits.
    pub fn name(&self) -> String {
        hex(&self.0)[..16].to_owned()
    }

    /// Where it falls between 0 (included) and 1.
    fn place(&self) -> f64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        // 53 bits are what an f64 holds exactly.
        (u64::from_be_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The parts of a data set and their shares, which add up to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits(Vec<(String, f64)>);

impl Default for Splits {
    fn default() -> Self {
        Self(vec![(WHOLE.to_owned(), 1.0)])
    }
}

impl fmt::Display for Splits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(name, share)| format!("{name}={share}"))
            .collect();
        f.write_str(&parts.join(","))
    }
}

impl Splits {
    /// Reads `train=0.8,val=0.1,test=0.1`.
    ///
    /// # Errors
    /// What was expected, as a clause.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts: Vec<(String, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, share) = part
                .split_once('=')
                .ok_or_else(|| "expected NAME=SHARE,NAME=SHARE such as train=0.8,val=0.2".to_owned())?;
            if !is_name(name) {
                return Err(format!(
                    "`{name}`: expected a name of 1 to {NAME_BYTES_MAX} letters, digits, `-` or `_`"
                ));
            }
            if parts.iter().any(|(other, _)| other == name) {
                return Err(format!("{name} is named twice"));
            }
            let share: f64 = share
                .parse()
                .map_err(|_| format!("{name}={share}: expected a number"))?;
            if !(share > 0.0 && share <= 1.0) {
                return Err(format!("{name}={share}: expected a share above 0 and at most 1"));
            }
            parts.push((name.to_owned(), share));
        }
        let sum: f64 = parts.iter().map(|(_, share)| share).sum();
        if parts.len() > SPLITS_MAX {
            return Err(format!("{} parts, expected at most {SPLITS_MAX}", parts.len()));
        }
        if (sum - 1.0).abs() > 1e-6 {
            return Err(format!("the shares add up to {sum}, expected 1"));
        }
        Ok(Self(parts))
    }

    /// Their names, as given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The part of a group.
    pub fn of(&self, group: &Group) -> &str {
        let mut end = 0.0;
        for (name, share) in &self.0 {
            end += share;
            if group.place() < end {
                return name;
            }
        }
        // Shares that were rounded may end just below 1.
        self.0.last().map_or(WHOLE, |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn no_vehicle_is_in_two_parts(photos in prop::collection::vec(("[a-z]{1,2}", any::<[u8; 32]>()), 1..200)) {
            let splits = Splits::parse("train=0.7,val=0.2,test=0.1").unwrap();
            let mut part_of = BTreeMap::new();
            for (vehicle, photo) in &photos {
                let group = Group::of(Some(vehicle), Some("other"), photo);
                let part = splits.of(&group);
                prop_assert_eq!(*part_of.entry(vehicle).or_insert(part), part);
            }
        }
    }

    #[test]
    fn parts_have_about_their_shares() {
        let splits = Splits::parse("train=0.8,val=0.1,test=0.1").unwrap();
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for vehicle in 0..10_000 {
            let group = Group::of(Some(&format!("car {vehicle}")), None, &[0; 32]);
            *counts.entry(splits.of(&group)).or_default() += 1;
        }
        assert!((7_850..8_150).contains(&counts["train"]), "{counts:?}");
        assert!((900..1_100).contains(&counts["val"]), "{counts:?}");
    }

    #[test]
    fn what_stands_for_a_vehicle_is_the_reservation_then_the_photo() {
        let (one, other) = ([1; 32], [2; 32]);
        assert_eq!(
            Group::of(None, Some("r"), &one),
            Group::of(None, Some("r"), &other)
        );
        assert_ne!(Group::of(None, None, &one), Group::of(None, None, &other));
        assert_ne!(Group::of(Some("r"), None, &one), Group::of(None, Some("r"), &one));
    }

    #[test]
    fn what_is_no_split_is_named() {
        for (text, words) in [
            ("train", "expected NAME=SHARE"),
            ("train=x", "expected a number"),
            ("train=0.5,val=0.4", "add up to 0.9"),
            ("train=0.5,train=0.5", "named twice"),
            ("../x=1", "expected a name"),
            ("a=1.5,b=-0.5", "expected a share"),
        ] {
            assert!(Splits::parse(text).unwrap_err().contains(words), "{text}");
        }
        assert_eq!(
            Splits::parse("a=0.25,b=0.75").unwrap().to_string(),
            "a=0.25,b=0.75"
        );
    }
}
