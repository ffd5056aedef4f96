//! Connected regions of a mask, as horizontal runs joined with union-find.

use super::Patch;

/// A horizontal run of pixels on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Row.
    pub y: usize,
    /// First column.
    pub x0: usize,
    /// Column after the last.
    pub x1: usize,
}

/// A region: 8-connected, or all parts of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its runs, by row, then column; never empty.
    pub runs: Vec<Run>,
}

impl Region {
    /// All pixels of a mask, connected or not; none for an empty mask.
    pub fn of(mask: &Patch) -> Option<Self> {
        let runs = runs(mask);
        (!runs.is_empty()).then_some(Self { runs })
    }

    /// Number of canvas pixels.
    pub fn pixels(&self) -> usize {
        self.runs.iter().map(|run| run.x1 - run.x0).sum()
    }

    /// The rectangle around it.
    pub fn boxed(&self) -> Self {
        let mut patch = self.patch();
        patch.pixels.fill(1);
        Self { runs: runs(&patch) }
    }

    /// The region alone, in a patch no larger than it needs.
    pub fn patch(&self) -> Patch {
        let x0 = self.runs.iter().map(|run| run.x0).min().unwrap_or(0);
        let x1 = self.runs.iter().map(|run| run.x1).max().unwrap_or(0);
        let y0 = self.runs.first().map_or(0, |run| run.y);
        let y1 = self.runs.last().map_or(0, |run| run.y + 1);
        let mut patch = Patch::empty(super::Window { x0, y0, x1, y1 });
        for run in &self.runs {
            let row = (run.y - y0) * patch.width;
            patch.pixels[row + run.x0 - x0..row + run.x1 - x0].fill(1);
        }
        patch
    }
}

/// The 8-connected regions of a mask, in canvas coordinates, ordered by their first pixel row by row.
pub fn components(mask: &Patch) -> Vec<Region> {
    let runs = runs(mask);
    let roots = join(&runs);
    let mut regions: Vec<Region> = vec![];
    let mut region_of = vec![usize::MAX; runs.len()];
    for (run, root) in runs.into_iter().zip(roots) {
        if region_of[root] == usize::MAX {
            region_of[root] = regions.len();
            regions.push(Region { runs: vec![] });
        }
        regions[region_of[root]].runs.push(run);
    }
    regions
}

fn runs(mask: &Patch) -> Vec<Run> {
    let mut runs = vec![];
    for (row, pixels) in mask.pixels.chunks_exact(mask.width.max(1)).enumerate() {
        let mut x = 0;
        while let Some(gap) = pixels[x..].iter().position(|&pixel| pixel != 0) {
            let start = x + gap;
            let length = pixels[start..]
                .iter()
                .position(|&pixel| pixel == 0)
                .unwrap_or(pixels.len() - start);
            x = start + length;
            runs.push(Run {
                y: mask.y + row,
                x0: mask.x + start,
                x1: mask.x + x,
            });
        }
    }
    runs
}

/// For each run the index of the run that stands for its region.
fn join(runs: &[Run]) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..runs.len()).collect();
    let mut above = 0;
    for (index, run) in runs.iter().enumerate() {
        // Skips runs of rows further up, and those of the row above that end before this one begins; the
        // latter can touch no later run of this row either.
        while above < index
            && (runs[above].y + 1 < run.y || (runs[above].y + 1 == run.y && runs[above].x1 < run.x0))
        {
            above += 1;
        }
        let mut other = above;
        // `<=`: a shared corner is enough.
        while other < index && runs[other].y + 1 == run.y && runs[other].x0 <= run.x1 {
            unite(&mut parents, other, index);
            other += 1;
        }
    }
    (0..runs.len()).map(|index| root(&mut parents, index)).collect()
}

fn root(parents: &mut [usize], mut index: usize) -> usize {
    while parents[index] != index {
        // Halves the path on the way, which keeps it short.
        parents[index] = parents[parents[index]];
        index = parents[index];
    }
    index
}

fn unite(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}
