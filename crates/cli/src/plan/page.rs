//! A plan as a page: charts and tables, one file that works from disk.

use super::charts::{Chart, Series, most};
use super::figures::{Plan, Plans, Row, count, figure, times};
use crate::inspect::html_text;
use crate::template::fill;
use std::fmt::Write;
use walkaround_planning::{Day, HOURS, Minute, PRICES_OF, REGION};

const PAGE: &str = include_str!("page.html");
/// Minutes of one point of a chart: the most of them.
const POINT_MINUTES: usize = 5;
const HOUR_MS: f64 = 3_600_000.0;

/// The page.
pub(super) fn html(plans: &Plans) -> String {
    let scenario = &plans.scenario;
    let parts = [
        ("title", html_text(&scenario.name)),
        ("about", html_text(&scenario.about)),
        ("seed", scenario.seed.to_string()),
        ("prices", html_text(PRICES_OF)),
        ("region", html_text(REGION)),
        ("charts", charts(plans)),
        ("figures", figures(plans)),
        ("hours", hours(plans)),
        ("assumptions", assumptions(plans)),
    ];
    fill(PAGE, &parts.into_iter().collect())
}

/// A kind of chart: its title, and its series from a day.
struct Kind {
    title: &'static str,
    hours_of_value: f64,
    series: fn(&Day) -> Vec<Series>,
}

const BY_POINT: f64 = POINT_MINUTES as f64 / 60.0;

const KINDS: [Kind; 4] = [
    Kind {
        title: "Seconds to verdict, by hour of arrival",
        hours_of_value: 1.0,
        series: times_by_hour,
    },
    Kind {
        title: "Photos that wait",
        hours_of_value: BY_POINT,
        series: |day| {
            vec![
                by_point("intake queue", day, |minute| minute.intake as f64),
                by_point("GPU lane", day, |minute| minute.lane as f64),
            ]
        },
    },
    Kind {
        title: "GPU workers and instances",
        hours_of_value: BY_POINT,
        series: |day| {
            vec![
                by_point("ready", day, |minute| f64::from(minute.workers)),
                by_point("starting", day, |minute| f64::from(minute.starting)),
                by_point("instances paid for", day, |minute| f64::from(minute.instances)),
            ]
        },
    },
    Kind {
        title: "Invocations of triage at once",
        hours_of_value: BY_POINT,
        series: |day| {
            vec![by_point("invocations", day, |minute| {
                f64::from(minute.invocations)
            })]
        },
    },
];

fn times_by_hour(day: &Day) -> Vec<Series> {
    let series = |name, value: fn(&walkaround_planning::Percentiles) -> Option<f64>| Series {
        name,
        values: day.hours.iter().map(|hour| value(&hour.times)).collect(),
    };
    vec![
        series("p50", |times| times.p50),
        series("p95", |times| times.p95),
        series("p99", |times| times.p99),
    ]
}

fn by_point(name: &'static str, day: &Day, value: fn(&Minute) -> f64) -> Series {
    let most_of = |minutes: &[Minute]| minutes.iter().map(value).reduce(f64::max);
    Series {
        name,
        values: day.minutes.chunks(POINT_MINUTES).map(most_of).collect(),
    }
}

fn charts(plans: &Plans) -> String {
    let mut out = arrivals(plans);
    let longest = plans.plans.iter().map(|plan| plan.day.minutes.len()).max();
    let hours = f64::from(HOURS).max((longest.unwrap_or_default() as f64 / 60.0).ceil());
    let shaded = shaded(plans);
    for kind in &KINDS {
        let of_plans: Vec<Vec<Series>> = plans.plans.iter().map(|plan| (kind.series)(&plan.day)).collect();
        let most = most(of_plans.iter().flatten());
        out.push_str("<div class=\"row\">");
        for (at, (plan, series)) in plans.plans.iter().zip(&of_plans).enumerate() {
            let title = match plans.plans.len() {
                1 => kind.title.to_owned(),
                _ => format!("{}: {}", kind.title, plan.title(at)),
            };
            let chart = Chart {
                title: &title,
                series,
                hours_of_value: kind.hours_of_value,
                hours,
                most,
                shaded: &shaded,
            };
            out.push_str(&chart.html());
        }
        out.push_str("</div>");
    }
    out
}

fn arrivals(plans: &Plans) -> String {
    let minutes = plans.scenario.arrivals.minutes().chunks(POINT_MINUTES);
    let series = [Series {
        name: "photos a minute",
        values: minutes
            .map(|chunk| chunk.iter().copied().max().map(f64::from))
            .collect(),
    }];
    let chart = Chart {
        title: "Photos that arrive",
        series: &series,
        hours_of_value: BY_POINT,
        hours: f64::from(HOURS),
        most: most(&series),
        shaded: &shaded(plans),
    };
    format!("<div class=\"row\">{}</div>", chart.html())
}

/// Hours without GPUs.
fn shaded(plans: &Plans) -> Vec<[f64; 2]> {
    let droughts = plans.scenario.droughts.iter();
    droughts
        .map(|drought| [drought.from_ms, drought.to_ms].map(|ms| f64::from(ms) / HOUR_MS))
        .collect()
}

fn figures(plans: &Plans) -> String {
    let deadline_s = plans.scenario.deadline.as_secs();
    let mut table = String::from("<table><tr><th>figure</th>");
    for (at, plan) in plans.plans.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(table, "<th>{}</th>", html_text(&plan.title(at)));
    }
    if plans.observed.is_some() {
        table.push_str("<th>what happened</th>");
    }
    table.push_str("</tr>");
    let columns: Vec<Vec<Row>> = plans.plans.iter().map(|plan| plan.rows(deadline_s)).collect();
    for (at, row) in columns[0].iter().enumerate() {
        let _ = write!(table, "<tr><td>{}</td>", html_text(&row.name));
        for column in &columns {
            let _ = write!(table, "<td>{}</td>", html_text(&column[at].value));
        }
        if let Some(observed) = &plans.observed {
            let same = observed.iter().find(|other| other.name == row.name);
            let value = same.map_or("", |row| row.value.as_str());
            let _ = write!(table, "<td>{}</td>", html_text(value));
        }
        table.push_str("</tr>");
    }
    table + "</table>"
}

fn hours(plans: &Plans) -> String {
    let mut table = String::from("<table><tr><th>hour</th><th>photos</th>");
    for (at, plan) in plans.plans.iter().enumerate() {
        let title = match plans.plans.len() {
            1 => String::new(),
            _ => format!(" {}", html_text(&plan.title(at))),
        };
        let _ = write!(
            table,
            "<th>p50{title}</th><th>p95{title}</th><th>p99{title}</th><th>late{title}</th>"
        );
    }
    table.push_str("</tr>");
    for hour in 0..HOURS as usize {
        let photos = plans.plans[0].day.hours[hour].photos;
        let _ = write!(table, "<tr><td>{hour:02}:00</td><td>{}</td>", count(photos));
        for plan in &plans.plans {
            let of_hour = plan.day.hours[hour];
            for cell in times(photos, &of_hour.times) {
                let _ = write!(table, "<td>{cell}</td>");
            }
            let _ = write!(table, "<td>{}</td>", count(of_hour.missed));
        }
        table.push_str("</tr>");
    }
    table + "</table>"
}

fn assumptions(plans: &Plans) -> String {
    let mut table = String::from("<table><tr><th>name</th>");
    for (at, plan) in plans.plans.iter().enumerate() {
        let _ = write!(table, "<th>{}</th>", html_text(&plan.title(at)));
    }
    table.push_str("<th></th></tr>");
    let columns: Vec<_> = plans
        .plans
        .iter()
        .map(|plan: &Plan| plan.assumptions.rows())
        .collect();
    for (at, row) in columns[0].iter().enumerate() {
        let _ = write!(table, "<tr><td>{}</td>", row.name);
        for column in &columns {
            let _ = write!(table, "<td>{}</td>", figure(column[at].value));
        }
        let about = html_text(&format!("{}: {}", row.unit, row.about));
        let _ = write!(table, "<td class=\"text\">{about}</td></tr>");
    }
    table + "</table>"
}
