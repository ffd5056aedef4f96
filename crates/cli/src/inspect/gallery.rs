//! The gallery: one page that works from disk, with filters by verdict and the overlay on or off.
//!
//! Pictures are linked, not local: the marked ones lie beside the page, the plain ones are the photos
//! themselves.

use super::output::Names;
use crate::library::Engines;
use crate::template::fill;
use std::fmt::Write;
use std::path::Path;
use walkaround_domain::Verdict;
use walkaround_messages::PhotoReport;

const PAGE: &str = include_str!("gallery.html");
/// Most pictures on one page; a browser copes with no more.
const FIGURES_MAX: usize = 5_000;

pub(crate) struct Gallery {
    title: String,
    description: String,
    colours: Vec<(String, [u8; 3])>,
    figures: String,
    counts: [usize; Verdict::ALL.len()],
    shown: usize,
}

impl Gallery {
    pub(crate) fn new(engines: &Engines) -> Self {
        let manifest = engines.bundle.manifest();
        Self {
            title: format!("bundle {}", engines.label()),
            description: manifest.description.clone(),
            colours: manifest
                .classes
                .iter()
                .map(|c| (c.name.clone(), c.colour))
                .collect(),
            figures: String::new(),
            counts: [0; Verdict::ALL.len()],
            shown: 0,
        }
    }

    pub(crate) fn add(&mut self, report: &PhotoReport, photo: &Path, names: &Names) {
        for (verdict, count) in Verdict::ALL.iter().zip(&mut self.counts) {
            *count += usize::from(verdict.as_str() == report.verdict);
        }
        self.shown += 1;
        if self.shown > FIGURES_MAX {
            return;
        }
        let name = photo.file_name().unwrap_or_default().to_string_lossy();
        let photo = url(&names.photo.to_string_lossy());
        // Without an overlay there is nothing to see but the photo itself.
        let shown = match &names.overlay {
            Some(overlay) => Some(url(overlay)),
            None => report.width.map(|_| photo.clone()),
        };
        let picture = match shown {
            Some(shown) => format!(
                "<a href=\"{shown}\"><img loading=\"lazy\" src=\"{shown}\" data-overlay=\"{shown}\" data-photo=\"{photo}\" \
                 alt=\"{n}\"></a>",
                n = text(&name),
            ),
            None => "<div class=\"none\">no picture could be read</div>".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.figures,
            "<figure class=\"{verdict}\">{picture}<figcaption><span class=\"verdict\">{verdict}</span>\
             <a href=\"{document}\"><b>{name}</b></a>{facts}</figcaption></figure>",
            verdict = report.verdict,
            document = url(&names.document),
            name = text(&name),
            facts = self.facts(report),
        );
    }

    fn facts(&self, report: &PhotoReport) -> String {
        let mut out = String::from("<ul>");
        for reason in &report.reasons {
            let _ = write!(out, "<li>{}</li>", text(&reason.detail));
        }
        for finding in &report.findings {
            let colour = self
                .colours
                .iter()
                .find(|(name, _)| *name == finding.class)
                .map_or([128; 3], |c| c.1);
            let _ = write!(
                out,
                "<li><i style=\"background:rgb({},{},{})\"></i>{} <small>{:.2} · {:.2} % of the photo</small></li>",
                colour[0],
                colour[1],
                colour[2],
                text(&finding.class),
                finding.probability,
                finding.area_share * 100.0
            );
        }
        if let Some(gate) = report.gate {
            let _ = write!(out, "<li><small>gate {gate:.2}</small></li>");
        }
        out.push_str("</ul>");
        out
    }

    pub(crate) fn html(&self) -> String {
        let total: usize = self.counts.iter().sum();
        let mut filters = format!("<button data-verdict=\"all\" aria-pressed=\"true\">all {total}</button>");
        for (verdict, count) in Verdict::ALL.iter().zip(self.counts) {
            let _ = write!(
                filters,
                " <button data-verdict=\"{verdict}\" aria-pressed=\"false\">{verdict} {count}</button>"
            );
        }
        let left_out = self.shown.saturating_sub(FIGURES_MAX);
        let mut description = text(&self.description);
        if left_out > 0 {
            let _ = write!(
                description,
                " · {left_out} more photos are not shown here; their documents are in the same folder"
            );
        }
        let parts = [
            ("title", text(&self.title)),
            ("description", description),
            ("filters", filters),
            ("figures", self.figures.clone()),
        ];
        fill(PAGE, &parts.into_iter().collect())
    }
}

/// Text safe inside an element or a quoted attribute.
pub(crate) fn text(raw: &str) -> String {
    raw.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A relative path as an attribute value: everything but unreserved characters percent-encoded (RFC 3986).
pub(crate) fn url(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for b in path.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    // "a:b.jpg" would read as a scheme; the colon is encoded above.
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_page() {
        assert_eq!(text("<script>\"&"), "&lt;script&gt;&quot;&amp;");
        assert_eq!(url("a b/ü\"<>#?%.jpg"), "a%20b/%C3%BC%22%3C%3E%23%3F%25.jpg");
        assert_eq!(url("javascript:x"), "javascript%3Ax");
    }
}
