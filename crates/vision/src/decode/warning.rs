//! What libjpeg-turbo says of a file, and what that means for the pixels.

use walkaround_domain::Reason;

use super::{cut_short, unreadable};

/// What a warning means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A header says something odd that does not change a coefficient: decoded again with the header put right.
    Header,
    /// Bytes among the coded data that libjpeg passes over, or an end that is missing: decoded again without
    /// them, if every block is found to stand in the file.
    Layout,
    /// Blocks were made up or lost.
    Damage,
}

/// A warning of libjpeg-turbo.
pub(super) struct Warning {
    /// Its name in `jerror.h`.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for readers, and for the test of the table")
    )]
    pub(super) name: &'static str,
    /// Part of its text, which is all that the TurboJPEG interface hands on.
    pub(super) text: &'static str,
    pub(super) meaning: Meaning,
}

const fn warning(name: &'static str, text: &'static str, meaning: Meaning) -> Warning {
    Warning { name, text, meaning }
}

/// Every warning of `jerror.h` of libjpeg-turbo 3.1 (`JWRN_*`), with what the library does after it.
pub(super) const WARNINGS: [Warning; 12] = [
    // jdapimin.c, default_decompress_parms: takes YCbCr for three components and YCCK for four, and goes on.
    warning(
        "JWRN_ADOBE_XFORM",
        "Unknown Adobe color transform code",
        Meaning::Header,
    ),
    // jdarith.c: leaves all blocks up to the next restart marker as they are (`e->ct = -1`): they are lost.
    warning("JWRN_ARITH_BAD_CODE", "bad arithmetic code", Meaning::Damage),
    // jdphuff.c, jdarith.c, start_pass: notes what the scan sends and decodes it as it says. Harmless where no bit of
    // a coefficient is left out: see `repair`.
    warning(
        "JWRN_BOGUS_PROGRESSION",
        "Inconsistent progression sequence",
        Meaning::Layout,
    ),
    // jdmarker.c, next_marker: goes on at the marker. Between segments, before a restart marker or before the
    // end marker nothing is lost; the same text comes when codes ended early because they are damaged.
    warning(
        "JWRN_EXTRANEOUS_DATA",
        "extraneous bytes before marker 0x",
        Meaning::Layout,
    ),
    // jdhuff.c, jpeg_fill_bit_buffer: a marker comes before the last code; zero bits are made up for the rest.
    warning(
        "JWRN_HIT_MARKER",
        "premature end of data segment",
        Meaning::Damage,
    ),
    // jdhuff.c, jdphuff.c: takes zero for the value and goes on at the next bit: from there on nothing is sure.
    warning("JWRN_HUFF_BAD_CODE", "bad Huffman code", Meaning::Damage),
    // jdmarker.c, examine_app0: goes on as with revision 1.
    warning("JWRN_JFIF_MAJOR", "unknown JFIF revision number", Meaning::Header),
    // jdatasrc-tj.c, fill_mem_input_buffer: puts an end marker where the bytes run out.
    warning("JWRN_JPEG_EOF", "Premature end of JPEG file", Meaning::Layout),
    // jdmarker.c, jpeg_resync_to_restart: passes over what is no marker, up to the restart marker it wants (nothing
    // is lost), or makes up an interval or drops one.
    warning("JWRN_MUST_RESYNC", "instead of RST", Meaning::Layout),
    // jdhuff.c, jdarith.c, start_pass: decodes all 64 coefficients of every block, whatever Ss, Se, Ah and Al say.
    warning(
        "JWRN_NOT_SEQUENTIAL",
        "Invalid SOS parameters for sequential JPEG",
        Meaning::Header,
    ),
    // jdapistd.c: more rows were asked for than there are. Not asked for here; if it comes, something is wrong.
    warning(
        "JWRN_TOO_MUCH_DATA",
        "Application transferred too many scanlines",
        Meaning::Damage,
    ),
    // jdicc.c, jpeg_read_icc_profile: hands no colour profile out. None is used here.
    warning("JWRN_BOGUS_ICC", "bad ICC marker", Meaning::Header),
];

/// What libjpeg said first.
#[derive(Debug)]
pub(super) struct Complaint {
    text: String,
    pub(super) meaning: Meaning,
}

impl Complaint {
    /// Sorts libjpeg's messages; only the text comes through.
    pub(super) fn from_error(error: turbojpeg::Error) -> Self {
        let turbojpeg::Error::TurboJpegError(text) = error else {
            let (text, meaning) = (error.to_string(), Meaning::Damage);
            return Self { text, meaning };
        };
        let warning = WARNINGS.iter().find(|warning| text.contains(warning.text));
        // The rest are errors. One about a marker may come from what stands behind the picture.
        let meaning = warning.map_or(Meaning::Layout, |warning| warning.meaning);
        Self { text, meaning }
    }

    /// The scans of a progressive JPEG do not follow each other as they should.
    pub(super) fn is_progression(&self) -> bool {
        self.text.contains("Inconsistent progression sequence")
    }

    /// So many bytes stand between the coded data and the end marker.
    pub(super) fn strays_before_end(&self) -> Option<usize> {
        let (count, _) = self.text.split_once(" extraneous bytes before marker 0xd9")?;
        count.rsplit(' ').next()?.parse().ok()
    }

    pub(super) fn reason(&self) -> Reason {
        if self.text.contains("Premature end of JPEG file") {
            return cut_short();
        }
        let text = self.text.trim_start_matches("Corrupt JPEG data: ");
        unreadable(format!("the JPEG data is damaged: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_has_one_meaning() {
        for (at, one) in WARNINGS.iter().enumerate() {
            assert!(one.name.starts_with("JWRN_"));
            let same = |other: &Warning| other.text.contains(one.text) || other.name == one.name;
            assert!(!WARNINGS[at + 1..].iter().any(same), "{}", one.name);
        }
    }
}
