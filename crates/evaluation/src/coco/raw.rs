//! An annotation file as it is written: nothing in it is resolved, and one bad entry is no error yet.

use super::annotations::StatedSize;
use super::outline::Outline;
use super::value::{Id, whole};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;
use walkaround_domain::Size;

/// The parts of a file that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Document {
    pub(crate) images: Section<RawImage>,
    pub(crate) annotations: Section<RawAnnotation>,
    pub(crate) categories: Section<RawCategory>,
}

/// An image entry; none where a field is missing or of a wrong type.
#[derive(Debug, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct RawImage {
    pub(crate) id: Option<Id>,
    pub(crate) file_name: Option<String>,
    pub(crate) size: StatedSize,
}

/// An annotation entry; none where a field is missing or of a wrong type.
#[derive(Debug, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct RawAnnotation {
    pub(crate) id: Option<Id>,
    pub(crate) image_id: Option<Id>,
    pub(crate) category_id: Option<Id>,
    pub(crate) outline: Outline,
}

/// A category entry; none where a field is missing or of a wrong type.
#[derive(Debug, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct RawCategory {
    pub(crate) id: Option<Id>,
    pub(crate) name: Option<String>,
}

impl From<Value> for RawImage {
    fn from(value: Value) -> Self {
        Self {
            id: Id::of(&value["id"]),
            file_name: value["file_name"].as_str().map(str::to_owned),
            size: stated_size(&value["width"], &value["height"]),
        }
    }
}

impl From<Value> for RawAnnotation {
    fn from(value: Value) -> Self {
        Self {
            id: Id::of(&value["id"]),
            image_id: Id::of(&value["image_id"]),
            category_id: Id::of(&value["category_id"]),
            outline: Outline::read(&value["segmentation"], &value["bbox"]),
        }
    }
}

impl From<Value> for RawCategory {
    fn from(value: Value) -> Self {
        let name = match &value["name"] {
            Value::String(name) => Some(name.clone()),
            name => Id::of(name).map(|id| id.to_string()),
        };
        Self {
            id: Id::of(&value["id"]),
            name,
        }
    }
}

fn stated_size(width: &Value, height: &Value) -> StatedSize {
    if width.is_null() || height.is_null() {
        return StatedSize::Missing;
    }
    match whole(width).zip(whole(height)) {
        Some((width, height)) if width > 0 && height > 0 => StatedSize::Of(Size::new(width, height)),
        _ => StatedSize::Invalid,
    }
}

/// One of the lists of a file.
#[derive(Debug, Default)]
pub(crate) enum Section<T> {
    /// A list.
    List(Vec<T>),
    /// Not there, or null.
    #[default]
    Missing,
    /// An object, text or a number.
    NoList,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SectionVisitor(PhantomData))
    }
}

/// Reads the entries one by one: a file of a gigabyte is never held as a tree.
struct SectionVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SectionVisitor<T> {
    type Value = Section<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Section<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Section::List(list))
    }

    fn visit_unit<E>(self) -> Result<Section<T>, E> {
        Ok(Section::Missing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Section<T>, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Section::NoList)
    }

    fn visit_str<E>(self, _: &str) -> Result<Section<T>, E> {
        Ok(Section::NoList)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Section<T>, E> {
        Ok(Section::NoList)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Section<T>, E> {
        Ok(Section::NoList)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Section<T>, E> {
        Ok(Section::NoList)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Section<T>, E> {
        Ok(Section::NoList)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_list_is_no_error_of_the_parser() {
        for section in [
            json!({"a": [1]}),
            json!("a"),
            json!(true),
            json!(-1),
            json!(1),
            json!(1.5),
        ] {
            let text = json!({"images": section}).to_string();
            let document: Document = serde_json::from_str(&text).unwrap();
            assert!(matches!(document.images, Section::NoList), "{text}");
        }
    }

    #[test]
    fn a_stated_size_is_two_whole_numbers() {
        let size = |width, height| RawImage::from(json!({"width": width, "height": height})).size;
        assert_eq!(size(json!(4.0), json!("2")), StatedSize::Of(Size::new(4, 2)));
        assert_eq!(size(json!(4), json!(null)), StatedSize::Missing);
        for width in [json!(0), json!(-4), json!(4.5), json!([4]), json!("?")] {
            assert_eq!(size(width.clone(), json!(2)), StatedSize::Invalid, "{width}");
        }
    }
}
