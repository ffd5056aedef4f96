//! Charts over a day, as SVG inside the page.

use crate::inspect::html_text;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// Lines across a chart.
const STEPS: u32 = 4;
/// Classes of the page that colour the series.
const CLASSES: [&str; 3] = ["one", "two", "three"];

/// One line of a chart: a value for each step of its axis, none where there is no line.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

/// A chart.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) series: &'a [Series],
    /// Hours that one value covers.
    pub(super) hours_of_value: f64,
    /// Hours of the axis.
    pub(super) hours: f64,
    /// Greatest value of the axis; the charts of two plans share it.
    pub(super) most: f64,
    /// Hours to shade.
    pub(super) shaded: &'a [[f64; 2]],
}

/// The greatest value of all series, for the axis that they share.
pub(super) fn most<'a>(series: impl IntoIterator<Item = &'a Series>) -> f64 {
    let values = series.into_iter().flat_map(|one| &one.values);
    let most = values.flatten().copied().fold(0.0, f64::max);
    round_up(most)
}

/// The next of 1, 2, 5, 10, 20, 50...
fn round_up(value: f64) -> f64 {
    if value <= 1.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| value <= *step).unwrap_or(value)
}

impl Chart<'_> {
    /// The chart with its title and key.
    pub(super) fn html(&self) -> String {
        let mut key = String::new();
        for (series, class) in self.series.iter().zip(CLASSES) {
            // Writing to a String cannot fail.
            let _ = write!(
                key,
                "<span><i class=\"{class}\"></i>{}</span>",
                html_text(series.name)
            );
        }
        format!(
            "<figure><h3>{}</h3><div class=\"key\">{key}</div>{}</figure>",
            html_text(self.title),
            self.svg()
        )
    }

    fn svg(&self) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            html_text(self.title)
        );
        for [from, to] in self.shaded {
            let (x, right) = (self.x(*from), self.x(*to));
            let _ = write!(
                svg,
                "<rect class=\"out\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                right - x,
                HEIGHT - TOP - BOTTOM
            );
        }
        self.axes(&mut svg);
        for (series, class) in self.series.iter().zip(CLASSES) {
            let _ = write!(
                svg,
                "<path class=\"series {class}\" d=\"{}\"/>",
                self.path(&series.values)
            );
        }
        svg + "</svg>"
    }

    fn axes(&self, svg: &mut String) {
        for step in 0..=STEPS {
            let value = self.most * f64::from(step) / f64::from(STEPS);
            let y = self.y(value);
            let _ = write!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                short(value)
            );
        }
        let every = if self.hours > 30.0 { 6 } else { 3 };
        for hour in (0..=self.hours as u32).step_by(every) {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{:02}:00</text>",
                self.x(f64::from(hour)),
                HEIGHT - 6.0,
                hour % 24
            );
        }
    }

    fn path(&self, values: &[Option<f64>]) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for (at, value) in values.iter().enumerate() {
            let Some(value) = value else {
                pen_down = false;
                continue;
            };
            let x = self.x((at as f64 + 0.5) * self.hours_of_value);
            let command = if pen_down { 'L' } else { 'M' };
            let _ = write!(path, "{command}{x:.1} {:.1}", self.y(*value));
            pen_down = true;
        }
        path
    }

    fn x(&self, hour: f64) -> f64 {
        LEFT + hour / self.hours * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.most * (HEIGHT - TOP - BOTTOM)
    }
}

/// `250`, `2.5k`, `1.2M`.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e4 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_values() {
        assert_eq!(
            [0.0, 0.3, 1.0, 1.1, 14.0, 193_030.0].map(round_up),
            [1.0, 1.0, 1.0, 2.0, 20.0, 200_000.0]
        );
        assert_eq!(
            [0.0, 2.5, 250.0, 50_000.0, 1_500_000.0].map(short),
            ["0", "2.5", "250", "50k", "1.5M"]
        );
    }

    #[test]
    fn a_line_is_interrupted_where_there_is_no_value() {
        let series = [Series {
            name: "a < b",
            values: vec![Some(1.0), Some(2.0), None, Some(0.0)],
        }];
        let chart = Chart {
            title: "t",
            series: &series,
            hours_of_value: 6.0,
            hours: 24.0,
            most: most(&series),
            shaded: &[[6.0, 12.0]],
        };
        let html = chart.html();
        assert!(html.contains("M136.2 103.0L296.8 10.0M617.8 196.0"), "{html}");
        assert!(html.contains("a &lt; b"), "{html}");
    }
}
