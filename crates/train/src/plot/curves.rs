//! The plot of loss, accuracy and logged numbers of a run.

use super::axis::Axis;
use super::save;
use crate::history::{EpochRecord, History, LogRecord, Score};
use crate::run::ACCURACY;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;
use wengert_tensor::FileError;

/// The size of a row of two charts. It is drawn at twice the size at which it is shown, since the
/// backend has integer coordinates only.
const SIZE: (u32, u32) = (1720, 640);
const TRAIN: RGBColor = RGBColor(0x3b, 0x6f, 0xb6);
const HELD_OUT: RGBColor = RGBColor(0xd1, 0x60, 0x3d);
const TEXT: RGBColor = RGBColor(0x44, 0x44, 0x44);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
/// The approximate number of labels of the vertical axis.
const LABELS: usize = 7;
/// The maximum number of points of the training loss. The loss of single steps is noisy: each point is
/// the mean over several steps.
const POINTS: usize = 150;

/// Draws the curves of a run as an SVG file.
///
/// - The first chart shows the training loss over the steps, and the loss on the validation data after
///   each epoch. The axis is logarithmic if its range contains two powers of ten.
/// - For classifiers, the second chart shows both accuracies.
/// - Then follows one chart for each [logged](crate::Step::log) number, at most 16, two charts to a row.
///
/// A ring marks the epoch whose weights were kept. Numbers that are NaN or infinite are left out.
///
/// # Errors
/// If the file cannot be written.
pub fn curves(history: &History, path: impl AsRef<Path>) -> Result<(), FileError> {
    let mut text = String::new();
    draw(history, &mut text).expect("text can be written to a string");
    // Halves the shown size; the view box keeps the coordinates.
    let (width, height) = (SIZE.0, SIZE.1 * rows(history) as u32);
    let whole = format!("width=\"{width}\" height=\"{height}\"");
    let half = format!("width=\"{}\" height=\"{}\"", width / 2, height / 2);
    save(path.as_ref(), text.replacen(&whole, &half, 1).as_bytes())
}

/// The maximum number of logged numbers that are drawn. Later ones are left out.
const MOST: usize = 16;

/// Returns the names of the logged numbers that get a chart.
fn others(history: &History) -> Vec<&str> {
    let mut names = history.log_names();
    names.retain(|name| *name != ACCURACY);
    names.truncate(MOST);
    names
}

fn classifies(history: &History) -> bool {
    history.epochs.iter().any(|epoch| {
        epoch.train.accuracy.is_some()
            || epoch.validation.is_some_and(|score| score.accuracy.is_some())
    })
}

/// Returns the number of rows of two charts.
fn rows(history: &History) -> usize {
    (1 + usize::from(classifies(history)) + others(history).len()).div_ceil(2)
}

fn draw(history: &History, out: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let rows = rows(history);
    let sheet = SVGBackend::with_string(out, (SIZE.0, SIZE.1 * rows as u32)).into_drawing_area();
    sheet.fill(&WHITE)?;
    let losses = losses(history);
    let others = others(history);
    let classifies = classifies(history);
    let alone = !classifies && others.is_empty();
    let mut areas =
        if alone { vec![sheet.clone()] } else { sheet.split_evenly((rows, 2)) }.into_iter();
    let left = areas.next().expect("at least one");
    let right = classifies.then(|| areas.next().expect("at least two"));

    let epochs = (history.epochs.len() as f64).max(progress(history, history.steps()));
    let (low, high) = range(&losses);
    let corner = SeriesLabelPosition::UpperRight;
    let panel = Panel { title: "loss", epochs, lines: &losses, corner };
    // A logarithmic axis has labels at powers of ten only: use it if there are at least two.
    let decades = |x: f64| x.log10().floor();
    let y = if low > 0.0 && decades(1.25 * high) > decades(0.8 * low) + 1.0 {
        Axis::log(0.8 * low, 1.25 * high)
    } else {
        linear(low, high)
    };
    panel.draw(&left, &y)?;
    if let Some(right) = right {
        let accuracies = accuracies(history);
        let (low, high) = range(&accuracies);
        let room = 0.08 * width(low, high).max(0.5);
        let most = if high <= 100.0 { 100.0 } else { f64::MAX };
        let corner = SeriesLabelPosition::LowerRight;
        let panel = Panel { title: "accuracy, %", epochs, lines: &accuracies, corner };
        panel.draw(&right, &Axis::linear(low - room, (high + room).min(most), LABELS, 0.0))?;
    }
    for (name, area) in others.into_iter().zip(areas) {
        let lines = logged(history, name);
        let (low, high) = range(&lines);
        let corner = SeriesLabelPosition::UpperRight;
        Panel { title: name, epochs, lines: &lines, corner }.draw(&area, &linear(low, high))?;
    }
    sheet.present()?;
    Ok(())
}

/// Returns a linear axis that extends a little beyond these numbers.
fn linear(low: f64, high: f64) -> Axis {
    let room = 0.05 * width(low, high).max(0.1 * low.abs().max(high.abs()));
    let room = if room > 0.0 { room } else { 1.0 };
    Axis::linear(low - room, high + room, LABELS, 0.0)
}

/// A line of a chart. The x coordinate counts epochs.
struct Line {
    name: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
    /// Whether the points are marked: true for points of epochs, false for points of steps.
    dots: bool,
    /// The point of the epoch whose weights were kept.
    best: Option<(f64, f64)>,
}

fn losses(history: &History) -> Vec<Line> {
    let window = history.losses.len().div_ceil(POINTS).max(1);
    let steps = history.losses.chunks(window).enumerate().map(|(i, part)| {
        let middle = i * window + part.len() / 2;
        // Divides before summing: the sum of large numbers may overflow where their mean does not.
        (progress(history, middle), part.iter().map(|loss| loss / part.len() as f64).sum())
    });
    let train = Line {
        name: "training, step by step",
        colour: TRAIN,
        points: steps.collect(),
        dots: false,
        best: None,
    };
    vec![train, held_out(history, |score| Some(score.loss))]
}

fn accuracies(history: &History) -> Vec<Line> {
    let percent = |score: Score| score.accuracy.map(|x| 100.0 * x);
    let points = per_epoch(history, |epoch| percent(epoch.train));
    let train =
        Line { name: "training, as it went", colour: TRAIN, points, dots: true, best: None };
    vec![train, held_out(history, percent)]
}

/// Returns the lines of a logged number: in training and on the validation data.
fn logged(history: &History, name: &str) -> Vec<Line> {
    let line = |line, colour, of: fn(&LogRecord) -> Option<f64>| {
        let points = per_epoch(history, |epoch| epoch.logged(name).and_then(of));
        Line { name: line, colour, points, dots: true, best: None }
    };
    vec![
        line("training, as it went", TRAIN, |log| log.train),
        line("held-out data", HELD_OUT, |log| log.validation),
    ]
}

fn held_out(history: &History, of: impl Fn(Score) -> Option<f64>) -> Line {
    let value = |epoch: &EpochRecord| epoch.validation.and_then(&of);
    let points = per_epoch(history, value);
    let best = history.best.zip(history.best().and_then(value));
    let best = best.map(|(i, y)| (i as f64 + 1.0, y));
    Line { name: "held-out data", colour: HELD_OUT, points, dots: true, best }
}

fn per_epoch(history: &History, of: impl Fn(&EpochRecord) -> Option<f64>) -> Vec<(f64, f64)> {
    let epochs = history.epochs.iter().enumerate();
    epochs.filter_map(|(i, epoch)| Some((i as f64 + 1.0, of(epoch)?))).collect()
}

/// Returns the number of epochs that the first `steps` steps make. If the run was stopped in the first
/// epoch, all its steps together count as one epoch.
fn progress(history: &History, steps: usize) -> f64 {
    let per_epoch = if history.epochs.is_empty() {
        history.steps() as f64
    } else {
        history.steps_per_epoch as f64
    };
    steps as f64 / per_epoch.max(1.0)
}

fn range(lines: &[Line]) -> (f64, f64) {
    let numbers = lines.iter().flat_map(|line| &line.points).map(|&(_, y)| y);
    let finite = numbers.filter(|y| y.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| (a.min(y), b.max(y)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// Returns the distance of two numbers, at most half the largest finite number, so that a margin can be
/// added.
fn width(low: f64, high: f64) -> f64 {
    (high - low).min(f64::MAX / 2.0)
}

struct Panel<'a> {
    title: &'a str,
    epochs: f64,
    lines: &'a [Line],
    /// The position of the legend.
    corner: SeriesLabelPosition,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

impl Panel<'_> {
    fn draw(&self, area: &Area<'_>, y: &Axis) -> Result<(), Box<dyn std::error::Error>> {
        // Marks stand at whole epochs.
        let x = Axis::linear(0.0, self.epochs.max(1.0), 11, 1.0);
        let font = |size: i32| ("sans-serif", size).into_font().color(&TEXT);
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, font(30))
            .margin(24)
            .x_label_area_size(64)
            .y_label_area_size(90)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(TEXT.stroke_width(2))
            .label_style(font(24))
            .x_desc("epochs")
            .x_label_formatter(&|mark| x.label(*mark))
            .y_label_formatter(&|mark| y.label(*mark))
            .draw()?;
        for line in self.lines.iter().filter(|line| !line.points.is_empty()) {
            let colour = line.colour;
            let finite = || line.points.iter().copied().filter(|(_, y)| y.is_finite());
            chart
                .draw_series(LineSeries::new(finite(), colour.stroke_width(4)))?
                .label(line.name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 40, y)], colour.stroke_width(5))
                });
            if line.dots {
                chart.draw_series(finite().map(|at| Circle::new(at, 6, colour.filled())))?;
            }
            let best = line.best.filter(|(_, y)| y.is_finite());
            chart.draw_series(best.map(|at| Circle::new(at, 13, colour.stroke_width(3))))?;
        }
        chart
            .configure_series_labels()
            .position(self.corner.clone())
            .margin(16)
            .label_font(font(24))
            .legend_area_size(56)
            .background_style(WHITE.mix(0.85))
            .draw()?;
        Ok(())
    }
}
