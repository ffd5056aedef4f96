//! Replaces the ids by which the parts of an annotation file name each other.

use super::annotations::{Annotations, Image, Shape};
use super::outline::Outline;
use super::raw::{Document, RawAnnotation, RawCategory, RawImage, Section};
use super::value::Id;
use crate::fault::AnnotationFault;
use crate::remarks::{Remark, Remarks};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Entries by id.
#[derive(Default)]
struct Ids(HashMap<Id, usize>);

impl Ids {
    /// Adds an entry; its place if the id is already taken.
    fn add(&mut self, id: &Id, at: usize) -> Option<usize> {
        self.0.insert(id.clone(), at)
    }

    /// 1 and "1" are one id, unless there are both.
    fn find(&self, id: &Id) -> Option<usize> {
        let other = || id.other_form().and_then(|it| self.0.get(&it));
        self.0.get(id).or_else(other).copied()
    }
}

/// Resolves the content of a file.
pub(crate) fn resolve(document: Document, file: &Path) -> Result<Annotations, AnnotationFault> {
    let mut resolver = Resolver {
        file,
        image_of: Ids::default(),
        category_of: Ids::default(),
        content: Annotations {
            categories: Vec::new(),
            images: Vec::new(),
            remarks: Remarks::default(),
        },
    };
    for (at, category) in list(document.categories, "categories")?.into_iter().enumerate() {
        resolver.category(at, category)?;
    }
    let mut names = HashMap::new();
    for (at, image) in list(document.images, "images")?.into_iter().enumerate() {
        resolver.image(at, image, &mut names)?;
    }
    resolver.annotations(list(document.annotations, "annotations")?)?;
    Ok(resolver.content)
}

fn list<T>(section: Section<T>, name: &'static str) -> Result<Vec<T>, AnnotationFault> {
    match section {
        Section::List(list) => Ok(list),
        Section::Missing => Err(AnnotationFault::NoSection(name)),
        Section::NoList => Err(AnnotationFault::NotAList(name)),
    }
}

/// The id of an entry, or its place where it has none.
fn named(id: Option<&Id>, at: usize) -> String {
    id.map_or_else(|| format!("position {}", at + 1), ToString::to_string)
}

/// A file on its way.
struct Resolver<'a> {
    file: &'a Path,
    image_of: Ids,
    category_of: Ids,
    content: Annotations,
}

impl Resolver<'_> {
    fn category(&mut self, at: usize, category: RawCategory) -> Result<(), AnnotationFault> {
        let name = named(category.id.as_ref(), at);
        let (Some(id), Some(category)) = (category.id, category.name) else {
            return Err(AnnotationFault::BadCategory(name));
        };
        if self.category_of.add(&id, at).is_some() {
            return Err(AnnotationFault::CategoryIdTwice(name));
        }
        self.content.categories.push(category);
        Ok(())
    }

    fn image(
        &mut self,
        at: usize,
        image: RawImage,
        names: &mut HashMap<String, String>,
    ) -> Result<(), AnnotationFault> {
        let name = named(image.id.as_ref(), at);
        let Some(file_name) = image.file_name else {
            return Err(AnnotationFault::NoFileName(name));
        };
        let Some(id) = image.id else {
            return Err(AnnotationFault::NoImageId(file_name));
        };
        if let Some(first) = names.insert(file_name.clone(), name.clone()) {
            return Err(AnnotationFault::FileTwice {
                file_name,
                ids: [first, name],
            });
        }
        if let Some(first) = self.image_of.add(&id, at) {
            return Err(AnnotationFault::IdTwice {
                id: name,
                file_names: [self.content.images[first].file_name.clone(), file_name],
            });
        }
        self.content.images.push(Image {
            file_name,
            size: image.size,
            shapes: Vec::new(),
        });
        Ok(())
    }

    /// Gives each annotation to its image; those of none are left out, unless they all are.
    fn annotations(&mut self, annotations: Vec<RawAnnotation>) -> Result<(), AnnotationFault> {
        let mut ids = HashSet::new();
        let mut first_orphan = None;
        let (all, mut orphans) = (annotations.len(), 0);
        for (at, annotation) in annotations.into_iter().enumerate() {
            let name = named(annotation.id.as_ref(), at);
            if let Some(id) = &annotation.id
                && !ids.insert(id.clone())
            {
                self.remark(Remark::IdTwice, &format!("annotation {name}"));
            }
            let Some(id) = &annotation.image_id else {
                return Err(AnnotationFault::NoImage(name));
            };
            match self.image_of.find(id) {
                Some(image) => self.shape(image, name, annotation)?,
                None => {
                    let image = id.to_string();
                    self.remark(Remark::NoSuchImage, &format!("annotation {name}, image {image}"));
                    first_orphan = first_orphan.or(Some((name, image)));
                    orphans += 1;
                }
            }
        }
        match first_orphan {
            // Every photo would pass for undamaged.
            Some((annotation, image)) if orphans == all => {
                Err(AnnotationFault::NoListedImage { annotation, image })
            }
            _ => Ok(()),
        }
    }

    fn shape(
        &mut self,
        image: usize,
        name: String,
        annotation: RawAnnotation,
    ) -> Result<(), AnnotationFault> {
        let file_name = &self.content.images[image].file_name;
        let category = annotation.category_id.as_ref();
        let Some(category) = category.and_then(|id| self.category_of.find(id)) else {
            return Err(AnnotationFault::UnknownCategory {
                annotation: name,
                image: file_name.clone(),
                category: category.map_or("no category".to_owned(), |id| format!("category {id}")),
            });
        };
        if matches!(&annotation.outline, Outline::Rings(rings) if rings.reduced) {
            let example = format!("annotation {name} of `{file_name}`");
            self.remark(Remark::RingIgnored, &example);
        }
        self.content.images[image].shapes.push(Shape {
            category,
            annotation: name,
            outline: annotation.outline,
        });
        Ok(())
    }

    fn remark(&mut self, remark: Remark, example: &str) {
        let example = format!("{}: {example}", self.file.display());
        self.content.remarks.add(remark, example);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Annotations, AnnotationFault> {
        resolve(serde_json::from_str(text).unwrap(), Path::new("a.json"))
    }

    /// Two images and a category; the annotations are to be added.
    fn with(annotations: &str) -> Result<Annotations, AnnotationFault> {
        parse(&format!(
            r#"{{"images":[{{"id":1,"file_name":"a.jpg"}},{{"id":"2","file_name":"b.jpg"}}],
                "categories":[{{"id":"1","name":"dent"}}],"annotations":{annotations}}}"#
        ))
    }

    #[test]
    fn references_between_the_parts_are_checked() {
        for (text, fault) in [
            (
                r#"{"images":[],"categories":[],"annotations":[{"id":5,"image_id":7,"category_id":1}]}"#,
                "no annotation is of a listed image, such as annotation 5 of image 7",
            ),
            (
                r#"{"images":[{"id":"a","file_name":"a.jpg"}],"categories":[],
                    "annotations":[{"image_id":"a","category_id":1}]}"#,
                "annotation position 1 of `a.jpg` is of category 1, which is not listed",
            ),
            (
                r#"{"images":[{"id":"a","file_name":"a.jpg"}],"categories":[],
                    "annotations":[{"id":5,"image_id":"a"}]}"#,
                "annotation 5 of `a.jpg` is of no category, which is not listed",
            ),
            (
                r#"{"images":[{"id":1,"file_name":"a.jpg"},{"id":2,"file_name":"a.jpg"}],"categories":[],
                    "annotations":[]}"#,
                "lists `a.jpg` twice: images 1 and 2",
            ),
            (
                r#"{"images":[{"id":1,"file_name":"a.jpg"},{"id":1.0,"file_name":"b.jpg"}],"categories":[],
                    "annotations":[]}"#,
                "two images have the id 1: `a.jpg` and `b.jpg`",
            ),
            (
                r#"{"images":[],"categories":[],"annotations":[{"id":5,"image_id":null}]}"#,
                "annotation 5 has no `image_id`",
            ),
            (
                r#"{"images":[],"categories":[],"annotations":[null]}"#,
                "annotation position 1 has no `image_id`",
            ),
            (
                r#"{"images":[{"id":1}],"categories":[],"annotations":[]}"#,
                "image 1 has no `file_name`",
            ),
            (
                r#"{"images":[{"file_name":"a.jpg"}],"categories":[],"annotations":[]}"#,
                "image `a.jpg` has no `id`",
            ),
            (
                r#"{"images":[],"categories":[{"id":1}],"annotations":[]}"#,
                "category 1 has no `id` or no `name`",
            ),
            (
                r#"{"images":[],"categories":[{"id":1,"name":"a"},{"id":1,"name":"b"}],"annotations":[]}"#,
                "two categories have the id 1",
            ),
            (
                r#"{"images":[],"categories":[],"annotations":null}"#,
                "not a COCO annotation file: it has no list `annotations`",
            ),
            (
                r#"{"images":{"1":{}},"categories":[],"annotations":[]}"#,
                "not a COCO annotation file: `images` is not a list",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), fault);
        }
    }

    #[test]
    fn a_number_and_its_text_are_one_id_unless_there_are_both() {
        let read = with(
            r#"[{"id":1,"image_id":"1","category_id":1},{"id":2,"image_id":2,"category_id":"1"},
                {"id":3,"image_id":2.0,"category_id":1.0}]"#,
        )
        .unwrap();
        let shapes: Vec<usize> = read.images.iter().map(|image| image.shapes.len()).collect();
        assert_eq!(shapes, [1, 2]);
        let both = parse(
            r#"{"images":[{"id":1,"file_name":"a.jpg"},{"id":"1","file_name":"b.jpg"}],
                "categories":[{"id":1,"name":"dent"}],"annotations":[{"image_id":"1","category_id":1}]}"#,
        )
        .unwrap();
        assert!(both.images[0].shapes.is_empty() && both.images[1].shapes.len() == 1);
    }

    #[test]
    fn what_is_left_out_or_read_otherwise_is_counted() {
        let read = with(
            r#"[{"id":1,"image_id":1,"category_id":1,"segmentation":[[1,1,9,1,9,9],[1,1,2,2]]},
                {"id":1,"image_id":777,"category_id":1}]"#,
        )
        .unwrap();
        let remarks: Vec<(String, usize, String)> = read
            .remarks
            .by_kind()
            .into_iter()
            .map(|it| (it.remark, it.annotations, it.examples[0].clone()))
            .collect();
        let line = |remark: Remark, annotations, example: &str| {
            (remark.to_string(), annotations, format!("a.json: {example}"))
        };
        assert_eq!(
            remarks,
            [
                line(Remark::NoSuchImage, 1, "annotation 1, image 777"),
                line(Remark::RingIgnored, 1, "annotation 1 of `a.jpg`"),
                line(Remark::IdTwice, 1, "annotation 1"),
            ]
        );
    }
}
