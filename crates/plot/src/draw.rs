//! The drawing of charts.

use crate::axis::Axis;
use crate::chart::{Chart, Corner, Line, Scale, Style};
use crate::save::save;
use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use std::path::Path;
use wengert_tensor::FileError;

/// The size of a row of two charts. It is drawn at twice the size at which it is shown, since the
/// backend has integer coordinates only.
const SIZE: (u32, u32) = (1720, 640);
/// The colours of the lines of a chart.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x3b, 0x6f, 0xb6),
    RGBColor(0xd1, 0x60, 0x3d),
    RGBColor(0x3d, 0x8f, 0x5f),
    RGBColor(0x85, 0x5c, 0xa8),
    RGBColor(0xc9, 0x9a, 0x2e),
    RGBColor(0x4a, 0xa3, 0xb5),
    RGBColor(0xb6, 0x4f, 0x7f),
    RGBColor(0x7a, 0x7a, 0x7a),
];
const TEXT: RGBColor = RGBColor(0x44, 0x44, 0x44);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
const FAINT: RGBColor = RGBColor(0xa8, 0xa8, 0xa8);
/// The space between a chart and the next, for the marks below the horizontal axis, and for those beside the vertical
/// axis without and with a text.
const MARGIN: u32 = 24;
const BELOW: u32 = 64;
const BESIDE: [u32; 2] = [90, 116];
/// The approximate numbers of labels of the horizontal and of the vertical axis.
const LABELS: (usize, usize) = (11, 7);

/// Draws charts as an SVG file, two charts to a row. A single chart takes the whole row.
///
/// # Errors
/// If the file cannot be written.
pub fn charts(charts: &[Chart], path: impl AsRef<Path>) -> Result<(), FileError> {
    let rows = charts.len().div_ceil(2).max(1);
    let (width, height) = (SIZE.0, SIZE.1 * rows as u32);
    let mut text = String::new();
    draw(charts, rows, (width, height), &mut text).expect("a string accepts all text");
    // Halves the shown size; the view box keeps the coordinates.
    let whole = format!("width=\"{width}\" height=\"{height}\"");
    let half = format!("width=\"{}\" height=\"{}\"", width / 2, height / 2);
    save(path.as_ref(), text.replacen(&whole, &half, 1).as_bytes())
}

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(charts: &[Chart], rows: usize, size: (u32, u32), out: &mut String) -> Drawn {
    let sheet = SVGBackend::with_string(out, size).into_drawing_area();
    sheet.fill(&WHITE)?;
    let areas = if charts.len() < 2 { vec![sheet.clone()] } else { sheet.split_evenly((rows, 2)) };
    for (chart, area) in charts.iter().zip(areas) {
        chart.draw(&area)?;
    }
    sheet.present()?;
    Ok(())
}

impl Chart {
    /// Returns the smallest and the largest value of `of` over the finite points of all lines; `None` if
    /// there is no finite point.
    fn range(&self, of: impl Fn((f64, f64)) -> f64) -> Option<(f64, f64)> {
        let points = self.lines.iter().flat_map(|line| finite(&line.points));
        points.map(of).fold(None, |range, z| {
            let (low, high) = range.unwrap_or((z, z));
            Some((low.min(z), high.max(z)))
        })
    }

    fn x_axis(&self) -> Axis {
        self.x_axis_between(self.x_range.or(self.range(|(x, _)| x)).unwrap_or((0.0, 1.0)))
    }

    fn x_axis_between(&self, (low, high): (f64, f64)) -> Axis {
        Axis::linear(low, high, LABELS.0, f64::from(u8::from(self.integer_x)))
    }

    fn y_axis(&self) -> Axis {
        let given = self.y_range;
        let (low, high) = given.or(self.range(|(_, y)| y)).unwrap_or((0.0, 1.0));
        // A logarithmic axis has labels at powers of ten only: use it if there are at least two.
        let decades = |x: f64| x.log10().floor();
        let wide = || low > 0.0 && decades(1.25 * high) > decades(0.8 * low) + 1.0;
        if self.y_scale == Scale::Log || self.y_scale == Scale::Auto && wide() {
            let positive = |y: f64| if y > 0.0 { y } else { f64::INFINITY };
            // The smallest positive number; 1 if there is none.
            let least =
                if low > 0.0 { Some((low, high)) } else { self.range(|(_, y)| positive(y)) };
            let low = least.map_or(1.0, |(least, _)| least);
            let (low, high) = if low.is_finite() { (low, high.max(low)) } else { (1.0, 10.0) };
            return if given.is_some() {
                Axis::log(low, high)
            } else {
                Axis::log(0.8 * low, 1.25 * high)
            };
        }
        if given.is_some() {
            return Axis::linear(low, high, LABELS.1, 0.0);
        }
        // At most half the largest finite number, so that the margin can be added.
        let width = (high - low).min(f64::MAX / 2.0);
        let room = 0.05 * width.max(0.1 * low.abs().max(high.abs()));
        let room = if room > 0.0 { room } else { 1.0 };
        Axis::linear(low - room, high + room, LABELS.1, 0.0)
    }

    fn draw(&self, area: &Area<'_>) -> Drawn {
        let font = |size: i32| ("sans-serif", size).into_font().color(&TEXT);
        let area = area.margin(MARGIN, MARGIN, MARGIN, MARGIN).titled(&self.title, font(30))?;
        let beside = BESIDE[usize::from(!self.y_label.is_empty())];
        let (x, y) = self.axes([(beside, 0), (BELOW, 1)].map(|(labels, side)| {
            let (width, height) = area.dim_in_pixel();
            f64::from([width, height][side].saturating_sub(labels).max(1))
        }));
        let mut chart = ChartBuilder::on(&area)
            .x_label_area_size(BELOW)
            .y_label_area_size(beside)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(TEXT.stroke_width(2))
            .label_style(font(24))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_label_formatter(&|mark| x.label(*mark))
            .y_label_formatter(&|mark| y.label(*mark))
            .draw()?;
        let mut colours = COLOURS.into_iter().cycle();
        for line in &self.lines {
            let (colour, width) = match line.style {
                Style::Faint => (FAINT, 2),
                _ => (colours.next().unwrap_or(TEXT), 4),
            };
            let shown = |points| finite(points).filter(|&point| is_shown(point, &x, &y));
            if line.style != Style::Dots {
                for piece in line.drawn(&x, &y) {
                    chart.draw_series(LineSeries::new(piece, colour.stroke_width(width)))?;
                }
            }
            if line.markers || line.style == Style::Dots {
                let dot = |at| Circle::new(at, 6, colour.filled());
                chart.draw_series(shown(&line.points).map(dot))?;
            }
            let ring = |at| Circle::new(at, 13, colour.stroke_width(3));
            chart.draw_series(shown(line.ring.as_slice()).map(ring))?;
            if line.is_named() {
                let entry = chart.draw_series([] as [EmptyElement<_, _>; 0])?.label(&line.name);
                if line.style == Style::Dots {
                    entry.legend(move |(x, y)| Circle::new((x + 20, y), 7, colour.filled()));
                } else {
                    entry.legend(move |(x, y)| {
                        PathElement::new([(x, y), (x + 40, y)], colour.stroke_width(width + 1))
                    });
                }
            }
        }
        if self.lines.iter().any(Line::is_named) {
            chart
                .configure_series_labels()
                .position(match self.legend_corner(&x, &y, area.dim_in_pixel()) {
                    Corner::UpperLeft => SeriesLabelPosition::UpperLeft,
                    Corner::UpperRight => SeriesLabelPosition::UpperRight,
                    Corner::LowerLeft => SeriesLabelPosition::LowerLeft,
                    Corner::LowerRight => SeriesLabelPosition::LowerRight,
                })
                .margin(16)
                .label_font(font(24))
                .legend_area_size(56)
                .background_style(WHITE.mix(0.85))
                .draw()?;
        }
        Ok(())
    }

    /// Returns the axes of an area with this width and height in pixels.
    fn axes(&self, [width, height]: [f64; 2]) -> (Axis, Axis) {
        let (x, y) = (self.x_axis(), self.y_axis());
        if !self.equal_axes || y.is_log() {
            return (x, y);
        }
        let [across, up] = [&x, &y].map(Axis::range);
        let units = |ends: &std::ops::Range<f64>, pixels: f64| (ends.end - ends.start) / pixels;
        let unit = units(&across, width).max(units(&up, height));
        let [across, up] = [(across, width), (up, height)].map(|(ends, pixels)| {
            let room = (unit * pixels - (ends.end - ends.start)) / 2.0;
            // Ends whose distance overflows stay as they are.
            let room = if room.is_finite() { room.max(0.0) } else { 0.0 };
            (ends.start - room, ends.end + room)
        });
        (self.x_axis_between(across), Axis::linear(up.0, up.1, LABELS.1, 0.0))
    }

    /// Returns the corner of the legend: the one that was set, or else the one in which it hides the
    /// shortest parts of the lines. Of equally good corners, it is the first of the list.
    fn legend_corner(&self, x: &Axis, y: &Axis, (width, height): (u32, u32)) -> Corner {
        if let Some(corner) = self.legend {
            return corner;
        }
        // The approximate size of the legend, as a part of the area between the axes.
        let named = || self.lines.iter().filter(|line| line.is_named());
        let letters = named().map(|line| line.name.chars().count()).max().unwrap_or(0);
        let wide = (11 * letters + 110) as f64 / f64::from(width.saturating_sub(138).max(1));
        let high =
            (30 * named().count() + 28) as f64 / f64::from(height.saturating_sub(148).max(1));
        let corners = [
            (Corner::UpperRight, true, true),
            (Corner::UpperLeft, false, true),
            (Corner::LowerRight, true, false),
            (Corner::LowerLeft, false, false),
        ];
        // The lengths of the hidden parts: of each segment, nine points are tested. A point alone counts as a
        // short segment.
        let mut hidden = [0.0; 4];
        let mut add = |[(a, b), (c, d)]: [(f64, f64); 2]| {
            let length = (c - a).hypot(d - b) + 1e-3;
            for part in (0..=8).map(|i| f64::from(i) / 8.0) {
                let (u, v) = (a + part * (c - a), b + part * (d - b));
                for (sum, &(_, right, upper)) in hidden.iter_mut().zip(&corners) {
                    let from_side = if right { 1.0 - u } else { u };
                    let from_end = if upper { 1.0 - v } else { v };
                    if from_side < wide && from_end < high {
                        *sum += length;
                    }
                }
            }
        };
        for line in &self.lines {
            if line.style == Style::Dots {
                for (a, b) in finite(&line.points).filter(|&point| is_shown(point, x, y)) {
                    add([(x.place(a), y.place(b)); 2]);
                }
                continue;
            }
            for piece in line.drawn(x, y) {
                let points: Vec<_> =
                    piece.into_iter().map(|(a, b)| (x.place(a), y.place(b))).collect();
                if let [point] = points[..] {
                    add([point; 2]);
                }
                for ends in points.windows(2) {
                    add([ends[0], ends[1]]);
                }
            }
        }
        let mut best = 0;
        for i in 1..4 {
            if hidden[i] < hidden[best] {
                best = i;
            }
        }
        corners[best].0
    }
}

impl Line {
    /// Returns whether the line appears in the legend.
    fn is_named(&self) -> bool {
        !self.points.is_empty() && !self.name.is_empty()
    }

    /// Returns the parts of the line between the ends of the axes. Points without a finite number, or with one that the axis
    /// cannot show, are omitted, and their neighbours joined.
    fn drawn(&self, x: &Axis, y: &Axis) -> Vec<Vec<(f64, f64)>> {
        let starts = [0].into_iter().chain(self.breaks.iter().copied());
        let ends = self.breaks.iter().copied().chain([self.points.len()]);
        let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
        for (start, end) in starts.zip(ends) {
            let piece = finite(&self.points[start..end]).filter(|&(_, value)| y.holds(value));
            let piece: Vec<_> = piece.collect();
            let mut open = false;
            if let [point] = piece[..]
                && is_shown(point, x, y)
            {
                parts.push(vec![point]);
            }
            for ends in piece.windows(2) {
                let [from, to] = [ends[0], ends[1]];
                let places = [from, to].map(|(a, b)| [x.place_beyond(a), y.place_beyond(b)]);
                let Some([first, last]) = inside(places) else {
                    open = false;
                    continue;
                };
                let along = |part: f64| {
                    let [a, b] =
                        [0, 1].map(|i| places[0][i] + part * (places[1][i] - places[0][i]));
                    (x.at(a), y.at(b))
                };
                if !open || first > 0.0 {
                    parts.push(vec![if first > 0.0 { along(first) } else { from }]);
                }
                open = last >= 1.0;
                if let Some(part) = parts.last_mut() {
                    part.push(if open { to } else { along(last) });
                }
            }
        }
        parts
    }
}

/// Returns where a segment enters and leaves the square from 0 to 1, as shares of its length (Y.-D. Liang, B. A. Barsky,
/// "A new concept and method for line clipping", 1984).
fn inside([from, to]: [[f64; 2]; 2]) -> Option<[f64; 2]> {
    let (mut first, mut last) = (0.0f64, 1.0f64);
    for (a, b) in from.into_iter().zip(to) {
        if a == b {
            if !(0.0..=1.0).contains(&a) {
                return None;
            }
            continue;
        }
        let [low, high] = [(0.0 - a) / (b - a), (1.0 - a) / (b - a)];
        (first, last) = (first.max(low.min(high)), last.min(low.max(high)));
    }
    (first <= last).then_some([first, last])
}

fn is_shown((a, b): (f64, f64), x: &Axis, y: &Axis) -> bool {
    let within = |place: f64| (0.0..=1.0).contains(&place);
    y.holds(b) && within(x.place_beyond(a)) && within(y.place_beyond(b))
}

fn finite(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite())
}
