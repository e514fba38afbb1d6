//! The charts of a run.

use crate::history::{EpochRecord, History, LogRecord, Score};
use crate::step::ACCURACY;
use wengert_plot::{Chart, Line, Scale};

/// The maximum number of points of the training loss. The loss of single steps is noisy: each point is
/// the mean over several steps.
const POINTS: usize = 150;
/// The maximum number of logged numbers that get a chart. Later ones are left out.
const MOST: usize = 16;

const BY_STEP: &str = "training, each step";
const BY_EPOCH: &str = "training, mean of the epoch";
const HELD_OUT: &str = "held-out data";

impl History {
    /// Returns the charts of the run, which [`wengert_plot::charts`] draws.
    ///
    /// - The first chart shows the training loss over the steps, and the loss on the validation data after
    ///   each epoch. The axis is logarithmic if its range contains two powers of ten.
    /// - For classifiers, the second chart shows both accuracies in percent.
    /// - Then follows one chart for each [logged](crate::Step::log) number, at most 16.
    ///
    /// A ring marks the epoch whose weights were kept.
    ///
    /// ```
    /// use wengert::train::History;
    /// let path = std::env::temp_dir().join("curves.svg");
    /// let history = History::default();
    /// wengert::plot::charts(&history.charts(), path).unwrap();
    /// ```
    pub fn charts(&self) -> Vec<Chart> {
        let epochs = (self.epochs.len() as f64).max(self.progress(self.steps())).max(1.0);
        let chart =
            |title: &str| Chart::new(title).x_label("epochs").x_range(0.0, epochs).integer_x();
        let loss = chart("loss").y_scale(Scale::Auto).line(Line::new(BY_STEP, self.loss_points()));
        let mut charts = vec![loss.line(self.held_out(|score| Some(score.loss)))];
        if self.classifies() {
            let percent = |score: Score| score.accuracy.map(|x| 100.0 * x);
            let train = self.per_epoch(|epoch| percent(epoch.train));
            let train = Line::new(BY_EPOCH, train).markers();
            let held_out = self.held_out(percent);
            let (low, high) = percent_range(train.points().iter().chain(held_out.points()));
            let chart = chart("accuracy, %").y_range(low, high);
            charts.push(chart.line(train).line(held_out));
        }
        let logged = self.log_names().into_iter().filter(|name| *name != ACCURACY).take(MOST);
        charts.extend(logged.map(|name| {
            let line = |line, of: fn(&LogRecord) -> Option<f64>| {
                Line::new(line, self.per_epoch(|epoch| epoch.logged(name).and_then(of))).markers()
            };
            let train = line(BY_EPOCH, |log| log.train);
            chart(name).line(train).line(line(HELD_OUT, |log| log.validation))
        }));
        charts
    }

    fn classifies(&self) -> bool {
        self.epochs.iter().any(|epoch| {
            epoch.train.accuracy.is_some()
                || epoch.validation.is_some_and(|score| score.accuracy.is_some())
        })
    }

    fn loss_points(&self) -> impl Iterator<Item = (f64, f64)> {
        let window = self.losses.len().div_ceil(POINTS).max(1);
        self.losses.chunks(window).enumerate().map(move |(i, part)| {
            let middle = i * window + part.len() / 2;
            // Divides before summing: the sum of large numbers may overflow where their mean does not.
            (self.progress(middle), part.iter().map(|loss| loss / part.len() as f64).sum())
        })
    }

    fn held_out(&self, of: impl Fn(Score) -> Option<f64>) -> Line {
        let value = |epoch: &EpochRecord| epoch.validation.and_then(&of);
        let line = Line::new(HELD_OUT, self.per_epoch(value)).markers();
        match self.best_epoch.zip(self.best().and_then(value)) {
            Some((epoch, y)) => line.ring(epoch as f64 + 1.0, y),
            None => line,
        }
    }

    fn per_epoch(&self, of: impl Fn(&EpochRecord) -> Option<f64>) -> Vec<(f64, f64)> {
        let epochs = self.epochs.iter().enumerate();
        epochs.filter_map(|(i, epoch)| Some((i as f64 + 1.0, of(epoch)?))).collect()
    }

    /// Returns the number of epochs that the first `steps` steps make. If the run was stopped in the
    /// first epoch, all its steps together count as one epoch.
    fn progress(&self, steps: usize) -> f64 {
        let per_epoch = if self.epochs.is_empty() { self.steps() } else { self.steps_per_epoch };
        steps as f64 / (per_epoch as f64).max(1.0)
    }
}

/// Returns the ends of an axis of percentages, with a margin. The axis ends at 100 unless a number is
/// larger.
fn percent_range<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> (f64, f64) {
    let numbers = points.map(|&(_, y)| y).filter(|y| y.is_finite());
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = numbers.fold(none, |(low, high), y| (low.min(y), high.max(y)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    // At most half the largest finite number, so that the margin can be added.
    let room = 0.08 * (high - low).clamp(0.5, f64::MAX / 2.0);
    (low - room, (high + room).min(if high <= 100.0 { 100.0 } else { f64::MAX }))
}
