//! Owns the result: one row per figure, its bar, the verdict, and the two ways to print the table.
//! It knows nothing of how a figure was measured.

use std::fmt::Write as _;

/// What a figure must reach. Ratios are ours divided by the peer's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// Our figure itself may not fall under this.
    AtLeast(f64),
    /// Our figure itself may not exceed this.
    AtMost(f64),
    /// Our figure may not fall under this multiple of the peer's.
    RatioAtLeast(f64),
    /// Our figure may not exceed this multiple of the peer's.
    RatioAtMost(f64),
    /// Nothing: the figure is told for what it explains.
    Told,
}

/// What was measured for a row; nothing when the run was invalid.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Our figure.
    pub(crate) ours: Option<f64>,
    /// The peer's; nothing where the case has no peer.
    pub(crate) peer: Option<f64>,
    /// Ours divided by the peer's: of the figures, or the median of the rounds' ratios.
    pub(crate) ratio: Option<f64>,
}

impl From<(f64, f64)> for Figures {
    fn from((ours, peer): (f64, f64)) -> Self {
        let ratio = if peer == 0.0 { None } else { Some(ours / peer) };
        Self { ours: Some(ours), peer: Some(peer), ratio }
    }
}

/// One figure of one case.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What was measured, with its unit.
    pub(crate) case: String,
    /// What was measured. Without our figure the row is `short` whatever the bar.
    pub(crate) figures: Figures,
    /// What ours must reach.
    pub(crate) bar: Bar,
    /// Digits after the point for both figures.
    pub(crate) digits: usize,
}

/// A row before it is measured: case with unit, bar, digits after the point.
pub(crate) type Shape = (&'static str, Bar, usize);

/// The rows of `shape`, filled with `figures` in the same order; those for which there is none
/// stay without.
pub(crate) fn fill(shape: &[Shape], figures: &[Figures]) -> Vec<Row> {
    let mut figures = figures.iter();
    let row = |(case, bar, digits): &Shape| {
        let figures = figures.next().copied().unwrap_or_default();
        Row { case: (*case).to_owned(), figures, bar: *bar, digits: *digits }
    };
    shape.iter().map(row).collect()
}

impl Row {
    /// Whether the bar is met. A missing figure never meets it.
    pub(crate) fn is_met(&self) -> bool {
        let Figures { ours, ratio, .. } = self.figures;
        match self.bar {
            Bar::AtLeast(limit) => ours.is_some_and(|ours| ours >= limit),
            Bar::AtMost(limit) => ours.is_some_and(|ours| ours <= limit),
            Bar::RatioAtLeast(limit) => ratio.is_some_and(|ratio| ratio >= limit),
            Bar::RatioAtMost(limit) => ratio.is_some_and(|ratio| ratio <= limit),
            Bar::Told => ours.is_some(),
        }
    }

    /// The six cells of the row, as text.
    fn cells(&self) -> [String; 6] {
        let figure = |value: Option<f64>| match value {
            Some(value) => format!("{value:.*}", self.digits),
            None => "-".to_owned(),
        };
        let Figures { ours, peer, ratio } = self.figures;
        let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        let bar = match self.bar {
            Bar::AtLeast(limit) => format!(">= {limit}"),
            Bar::AtMost(limit) => format!("<= {limit}"),
            Bar::RatioAtLeast(limit) => format!(">= {limit} x"),
            Bar::RatioAtMost(limit) => format!("<= {limit} x"),
            Bar::Told => "-".to_owned(),
        };
        let verdict = match self.bar {
            _ if !self.is_met() => "short",
            Bar::Told => "-",
            _ => "met",
        };
        [self.case.clone(), figure(ours), figure(peer), ratio, bar, verdict.to_owned()]
    }
}

const HEADER: [&str; 6] = ["case", "ours", "peer", "ratio", "bar", "verdict"];

/// Tab-separated table: one header line, one line per row.
pub(crate) fn tab_separated(rows: &[Row]) -> String {
    let mut text = HEADER.join("\t");
    text.push('\n');
    for row in rows {
        text.push_str(&row.cells().join("\t"));
        text.push('\n');
    }
    text
}

/// The same table in Markdown, for the documentation.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|{}\n", HEADER.join(" | "), "---|".repeat(HEADER.len()));
    for row in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(figures: Figures, bar: Bar) -> Row {
        Row { case: "requests/s".to_owned(), figures, bar, digits: 1 }
    }

    fn check(ours: f64, peer: f64, bar: Bar, met: bool) {
        assert_eq!(row((ours, peer).into(), bar).is_met(), met, "{ours} {peer} {bar:?}");
    }

    #[test]
    fn bars_are_met_at_their_limit_and_short_beyond_it() {
        check(2.0, 1.0, Bar::RatioAtLeast(2.0), true);
        check(1.99, 1.0, Bar::RatioAtLeast(2.0), false);
        check(1.0, 2.0, Bar::RatioAtMost(0.5), true);
        check(1.01, 2.0, Bar::RatioAtMost(0.5), false);
        check(5.0, 9.0, Bar::AtMost(5.0), true);
        check(5.1, 9.0, Bar::AtMost(5.0), false);
        check(5.0, 9.0, Bar::AtLeast(5.0), true);
        check(4.9, 9.0, Bar::AtLeast(5.0), false);
    }

    #[test]
    fn missing_figure_or_peer_of_zero_never_meets_a_bar() {
        let alone = Figures { ours: Some(1.0), ..Figures::default() };
        assert!(!row(Figures::default(), Bar::AtMost(5.0)).is_met());
        assert!(!row(Figures::default(), Bar::Told).is_met());
        assert!(!row(alone, Bar::RatioAtMost(1.0)).is_met());
        assert!(!row((0.0, 0.0).into(), Bar::RatioAtMost(1.0)).is_met());
    }

    #[test]
    fn figures_go_to_the_rows_in_order_and_rows_without_stay_short() {
        let shape =
            [("a", Bar::AtMost(1.0), 0), ("b", Bar::AtMost(1.0), 1), ("c", Bar::AtMost(1.0), 0)];
        let rows = fill(&shape, &[(1.0, 9.0).into(), (0.5, 8.0).into()]);
        assert_eq!((rows[0].figures.ours, rows[1].figures.peer), (Some(1.0), Some(8.0)));
        assert_eq!(rows.iter().map(Row::is_met).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn table_is_tab_separated_with_one_header_line() {
        let text = tab_separated(&[
            row((3.0, 2.0).into(), Bar::RatioAtLeast(1.15)),
            row(Figures::default(), Bar::AtMost(0.0)),
            row((3.0, 3.0).into(), Bar::Told),
        ]);
        let expected = "case\tours\tpeer\tratio\tbar\tverdict\n\
                        requests/s\t3.0\t2.0\t1.500\t>= 1.15 x\tmet\n\
                        requests/s\t-\t-\t-\t<= 0\tshort\n\
                        requests/s\t3.0\t3.0\t1.000\t-\t-\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn markdown_has_the_same_cells() {
        let text = markdown(&[row((1.0, 2.0).into(), Bar::RatioAtMost(0.5))]);
        let expected = "| case | ours | peer | ratio | bar | verdict |\n\
                        |---|---|---|---|---|---|\n\
                        | requests/s | 1.0 | 2.0 | 0.500 | <= 0.5 x | met |\n";
        assert_eq!(text, expected);
    }
}
