//! Reading CVAT's XML.

use crate::read::{PHOTOS_MAX, ReadError, ReadPhoto, ReadShape, SHAPES_MAX, SizeOf, photo_size};
use crate::shapes::{Geometry, ShapeKey};
use roxmltree::{Document, Node};
use std::io::Read;
use walkaround_domain::{PixelBox, Point, Size};
use walkaround_evaluation::StatedSize;
use walkaround_vision::mask::Patch;
use walkaround_vision::rle::from_patch;

/// Largest file that is read, in bytes: its tree is held.
const XML_BYTES_MAX: u64 = 256 << 20;

/// Reads a file; `size_of` says how large the photo of a name is.
///
/// # Errors
/// A file that is none, or has more than is read.
pub fn read(file: impl Read, size_of: SizeOf<'_>) -> Result<Vec<ReadPhoto>, ReadError> {
    let mut text = String::new();
    let read = file.take(XML_BYTES_MAX + 1).read_to_string(&mut text);
    let bytes = read.map_err(|e| ReadError::new(e.to_string()))?;
    if bytes as u64 > XML_BYTES_MAX {
        let limit = XML_BYTES_MAX >> 20;
        return Err(ReadError::new(format!(
            "larger than {limit} MiB: export a part of the task"
        )));
    }
    let document = Document::parse(&text).map_err(|e| ReadError::new(format!("not XML: {e}")))?;
    let root = document.root_element();
    if !root.has_tag_name("annotations") {
        return Err(ReadError::new("not CVAT's XML: expected <annotations>"));
    }
    if root.children().any(|node| node.has_tag_name("track")) {
        return Err(ReadError::new(
            "CVAT's XML for video: expected \"CVAT for images 1.1\", without <track>",
        ));
    }
    let images = root.children().filter(|node| node.has_tag_name("image"));
    if images.clone().count() > PHOTOS_MAX {
        return Err(ReadError::new(format!("more than {PHOTOS_MAX} photos")));
    }
    images
        .map(|image| {
            let name = image.attribute("name");
            let name = name.ok_or_else(|| ReadError::new("an <image> without a name"))?;
            Ok(ReadPhoto {
                name: name.to_owned(),
                shapes: shapes(image, name, size_of),
            })
        })
        .collect()
}

fn shapes(image: Node<'_, '_>, name: &str, size_of: SizeOf<'_>) -> Result<Vec<ReadShape>, ReadError> {
    let stated = Size::new(whole(image, "width")?, whole(image, "height")?);
    let size = photo_size(name, StatedSize::Of(stated), size_of)?;
    let mut read = Vec::new();
    for node in image.children().filter(Node::is_element) {
        let geometry = match node.tag_name().name() {
            "polygon" => Geometry::Rings(vec![ring(node)?]),
            "mask" => mask(node, size)?,
            "box" => boxed(node)?,
            // Tags are about the photo.
            "tag" => continue,
            other => {
                let line = format!("a shape <{other}>: expected <polygon>, <mask> or <box>");
                return Err(ReadError::new(line));
            }
        };
        if read.len() == SHAPES_MAX {
            return Err(ReadError::new(format!("more than {SHAPES_MAX} shapes")));
        }
        let mut attributes = node.children().filter(|child| child.has_tag_name("attribute"));
        let key = attributes.find(|child| child.attribute("name") == Some("key"));
        read.push(ReadShape {
            key: key.and_then(|key| key.text()).and_then(ShapeKey::parse),
            class: text(node, "label")?.to_owned(),
            geometry,
            pixels: None,
        });
    }
    Ok(read)
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, ReadError> {
    let tag = node.tag_name().name();
    node.attribute(name)
        .ok_or_else(|| ReadError::new(format!("a <{tag}> without `{name}`")))
}

fn number(node: Node<'_, '_>, name: &str) -> Result<f32, ReadError> {
    let value = text(node, name)?.trim().parse::<f32>().ok();
    value.filter(|value| value.is_finite()).ok_or_else(|| {
        let tag = node.tag_name().name();
        ReadError::new(format!("a <{tag}> whose `{name}` is no number"))
    })
}

fn whole(node: Node<'_, '_>, name: &str) -> Result<u32, ReadError> {
    let value = number(node, name)?;
    // Sides of photos are far below what an f32 holds exactly.
    let fits = value >= 0.0 && value.fract() == 0.0 && value < 16_777_216.0;
    fits.then_some(value as u32).ok_or_else(|| {
        let tag = node.tag_name().name();
        ReadError::new(format!("a <{tag}> whose `{name}` is no whole number"))
    })
}

fn ring(node: Node<'_, '_>) -> Result<Vec<Point>, ReadError> {
    let wrong = || ReadError::new("a <polygon> whose points are not pairs of numbers");
    let point = |pair: &str| -> Result<Point, ReadError> {
        let (x, y) = pair.split_once(',').ok_or_else(wrong)?;
        let number = |text: &str| -> Result<f32, ReadError> {
            let number = text.trim().parse().ok();
            number.filter(|number: &f32| number.is_finite()).ok_or_else(wrong)
        };
        Ok(Point {
            x: number(x)?,
            y: number(y)?,
        })
    };
    let ring: Vec<Point> = text(node, "points")?
        .split(';')
        .map(point)
        .collect::<Result<_, _>>()?;
    if ring.len() < 3 {
        return Err(ReadError::new("a <polygon> of fewer than 3 points"));
    }
    Ok(ring)
}

fn mask(node: Node<'_, '_>, size: Size) -> Result<Geometry, ReadError> {
    let wrong = |what: &str| ReadError::new(format!("a <mask> {what}"));
    let (left, top) = (whole(node, "left")?, whole(node, "top")?);
    let (width, height) = (whole(node, "width")?, whole(node, "height")?);
    let inside = |from: u32, length: u32, side: u32| length > 0 && from.checked_add(length) <= Some(side);
    let fits = |from, length, side| inside(from, length, side) && from < side;
    if !fits(left, width, size.width) || !fits(top, height, size.height) {
        return Err(wrong("that reaches outside its photo"));
    }
    let cells = width as usize * height as usize;
    let mut pixels = vec![0; cells];
    let (mut at, mut value) = (0_usize, 0);
    for count in text(node, "rle")?.split(',') {
        let count: usize = count
            .trim()
            .parse()
            .map_err(|_| wrong("whose run lengths are not whole numbers"))?;
        let end = at.checked_add(count).filter(|end| *end <= cells);
        let end = end.ok_or_else(|| wrong("whose run lengths are more than its box has"))?;
        if value == 1 {
            pixels[at..end].fill(1);
        }
        (at, value) = (end, 1 - value);
    }
    if at != cells {
        return Err(wrong("whose run lengths are fewer than its box has"));
    }
    let patch = Patch {
        x: left as usize,
        y: top as usize,
        width: width as usize,
        height: height as usize,
        pixels,
    };
    Ok(Geometry::Mask(from_patch(size, &patch)))
}

fn boxed(node: Node<'_, '_>) -> Result<Geometry, ReadError> {
    if node
        .attribute("rotation")
        .is_some_and(|it| it.trim().parse() != Ok(0.0))
    {
        return Err(ReadError::new("a <box> that is turned: expected a <polygon>"));
    }
    let (left, top) = (number(node, "xtl")?, number(node, "ytl")?);
    let (right, bottom) = (number(node, "xbr")?, number(node, "ybr")?);
    if right <= left || bottom <= top {
        return Err(ReadError::new("a <box> without an area"));
    }
    let near = |side: f32| (side - side.round()).abs() < 0.01 && side >= 0.0;
    if [left, top, right, bottom].into_iter().all(near) {
        let side = |side: f32| side.round() as u32;
        return Ok(Geometry::Box(PixelBox {
            x: side(left),
            y: side(top),
            width: side(right) - side(left),
            height: side(bottom) - side(top),
        }));
    }
    let point = |x, y| Point { x, y };
    Ok(Geometry::Rings(vec![vec![
        point(left, top),
        point(right, top),
        point(right, bottom),
        point(left, bottom),
    ]]))
}
