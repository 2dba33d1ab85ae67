//! A chart as SVG: panels beside each other, logarithmic both ways, a light grid, every line named at its end.
//!
//! The picture carries its own background and colours for light and dark surroundings; it needs no script and no font
//! of its own.

use std::fmt::Write;

use crate::scale::{Scale, apart};

/// One line of a panel.
pub(crate) struct Line {
    /// What stands at its end.
    pub(crate) name: String,
    /// A class of the style sheet below: `ours`, `circl`, `fame`, `bsw`.
    pub(crate) class: &'static str,
    pub(crate) dashed: bool,
    /// Attributes and value, rising.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A field of lines with its own horizontal axis.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// A picture.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// One line below the title: the unit and what is counted.
    pub(crate) note: &'static str,
    /// Writes a value of the vertical axis with its unit.
    pub(crate) unit: fn(f64) -> String,
    pub(crate) panels: Vec<Panel>,
}

const STYLE: &str = "
text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2933 }
.title { font-size: 16px; font-weight: 600 } .panel { font-weight: 600 } .note, .tick { fill: #5b6773 }
.ground { fill: #ffffff } .grid { stroke: #e3e7eb; stroke-width: 1 } .decade { stroke: #c5ccd3; stroke-width: 1 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round } .line.ours { stroke-width: 3 } .dashed { stroke-dasharray: 6 4 }
.lead { stroke: #9aa5b1; stroke-width: 0.75 } .name { font-weight: 600 }
.line.ours { stroke: #1d4ed8 } .dot.ours, .name.ours { fill: #1d4ed8 }
.line.circl { stroke: #c2410c } .dot.circl, .name.circl { fill: #c2410c }
.line.fame { stroke: #047857 } .dot.fame, .name.fame { fill: #047857 }
.line.bsw { stroke: #7c3aed } .dot.bsw, .name.bsw { fill: #7c3aed }
@media (prefers-color-scheme: dark) {
text { fill: #e4e7eb } .note, .tick { fill: #9aa5b1 } .ground { fill: #0f151c }
.grid { stroke: #222b35 } .decade { stroke: #38444f } .lead { stroke: #52606d }
.line.ours { stroke: #7aa7ff } .dot.ours, .name.ours { fill: #7aa7ff }
.line.circl { stroke: #fb923c } .dot.circl, .name.circl { fill: #fb923c }
.line.fame { stroke: #34d399 } .dot.fame, .name.fame { fill: #34d399 }
.line.bsw { stroke: #c4a5ff } .dot.bsw, .name.bsw { fill: #c4a5ff }
}
";

/// Where the fields are: above the first, below the last, left of the first; a field; names right of each field.
const TOP: f64 = 84.0;
const HEIGHT: f64 = 340.0;
const BOTTOM: f64 = 52.0;
const LEFT: f64 = 72.0;
const NAMES: f64 = 208.0;
const SIZES: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, MOST];
const MOST: f64 = 512.0;
const GAP: f64 = 16.0;

impl Chart {
    /// The picture's text.
    pub(crate) fn svg(&self) -> String {
        let field = if self.panels.len() > 1 { 300.0 } else { 520.0 };
        let step = field + NAMES;
        let (width, height) = (LEFT + step * self.panels.len() as f64, TOP + HEIGHT + BOTTOM);
        let values =
            self.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|point| point.1);
        let y = Scale::new(Scale::bounds(values), (TOP + HEIGHT, TOP));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <title>{}</title>\n<desc>{}</desc>\n<style>{STYLE}</style>\n\
             <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n",
            escape(self.title),
            escape(self.note)
        );
        text(&mut svg, "title", (16.0, 28.0), "start", self.title);
        text(&mut svg, "note", (16.0, 48.0), "start", self.note);
        for (at, panel) in self.panels.iter().enumerate() {
            let left = LEFT + step * at as f64;
            let x = Scale::new((1.0, MOST), (left + 8.0, left + field));
            self.grid(&mut svg, (left, left + field), &x, &y, at == 0);
            text(&mut svg, "panel", (left, TOP - 12.0), "start", panel.title);
            self.lines(&mut svg, panel, &x, &y);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn grid(&self, svg: &mut String, (left, right): (f64, f64), x: &Scale, y: &Scale, first: bool) {
        let bottom = TOP + HEIGHT;
        for (value, decade) in y.ticks() {
            let (class, place) = (if decade { "decade" } else { "grid" }, y.at(value));
            stroke(svg, class, (left, place), (right, place));
            if decade && first {
                text(svg, "tick", (left - 8.0, place + 4.0), "end", &(self.unit)(value));
            }
        }
        for size in SIZES {
            let place = x.at(size);
            stroke(svg, "grid", (place, TOP), (place, bottom));
            text(svg, "tick", (place, bottom + 18.0), "middle", &format!("{size}"));
        }
        text(svg, "note", ((left + right) / 2.0, bottom + 38.0), "middle", "attributes, all of them needed");
    }

    fn lines(&self, svg: &mut String, panel: &Panel, x: &Scale, y: &Scale) {
        let drawn: Vec<&Line> = panel.lines.iter().filter(|line| !line.points.is_empty()).collect();
        let ends: Vec<(f64, f64)> = drawn.iter().filter_map(|line| line.points.last().copied()).collect();
        let wanted: Vec<f64> = ends.iter().map(|end| y.at(end.1)).collect();
        let places = apart(&wanted, GAP, (TOP + 6.0, TOP + HEIGHT));
        for ((line, (size, value)), place) in drawn.into_iter().zip(ends).zip(places) {
            let dashed = if line.dashed { " dashed" } else { "" };
            let path: Vec<String> =
                line.points.iter().map(|(size, value)| format!("{:.1},{:.1}", x.at(*size), y.at(*value))).collect();
            put(svg, &format!("<polyline class=\"line {}{dashed}\" points=\"{}\"/>", line.class, path.join(" ")));
            for (size, value) in &line.points {
                let (x, y) = (x.at(*size), y.at(*value));
                put(svg, &format!("<circle class=\"dot {}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>", line.class));
            }
            let beside = x.at(MOST) + 18.0;
            stroke(svg, "lead", (x.at(size) + 5.0, y.at(value)), (beside - 4.0, place));
            // A line that was broken off says where.
            let at = if size < MOST { format!(" at {size}") } else { String::new() };
            let name = format!("{} {}{at}", line.name, (self.unit)(value));
            text(svg, &format!("name {}", line.class), (beside, place + 4.0), "start", &name);
        }
    }
}

fn stroke(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    put(svg, &format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"));
}

fn text(svg: &mut String, class: &str, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = escape(words);
    put(svg, &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"));
}

fn put(svg: &mut String, element: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(svg, "{element}");
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> String {
        let line = Line { name: "A & B".into(), class: "ours", dashed: true, points };
        let panels = vec![Panel { title: "one", lines: vec![line] }];
        Chart { title: "x < y", note: "", unit: |value| format!("{value} ms"), panels }.svg()
    }

    #[test]
    fn a_line_is_drawn_once_with_its_name_and_last_value() {
        let svg = chart(vec![(1.0, 1.0), (512.0, 70.0)]);
        assert_eq!(svg.matches("<polyline class=\"line ours dashed\"").count(), 1);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains(">A &amp; B 70 ms</text>") && svg.contains("<title>x &lt; y</title>"), "{svg}");
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn a_line_that_was_broken_off_says_where() {
        assert!(chart(vec![(1.0, 1.0), (200.0, 70.0)]).contains(">A &amp; B 70 ms at 200</text>"));
    }

    #[test]
    fn nothing_measured_is_an_empty_field() {
        let svg = chart(vec![]);
        assert!(!svg.contains("<polyline") && svg.contains(">512</text>") && !svg.contains("NaN"));
    }
}
