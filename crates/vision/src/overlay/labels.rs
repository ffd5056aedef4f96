//! Labels by the regions and the legend in a corner, placed so that they hide little.

use std::cmp::Reverse;

use crate::mask::ClassSpec;

use super::paint::{Ink, Rect, Surface};
use super::shape::Shape;
use super::text::{Line, Text};

/// Most labels on one picture, for the largest regions; the legend counts them all.
const LABELS_MAX: usize = 40;

/// A label that could only be placed with more than this share of it over other labels is left out.
const LABEL_OVERLAP_MAX: f32 = 0.1;

const DARK: [u8; 3] = [16, 18, 20];
const LIGHT: [u8; 3] = [255, 255, 255];

/// Draws the legend in the corner where it hides least and returns its place; none without findings, or when
/// it would fill most of a small picture.
pub(super) fn draw_legend(
    surface: &mut Surface<'_>,
    shapes: &[Shape],
    classes: &[ClassSpec],
    text: &Text,
) -> Option<Rect> {
    let entries = entries(shapes, classes);
    let frame = Rect::whole(surface.size()).grow(-(text.size() * 0.6).round());
    let (line, pad, swatch) = (text.size() * 1.45, text.size() * 0.55, text.size() * 0.7);
    let indent = pad + swatch + text.size() * 0.45;
    let widest = entries
        .iter()
        .map(|(entry, _)| text.width(entry))
        .fold(0.0, f32::max);
    let (width, height) = (
        (indent + widest + pad).ceil(),
        (entries.len() as f32 * line + pad).ceil(),
    );
    if entries.is_empty() || width > frame.width() * 0.6 || height > frame.height() * 0.6 {
        return None;
    }
    let corners = [
        (frame.x0, frame.y1 - height),
        (frame.x1 - width, frame.y1 - height),
        (frame.x0, frame.y0),
        (frame.x1 - width, frame.y0),
    ];
    let panel = corners
        .map(|(x, y)| Rect::at(x.round(), y.round(), (width, height)))
        .into_iter()
        .min_by(|a, b| hidden(a, shapes).total_cmp(&hidden(b, shapes)))?;
    surface.fill_round(
        panel,
        text.size() * 0.3,
        Ink {
            colour: DARK,
            share: 0.78,
        },
    );
    for (row, (entry, colour)) in entries.iter().enumerate() {
        let top = panel.y0 + pad / 2.0 + row as f32 * line;
        let middle = top + line / 2.0;
        let square = Rect::at(
            (panel.x0 + pad).round(),
            (middle - swatch / 2.0).round(),
            (swatch, swatch),
        );
        surface.fill_round(square, text.size() * 0.15, Ink::opaque(*colour));
        let baseline = text.centred_baseline(top, top + line);
        text.draw(
            surface,
            &Line {
                text: entry,
                x: panel.x0 + indent,
                baseline,
                colour: LIGHT,
            },
        );
    }
    Some(panel)
}

/// Text and colour of the legend's lines: the classes present, with their counts.
fn entries(shapes: &[Shape], classes: &[ClassSpec]) -> Vec<(String, [u8; 3])> {
    let mut names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    names.extend(shapes.iter().map(|shape| shape.class.as_str()));
    let mut seen: Vec<&str> = vec![];
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name);
            true
        }
    });
    names
        .into_iter()
        .filter_map(|name| {
            let first = shapes.iter().find(|shape| shape.class == name)?;
            let count = shapes.iter().filter(|shape| shape.class == name).count();
            Some((format!("{name} × {count}"), first.colour))
        })
        .collect()
}

/// How much of the regions' boxes a rectangle hides, in pixels.
fn hidden(area: &Rect, shapes: &[Shape]) -> f32 {
    shapes.iter().map(|shape| area.overlap(&shape.bounds)).sum()
}

/// Draws a tag by every region, largest regions first.
pub(super) fn draw_labels(surface: &mut Surface<'_>, shapes: &[Shape], legend: Option<Rect>, text: &Text) {
    let mut order: Vec<&Shape> = shapes.iter().collect();
    order.sort_by_key(|shape| Reverse((shape.bounds.width() * shape.bounds.height()) as u64));
    let frame = Rect::whole(surface.size()).grow(-2.0);
    let mut taken: Vec<Rect> = legend.into_iter().collect();
    for shape in order.into_iter().take(LABELS_MAX) {
        if let Some(tag) = place(shape, shapes, &frame, &taken, text) {
            draw_tag(surface, shape, tag, text);
            taken.push(tag);
        }
    }
}

/// The best of several places by the region's outermost points; none when every one is taken.
fn place(shape: &Shape, shapes: &[Shape], frame: &Rect, taken: &[Rect], text: &Text) -> Option<Rect> {
    let (width, height) = (
        (text.width(&shape.label) + text.size() * 0.8).ceil(),
        (text.size() * 1.35).round(),
    );
    if width > frame.width() || height > frame.height() {
        return None;
    }
    let [top, bottom, left, right] = shape.extremes()?;
    let gap = (text.size() * 0.3).max(4.0);
    let candidates = [
        (top.0 - width * 0.2, top.1 - height - gap),
        (top.0 - width * 0.8, top.1 - height - gap),
        (bottom.0 - width * 0.2, bottom.1 + gap),
        (bottom.0 - width * 0.8, bottom.1 + gap),
        (right.0 + gap, right.1 - height / 2.0),
        (left.0 - width - gap, left.1 - height / 2.0),
        (right.0 + gap, right.1 - height * 1.2),
        (left.0 - width - gap, left.1 + height * 0.2),
        (top.0 - width / 2.0, top.1 + gap),
        // One and two lines further off, for regions crowded together.
        (top.0 - width * 0.2, top.1 - height * 2.0 - gap * 2.0),
        (bottom.0 - width * 0.2, bottom.1 + height + gap * 2.0),
        (bottom.0 - width * 0.2, bottom.1 + height * 2.0 + gap * 3.0),
    ];
    let over_tags = |tag: &Rect| {
        taken
            .iter()
            .map(|other| tag.grow(2.0).overlap(other))
            .sum::<f32>()
    };
    let cost = |tag: &Rect| {
        let others: f32 = hidden(tag, shapes) - tag.overlap(&shape.bounds);
        over_tags(tag) * 8.0 + others + tag.overlap(&shape.bounds) * 0.5
    };
    candidates
        .map(|(x, y)| Rect::at(x.round(), y.round(), (width, height)).moved_inside(frame))
        .into_iter()
        .min_by(|a, b| cost(a).total_cmp(&cost(b)))
        .filter(|tag| over_tags(tag) <= LABEL_OVERLAP_MAX * width * height)
}

fn draw_tag(surface: &mut Surface<'_>, shape: &Shape, tag: Rect, text: &Text) {
    let radius = text.size() * 0.2;
    surface.fill_round(
        tag.grow(1.5),
        radius + 1.5,
        Ink {
            colour: DARK,
            share: 0.6,
        },
    );
    surface.fill_round(tag, radius, Ink::opaque(shape.colour));
    let [red, green, blue] = shape.colour.map(f32::from);
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    let ink = if luma > 140.0 { DARK } else { LIGHT };
    let (x, baseline) = (tag.x0 + text.size() * 0.4, text.centred_baseline(tag.y0, tag.y1));
    text.draw(
        surface,
        &Line {
            text: &shape.label,
            x,
            baseline,
            colour: ink,
        },
    );
}
