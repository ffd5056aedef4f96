//! CVAT's XML 1.1 for images (docs.cvat.ai, "CVAT for images").
//!
//! A `<mask>` is a run-length code of its smallest box alone, row by row, background first. What a person drew as one
//! ring is a `<polygon>`, so that it can be moved; a box without an outline is a `<box>`. Each shape has the attributes `key`,
//! `by` and `reviewed`, which the labels in `<meta>` declare.

mod read;

pub use read::read;

use crate::annotation::Photo;
use crate::shapes::{Format, Geometry, Losses, Shape, lower};
use std::fmt::Write as _;
use std::io::{self, Write};
use walkaround_domain::{PixelBox, Rle};
use walkaround_vision::mask::Patch;
use walkaround_vision::outlines::patch;
use walkaround_vision::rle::RleError;

/// Writes a file photo by photo.
pub struct Writer<W> {
    out: W,
    images: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file with the labels of these classes.
    ///
    /// # Errors
    /// Errors of the output, here and below.
    pub fn new(mut out: W, classes: &[String]) -> io::Result<Self> {
        writeln!(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>")?;
        writeln!(
            out,
            "<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n      <labels>"
        )?;
        for class in classes {
            writeln!(
                out,
                "        <label><name>{}</name><type>any</type><attributes>{}{}{}</attributes></label>",
                escaped(class),
                attribute("key", "text", ""),
                attribute("by", "select", "machine\nperson"),
                attribute("reviewed", "checkbox", "false"),
            )?;
        }
        writeln!(out, "      </labels>\n    </task>\n  </meta>")?;
        Ok(Self { out, images: 0 })
    }

    /// Adds a photo.
    ///
    /// # Errors
    /// Errors of the output; a mask that has no code.
    pub fn add(&mut self, photo: &Photo) -> io::Result<Losses> {
        let (shapes, losses) = lower(Format::Cvat, photo);
        let (size, name) = (photo.size(), escaped(photo.file_name()));
        let subset = escaped(photo.entry.split.as_deref().unwrap_or_default());
        writeln!(
            self.out,
            "  <image id=\"{}\" name=\"{name}\" subset=\"{subset}\" width=\"{}\" height=\"{}\">",
            self.images, size.width, size.height
        )?;
        for shape in &shapes {
            self.shape(shape, photo.entry.is_reviewed())?;
        }
        writeln!(self.out, "  </image>")?;
        self.images += 1;
        Ok(losses)
    }

    fn shape(&mut self, shape: &Shape<'_>, reviewed: bool) -> io::Result<()> {
        let annotation = shape.annotation;
        let by_person = annotation.by_person;
        let common = format!(
            "label=\"{}\" source=\"{}\" occluded=\"0\"",
            escaped(&annotation.class),
            if by_person { "manual" } else { "auto" },
        );
        let tag = match &shape.geometry {
            Geometry::Rings(rings) => {
                let points: Vec<String> = rings
                    .iter()
                    .flatten()
                    .map(|p| format!("{:.2},{:.2}", p.x, p.y))
                    .collect();
                write!(self.out, "    <polygon {common} points=\"{}\"", points.join(";"))?;
                "polygon"
            }
            Geometry::Box(PixelBox { x, y, width, height }) => {
                let (right, bottom) = (x + width, y + height);
                write!(
                    self.out,
                    "    <box {common} xtl=\"{x}.00\" ytl=\"{y}.00\" xbr=\"{right}.00\" ybr=\"{bottom}.00\""
                )?;
                "box"
            }
            Geometry::Mask(mask) => {
                let (tight, code) = code(mask).map_err(io::Error::other)?;
                let PixelBox { x, y, width, height } = tight;
                write!(
                    self.out,
                    "    <mask {common} rle=\"{code}\" left=\"{x}\" top=\"{y}\" width=\"{width}\" height=\"{height}\""
                )?;
                "mask"
            }
        };
        let by = if by_person { "person" } else { "machine" };
        let mut attributes = String::new();
        for (name, value) in [
            ("key", shape.key.to_string().as_str()),
            ("by", by),
            ("reviewed", if reviewed { "true" } else { "false" }),
        ] {
            // Writing to a String cannot fail.
            let _ = write!(attributes, "<attribute name=\"{name}\">{value}</attribute>");
        }
        writeln!(self.out, " z_order=\"0\">{attributes}</{tag}>")
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Errors of the output.
    pub fn finish(mut self) -> io::Result<W> {
        writeln!(self.out, "</annotations>")?;
        Ok(self.out)
    }
}

fn attribute(name: &str, input: &str, values: &str) -> String {
    let first = values.lines().next().unwrap_or_default();
    format!(
        "<attribute><name>{name}</name><mutable>False</mutable><input_type>{input}</input_type>\
         <default_value>{first}</default_value><values>{values}</values></attribute>"
    )
}

/// The smallest box around a mask, and the code of what is in it.
fn code(mask: &Rle) -> Result<(PixelBox, String), RleError> {
    // One that covers no pixel is in no file.
    let patch = patch(mask)?.unwrap_or(Patch {
        x: 0,
        y: 0,
        width: 0,
        height: 0,
        pixels: Vec::new(),
    });
    let tight = PixelBox {
        x: patch.x as u32,
        y: patch.y as u32,
        width: patch.width as u32,
        height: patch.height as u32,
    };
    let inside = patch.pixels;
    let mut counts: Vec<String> = Vec::new();
    if inside.first() == Some(&1) {
        counts.push("0".to_owned());
    }
    counts.extend(inside.chunk_by(|a, b| a == b).map(|run| run.len().to_string()));
    Ok((tight, counts.join(", ")))
}

/// Text as XML has it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // XML 1.0 has no other control characters.
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
