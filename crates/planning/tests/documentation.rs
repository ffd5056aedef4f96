//! The costs in `docs/operations.md` are those of plans. `UPDATE_DOCS=1 cargo nextest run -p walkaround-planning` rewrites them.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use walkaround_planning::{Assumptions, DAYS_OF_MONTH, Day, Given, PRICES_OF, Profile, REGION, simulate};

const BEGIN: &str = "<!-- walkaround plan: begin -->\n";
const END: &str = "<!-- walkaround plan: end -->\n";
/// Without it, every suspect photo of a normal day is segmented inline.
const ALWAYS_GPU: &str = "inline_drain_s=0";

struct Planned {
    name: String,
    day: Day,
}

fn planned(profile: Profile, changes: &[&str]) -> Planned {
    let mut assumptions = Assumptions::default();
    for change in changes {
        assumptions.set(change).expect("an assumption");
    }
    let scenario = profile.scenario(None, 1).expect("a profile");
    let named = changes.iter().map(|change| format!(", `--set {change}`"));
    Planned {
        name: format!("`{}`{}", profile.as_str(), named.collect::<String>()),
        day: simulate(&scenario, &assumptions),
    }
}

fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = groups
        .map(|group| std::str::from_utf8(group).expect("digits"))
        .collect();
    groups.join(",")
}

fn money(value: f64) -> String {
    if value >= 10.0 {
        count(value)
    } else {
        format!("{value:.2}")
    }
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(
        || "never".to_owned(),
        |s| if s < 100.0 { format!("{s:.1}") } else { count(s) },
    )
}

fn row(page: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    writeln!(page, "| {} |", cells.join(" | ")).expect("a string");
}

fn days(page: &mut String, plans: &[Planned]) {
    page.push_str(
        "| day | photos | p50 s | p95 s | p99 s | later than 15 min | workers | GPU hours, busy | Lambda s | USD a day | USD a thousand |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Planned { name, day } in plans {
        let times = [day.times.p50, day.times.p95, day.times.p99].map(seconds);
        let mut cells = vec![name.clone(), count(day.photos as f64)];
        cells.extend(times);
        cells.extend([
            count(day.missed as f64),
            day.workers_most().to_string(),
            format!("{:.1}, {:.1}", day.gpu_hours(), day.usage.busy_hours),
            count(day.usage.lambda_s),
            format!("{:.2}", day.bill.total),
            format!("{:.3}", day.bill.per_thousand),
        ]);
        row(page, cells);
    }
}

fn bill(page: &mut String, plans: &[&Planned]) {
    let cells = |name: &str, value: &dyn Fn(&Day) -> String| {
        std::iter::once(name.to_owned())
            .chain(plans.iter().map(|plan| value(&plan.day)))
            .collect::<Vec<_>>()
    };
    let names = plans.iter().map(|plan| plan.name.clone());
    row(page, std::iter::once("USD per month".to_owned()).chain(names));
    row(
        page,
        std::iter::once("---".to_owned()).chain(plans.iter().map(|_| "---:".to_owned())),
    );
    for (at, part) in plans[0].day.bill.parts.iter().enumerate() {
        row(
            page,
            cells(part.name, &|day| money(day.bill.parts[at].usd * DAYS_OF_MONTH)),
        );
    }
    row(
        page,
        cells("**all**", &|day| {
            format!("**{}**", money(day.bill.total * DAYS_OF_MONTH))
        }),
    );
    row(
        page,
        cells("a thousand photos", &|day| {
            format!("{:.3}", day.bill.per_thousand)
        }),
    );
    row(
        page,
        cells("GPU instance hours", &|day| {
            money(day.gpu_hours() * DAYS_OF_MONTH)
        }),
    );
    row(
        page,
        cells("*in addition:* each 30 days that photos are kept", &|day| {
            money(day.bill.photo_storage)
        }),
    );
    row(
        page,
        cells("*in addition:* Network=Endpoints", &|day| {
            money(day.bill.endpoints)
        }),
    );
}

fn assumptions(page: &mut String, title: &str, rows: &[Given]) {
    let _ = write!(
        page,
        "\n| {title} | name | figure | unit |\n| --- | --- | ---: | --- |\n"
    );
    for given in rows {
        let figure = format!("{:.12}", given.value);
        let figure = figure.trim_end_matches('0').trim_end_matches('.').to_owned();
        row(
            page,
            [
                given.about.to_owned(),
                format!("`{}`", given.name),
                figure,
                given.unit.to_owned(),
            ],
        );
    }
}

fn section() -> String {
    let mut page = format!("Prices of {PRICES_OF}.\n{REGION}.\n\n");
    let plans = [
        planned(Profile::Evening, &[]),
        planned(Profile::Evening, &[ALWAYS_GPU]),
        planned(Profile::Evening800k, &[]),
        planned(Profile::Evening800k, &[ALWAYS_GPU]),
        planned(Profile::MondayBacklog, &[]),
        planned(Profile::MondayBacklog, &["triage_processes=200"]),
        planned(Profile::GpuDrought, &[]),
    ];
    days(&mut page, &plans);
    page.push('\n');
    bill(&mut page, &[&plans[0], &plans[2], &plans[3]]);
    let given = Assumptions::default();
    assumptions(&mut page, "assumed of fleet and program", &given.fleet.rows());
    assumptions(&mut page, "assumed of the deployment", &given.deployment.rows());
    assumptions(&mut page, "assumed prices", &given.prices.rows());
    page
}

#[test]
fn the_costs_are_those_of_plans() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let text = fs::read_to_string(&path).expect("the page");
    let (head, rest) = text.split_once(BEGIN).expect("the marker");
    let (stands, tail) = rest.split_once(END).expect("the end marker");
    let expected = section();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{expected}{END}{tail}")).expect("the page is written");
        return;
    }
    assert!(
        stands == expected,
        "docs/operations.md is old: UPDATE_DOCS=1 cargo nextest run -p walkaround-planning"
    );
}
