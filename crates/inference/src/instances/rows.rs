//! Rows of objects, spread over one or several tensors, whichever axis comes first.

use crate::manifest::{Activation, Column, InstanceForm, RowTensor};
use crate::outputs::{Raw, sigmoid};

/// One tensor as a table: `values[row * row_step + column * column_step]`.
struct Table<'a> {
    values: &'a [f32],
    rows: usize,
    row_step: usize,
    column_step: usize,
}

/// Where a column is.
#[derive(Clone, Copy)]
struct Place {
    table: usize,
    /// The first of its columns there.
    column: usize,
}

impl Place {
    /// The column so many after this one.
    const fn after(self, columns: usize) -> Self {
        Self {
            column: self.column + columns,
            ..self
        }
    }
}

/// All tables of one view, and where in them each column is.
pub(super) struct Rows<'a> {
    tables: Vec<Table<'a>>,
    count: usize,
    columns: Vec<(Column, Place)>,
    /// Which class columns compete; see [`Rows::best`].
    competing: Vec<bool>,
    activation: Activation,
    coefficients: usize,
}

impl<'a> Rows<'a> {
    /// # Errors
    /// When a tensor does not have as many columns as the form says, or two have different numbers of rows.
    pub(super) fn new(form: &InstanceForm, outputs: &[Raw<'a>], coefficients: usize) -> Result<Self, String> {
        let width = |column: &Column| match column {
            Column::Classes => form.channels.len(),
            Column::Coefficients => coefficients,
            _ => 1,
        };
        let (mut tables, mut columns): (Vec<Table<'a>>, _) = (Vec::new(), Vec::new());
        for (at, (spec, raw)) in form.rows.iter().zip(outputs).enumerate() {
            let table = table(spec, raw, spec.columns.iter().map(width).sum())?;
            if let Some(first) = tables.first()
                && first.rows != table.rows
            {
                return Err(format!(
                    "`{}` has {} rows, `{}` has {}",
                    form.rows[0].tensor, first.rows, spec.tensor, table.rows
                ));
            }
            tables.push(table);
            let mut first = 0;
            for column in &spec.columns {
                let place = Place {
                    table: at,
                    column: first,
                };
                columns.push((*column, place));
                first += width(column);
            }
        }
        // Where scores are probabilities already, an object of an unwanted class is none of a wanted one. Where they
        // are logits, an unnamed column is the family's "nothing" and says no class.
        let competing = form
            .channels
            .iter()
            .map(|class| class.is_some() || form.activation == Activation::None)
            .collect();
        Ok(Self {
            count: tables.first().map_or(0, |t| t.rows),
            tables,
            columns,
            competing,
            activation: form.activation,
            coefficients,
        })
    }

    fn place(&self, column: Column) -> Option<Place> {
        self.columns
            .iter()
            .find(|(c, _)| *c == column)
            .map(|(_, place)| *place)
    }

    fn at(&self, row: usize, place: Place) -> f32 {
        let table = &self.tables[place.table];
        table.values[row * table.row_step + place.column * table.column_step]
    }

    fn value(&self, row: usize, column: Column) -> Option<f32> {
        self.place(column).map(|place| self.at(row, place))
    }

    /// The number of the class column with the highest value in each row; 0 where there are no class columns.
    pub(super) fn best(&self) -> Vec<usize> {
        let mut best = vec![0usize; self.count];
        let Some(Place { table, column: first }) = self.place(Column::Classes) else {
            return best;
        };
        let table = &self.tables[table];
        let mut top = vec![f32::NEG_INFINITY; self.count];
        // Column by column: rows lie side by side in the layout that large outputs have.
        for (class, _) in self
            .competing
            .iter()
            .enumerate()
            .filter(|(_, competes)| **competes)
        {
            let values = table.values[(first + class) * table.column_step..]
                .iter()
                .step_by(table.row_step);
            for ((value, top), best) in values.zip(&mut top).zip(&mut best) {
                if *value > *top {
                    (*top, *best) = (*value, class);
                }
            }
        }
        best
    }

    /// The score of a row whose best class column is `best`, as a probability.
    pub(super) fn score(&self, row: usize, best: usize) -> Result<f32, String> {
        let logistic = |x: f32| match self.activation {
            Activation::None => x,
            Activation::Sigmoid | Activation::Softmax => sigmoid(x),
        };
        let class = self.place(Column::Classes).map(|place| match self.activation {
            Activation::Softmax => {
                let value = |c: usize| self.at(row, place.after(c));
                let all = (0..self.competing.len()).map(value);
                let top = all.clone().fold(f32::NEG_INFINITY, f32::max);
                (value(best) - top).exp() / all.map(|v| (v - top).exp()).sum::<f32>()
            }
            _ => logistic(self.at(row, place.after(best))),
        });
        let one = |column| self.value(row, column).map(logistic);
        let parts = [class, one(Column::Score), one(Column::Object)];
        if parts.iter().all(Option::is_none) {
            return Err("the rows have no score".into());
        }
        Ok(parts.into_iter().flatten().product())
    }

    /// The class number of a row.
    pub(super) fn class(&self, row: usize, best: usize) -> Result<usize, String> {
        match self.value(row, Column::Class) {
            None => Ok(best),
            Some(number) if number >= 0.0 && number.fract() == 0.0 && number < 1e6 => Ok(number as usize),
            Some(number) => Err(format!("a class number is {number}")),
        }
    }

    /// Whether the rows have boxes; else each object's is that around its mask.
    pub(super) fn has_boxes(&self) -> bool {
        [Column::X0, Column::Cx]
            .into_iter()
            .any(|column| self.place(column).is_some())
    }

    /// Left, top, right, bottom, in the form's unit.
    pub(super) fn corners(&self, row: usize) -> Result<[f32; 4], String> {
        let all = |columns: [Column; 4]| -> Option<[f32; 4]> {
            let [a, b, c, d] = columns.map(|column| self.value(row, column));
            Some([a?, b?, c?, d?])
        };
        let corners = match all([Column::X0, Column::Y0, Column::X1, Column::Y1]) {
            Some(corners) => corners,
            None => {
                let [cx, cy, w, h] =
                    all([Column::Cx, Column::Cy, Column::W, Column::H]).ok_or("the rows have no box")?;
                [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0]
            }
        };
        if corners.iter().all(|c| c.is_finite()) {
            Ok(corners)
        } else {
            Err("a box is not a number".into())
        }
    }

    /// The coefficients of a row.
    pub(super) fn coefficients(&self, row: usize) -> Vec<f32> {
        match self.place(Column::Coefficients) {
            None => Vec::new(),
            Some(place) => (0..self.coefficients)
                .map(|c| self.at(row, place.after(c)))
                .collect(),
        }
    }
}

/// A tensor of so many columns: rows first, or columns first.
fn table<'a>(spec: &RowTensor, raw: &Raw<'a>, width: usize) -> Result<Table<'a>, String> {
    let name = &spec.tensor;
    let rows_first = |rows| Table {
        values: raw.values,
        rows,
        row_step: width,
        column_step: 1,
    };
    match *raw.shape {
        [rows] if width == 1 => Ok(rows_first(rows)),
        // As many objects as columns: a photo may have any number of them.
        [rows, columns] if columns == width && !(rows == width && spec.columns_first) => Ok(rows_first(rows)),
        [columns, rows] if columns == width => Ok(Table {
            values: raw.values,
            rows,
            row_step: 1,
            column_step: rows,
        }),
        _ => Err(format!(
            "`{name}` is {:?} besides the batch, the manifest names {width} columns",
            raw.shape
        )),
    }
}
