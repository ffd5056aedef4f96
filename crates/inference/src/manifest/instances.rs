//! The form `instances`: objects one by one, as rows of one or several tensors, with masks or without.

use super::activation::Activation;
use super::role::Role;

/// How boxes, scores, classes and masks come out of a network's tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceForm {
    /// What the objects are for: findings, where the vehicle is, or whether there is any damage.
    pub purpose: Role,
    /// Tensors with a row for each object, and what their columns are.
    pub rows: Vec<RowTensor>,
    /// Class of each class column, or of each class number; none where it is not wanted. Of locators and gates: 0 where
    /// it means a vehicle or damage.
    pub channels: Vec<Option<usize>>,
    /// What is applied to the scores.
    pub activation: Activation,
    /// Least score of an object.
    pub threshold: f32,
    /// Whether each class of a row at or above the threshold is an object of its own, rather than the best one only.
    pub each: bool,
    /// Of two objects of one class that overlap more than this (intersection over union) the better one stays; none
    /// where the graph has seen to it.
    pub overlap: Option<f32>,
    /// What coordinates are measured in.
    pub unit: Unit,
    /// Masks; none where there are boxes only.
    pub masks: Option<MaskForm>,
}

/// One tensor: `[n, objects, columns]`, `[n, columns, objects]`, or `[n, objects]` for one column; without the first axis
/// where the graph takes one photo only.
#[derive(Debug, Clone, PartialEq)]
pub struct RowTensor {
    /// Name in the graph.
    pub tensor: String,
    /// What its columns are, in order.
    pub columns: Vec<Column>,
    /// Whether the graph declares its columns before its rows: decides where as many rows as columns come.
    pub columns_first: bool,
}

/// What a column of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// Left edge.
    X0,
    /// Top edge.
    Y0,
    /// Right edge.
    X1,
    /// Bottom edge.
    Y1,
    /// Centre from the left.
    Cx,
    /// Centre from the top.
    Cy,
    /// Width.
    W,
    /// Height.
    H,
    /// How sure the network is of the object and its class.
    Score,
    /// How sure the network is that there is an object: multiplies the class's score.
    Object,
    /// Number of the class.
    Class,
    /// A score for each class: as many columns as `channels` has entries.
    Classes,
    /// What each prototype counts: as many columns as the mask tensor has prototypes.
    Coefficients,
    /// Not read.
    Ignored,
}

/// What coordinates are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Pixels of the input tensor.
    Pixels,
    /// Shares of the input tensor's sides.
    Share,
}

/// Where masks are and how they lie over the photo.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskForm {
    /// Name in the graph: `[n, objects, h, w]` (or `[objects, 1, h, w]`), or the prototypes `[n, prototypes, h, w]`.
    pub tensor: String,
    /// What a mask covers.
    pub frame: MaskFrame,
    /// What is applied to its values: `sigmoid` for logits, `none` for probabilities.
    pub activation: Activation,
    /// Whether the mean probability within the mask multiplies the object's score (Mask2Former).
    pub in_score: bool,
}

/// What a mask covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskFrame {
    /// All that the network sees.
    View,
    /// The object's box (Detectron2, MMDetection).
    Box,
    /// The whole pixels of the photo that the object's box touches (torchvision's `paste_masks_in_image`).
    PixelBox,
}

impl Column {
    /// The column that a manifest names.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "x0" => Self::X0,
            "y0" => Self::Y0,
            "x1" => Self::X1,
            "y1" => Self::Y1,
            "cx" => Self::Cx,
            "cy" => Self::Cy,
            "w" => Self::W,
            "h" => Self::H,
            "score" => Self::Score,
            "object" => Self::Object,
            "class" => Self::Class,
            "classes" => Self::Classes,
            "coefficients" => Self::Coefficients,
            "" => Self::Ignored,
            _ => return None,
        })
    }
}

impl InstanceForm {
    /// All tensors that are read, those of rows first.
    pub fn tensors(&self) -> Vec<String> {
        let masks = self.masks.iter().map(|m| m.tensor.clone());
        self.rows.iter().map(|r| r.tensor.clone()).chain(masks).collect()
    }

    /// Whether a column stands in any of the tensors.
    pub fn has(&self, column: Column) -> bool {
        self.rows.iter().any(|r| r.columns.contains(&column))
    }

    /// Whether each object has a mask over all that the network sees: its box can be that around it.
    fn masks_tell_the_box(&self) -> bool {
        let over_view = self
            .masks
            .as_ref()
            .is_some_and(|masks| masks.frame == MaskFrame::View);
        over_view && !self.has(Column::Coefficients) && self.purpose == Role::Segmenter
    }

    /// What is missing or contradicts itself, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        let all = |columns: &[Column]| columns.iter().all(|&c| self.has(c));
        let mut seen = std::collections::HashSet::new();
        for column in self.rows.iter().flat_map(|r| &r.columns) {
            if *column != Column::Ignored && !seen.insert(*column) {
                return Err(format!("rows: {column:?} is given twice").to_lowercase());
            }
        }
        use Column::{Class, Classes, Coefficients, Cx, Cy, H, Object, Score, W, X0, X1, Y0, Y1};
        const BOXES: [Column; 8] = [X0, Y0, X1, Y1, Cx, Cy, W, H];
        let masks_alone = !BOXES.iter().any(|&column| self.has(column)) && self.masks_tell_the_box();
        if !(all(&[X0, Y0, X1, Y1]) || all(&[Cx, Cy, W, H]) || masks_alone) {
            return Err(
                "rows: a box is x0, y0, x1, y1 or cx, cy, w, h; only masks over the view can do without"
                    .into(),
            );
        }
        if masks_alone && self.overlap.is_some() {
            return Err("overlap is that of boxes, and the rows have none".into());
        }
        if !(self.has(Classes) || self.has(Class) && (self.has(Score) || self.has(Object))) {
            return Err("rows: scores are `classes`, or `score` with `class`".into());
        }
        if self.has(Coefficients) && self.masks.as_ref().is_some_and(|masks| masks.in_score) {
            return Err("masks.in_score is of networks that give each object a mask, not prototypes".into());
        }
        if self.has(Coefficients) && self.masks.is_none() {
            return Err("rows: `coefficients` need masks: the tensor of the prototypes".into());
        }
        if self.each && !self.has(Classes) {
            return Err(
                "per_row = \"each\" needs `classes`: a row with one class number has one class".into(),
            );
        }
        if self.activation == Activation::Softmax && !self.has(Classes) {
            return Err("softmax is over `classes`".into());
        }
        Ok(())
    }
}
