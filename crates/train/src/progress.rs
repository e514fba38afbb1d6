//! Progress of a run: in a terminal a progress bar, and for each finished epoch a printed line.

use crate::callback::{Callback, CallbackState};
use crate::context::Context;
use crate::error::Outcome;
use crate::history::{EpochRecord, History, Score};
use crate::run::epochs;
use crate::settings::Criterion;
use crate::step::ACCURACY;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::time::Duration;
use wengert_tensor::{Float, Instant};

/// The minimum time between two updates of the progress bar.
const EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Progress {
    /// `indicatif` hides it if there is no terminal.
    bar: ProgressBar,
    /// The name of the validation data.
    held_out: Option<String>,
    /// The criterion of the best epoch.
    criterion: Option<Criterion>,
    stop_after: Option<usize>,
    started: Instant,
    drawn: Instant,
    /// The number of steps since the start of this call, without those before a resumption.
    steps: usize,
    /// The header line that was printed last.
    header: String,
}

impl Progress {
    pub fn new(
        held_out: Option<&str>,
        criterion: Option<Criterion>,
        stop_after: Option<usize>,
    ) -> Self {
        let (started, held_out) = (Instant::now(), held_out.map(String::from));
        let (bar, drawn, header) = (ProgressBar::hidden(), started, String::new());
        Progress { bar, held_out, criterion, stop_after, started, drawn, steps: 0, header }
    }

    fn begin_epoch<T: Float>(&mut self, run: &Context<'_, T>) {
        self.bar = ProgressBar::new(run.steps_per_epoch() as u64);
        let style = ProgressStyle::with_template("{prefix} {bar:10} {pos}/{len}  {wide_msg}");
        self.bar.set_style(style.expect("a sound template").progress_chars("━╸─"));
        self.bar.set_prefix(format!("epoch {}/{}", run.epoch() + 1, run.epochs()));
        self.bar.set_position(run.step() as u64);
    }

    /// Returns the numbers beside the progress bar.
    fn message<T: Float>(&self, run: &Context<'_, T>) -> String {
        let sums = &run.run.sums;
        let logs: Vec<String> =
            sums.means().map(|(name, x)| format!("  {name} {}", number(name, x))).collect();
        let logs = logs.concat();
        let speed = sums.examples / sums.seconds;
        let all = run.steps_per_epoch().saturating_mul(epochs(run.epochs()));
        let left = all.min(self.stop_after.unwrap_or(usize::MAX)).saturating_sub(run.steps());
        let pace = self.started.elapsed().as_secs_f64() / self.steps as f64;
        let left = clock(pace * left as f64);
        format!("loss {:.4}{logs}  {speed:.0}/s  {left} left", run.so_far().loss)
    }

    /// Prints the line of an epoch, and before it the header if the columns have changed.
    fn before_validation(&mut self, number: u64, epoch: &EpochRecord) {
        self.bar.finish_and_clear();
        let columns = columns(epoch, self.held_out.as_deref());
        let header = cells(&columns, |column| column.name.clone());
        if header != self.header {
            print(&header);
            self.header = header;
        }
        print(&cells(&columns, |column| (column.cell)(number, epoch)));
    }

    fn kept_line(&self, history: &History, criterion: Criterion) -> String {
        let name = self.held_out.as_deref().unwrap_or("valid");
        let what = match criterion {
            Criterion::Loss => "loss",
            Criterion::Accuracy => ACCURACY,
        };
        let all = history.epochs.len();
        let best =
            history.best_epoch.and_then(|i| Some((i + 1, history.epochs.get(i)?.validation?)));
        let Some((number, score)) = best else {
            return format!(
                "kept the weights of the last epoch: no epoch has a finite {name} {what}"
            );
        };
        let value = match criterion {
            Criterion::Loss => format!("{:.4}", score.loss),
            Criterion::Accuracy => or_dash(ACCURACY, score.accuracy),
        };
        format!("kept the weights of epoch {number} of {all}: the best {name} {what}, {value}")
    }
}

impl<T: Float> Callback<T> for Progress {
    fn before_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if self.steps == 0 || run.step() == 0 {
            self.begin_epoch(run);
        }
        Ok(())
    }

    fn after_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.steps += 1;
        if !self.bar.is_hidden() && self.drawn.elapsed() >= EVERY {
            self.drawn = Instant::now();
            self.bar.set_position(run.step() as u64);
            self.bar.set_message(self.message(run));
        }
        Ok(())
    }

    fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
        let number = run.epoch();
        if let Some(epoch) = run.history().last() {
            self.before_validation(number, epoch);
        }
        Ok(())
    }

    fn finish(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.bar.finish_and_clear();
        if let Some(stop) = &run.run.stop {
            print(&format!("stopped after {} steps: {}", run.steps(), stop.why));
        }
        // A paused run keeps its last weights.
        let pause = run.run.stop.as_ref().is_some_and(|stop| stop.pause);
        if let (Some(criterion), false) = (self.criterion, pause) {
            print(&self.kept_line(run.history(), criterion));
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}

/// Clears the progress bar, also when the run ends with an error.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn print(line: &str) {
    // Ignores errors: a closed pipe must not end the training.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Joins the texts of the columns into a line, each right-aligned in its column.
fn cells(columns: &[Column], text: impl Fn(&Column) -> String) -> String {
    let cell = |column: &Column| {
        let (text, width) = (text(column), column.name.chars().count().max(column.width));
        format!("{text:>width$}")
    };
    columns.iter().map(cell).collect::<Vec<_>>().join("  ")
}

/// A function that returns the text of a column for an epoch and its number.
type Cell = Box<dyn Fn(u64, &EpochRecord) -> String>;

struct Column {
    name: String,
    width: usize,
    cell: Cell,
}

fn columns(epoch: &EpochRecord, held_out: Option<&str>) -> Vec<Column> {
    let column = |name: &str, width, cell: Cell| Column { name: name.into(), width, cell };
    let mut all = vec![column("epoch", 5, Box::new(|number, _| number.to_string()))];
    let loss =
        |score: Option<Score>| score.map_or("-".into(), |score| format!("{:.4}", score.loss));
    all.push(column("train loss", 10, Box::new(move |_, epoch| loss(Some(epoch.train)))));
    for log in epoch.logs.iter().filter(|log| log.train.is_some()) {
        let name = log.name.clone();
        let cell = move |_, epoch: &EpochRecord| {
            or_dash(&name, epoch.logged(&name).and_then(|log| log.train))
        };
        all.push(column(&log.name, 8, Box::new(cell)));
    }
    if let Some(held_out) = held_out {
        let name = format!("{held_out} loss");
        all.push(column(&name, 10, Box::new(move |_, epoch| loss(epoch.validation))));
        for log in epoch.logs.iter().filter(|log| log.validation.is_some()) {
            let name = log.name.clone();
            let cell = move |_, epoch: &EpochRecord| {
                or_dash(&name, epoch.logged(&name).and_then(|log| log.validation))
            };
            all.push(column(&log.name, 8, Box::new(cell)));
        }
    }
    all.push(column("lr", 8, Box::new(|_, epoch| format!("{:.2e}", epoch.learning_rate))));
    all.push(column("time", 8, Box::new(|_, epoch| format!("{:.2}s", epoch.seconds))));
    all.push(column("examples/s", 10, Box::new(|_, epoch| format!("{:.0}", epoch.speed()))));
    all
}

fn or_dash(name: &str, x: Option<f64>) -> String {
    x.map_or("-".into(), |x| number(name, x))
}

/// Formats a logged number. Accuracies are shown in percent.
fn number(name: &str, x: f64) -> String {
    if name == ACCURACY { format!("{:.2}%", 100.0 * x) } else { format!("{x:.4}") }
}

/// Formats seconds as minutes and seconds, 75 as 1:15; from an hour on with hours.
fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::LogRecord;

    #[test]
    fn times_are_printed_as_minutes_or_hours() {
        assert_eq!(
            [0.4, 75.0, 3600.0, 36_061.0].map(clock),
            ["0:00", "1:15", "1:00:00", "10:01:01"]
        );
    }

    #[test]
    fn the_progress_names_the_epoch_that_was_kept() {
        let epoch = |loss, accuracy| EpochRecord {
            train: Score { loss: 1.0, accuracy: Some(0.5) },
            validation: Some(Score { loss, accuracy: Some(accuracy) }),
            logs: vec![],
            learning_rate: 0.05,
            seconds: 2.0,
            examples: 50_000,
        };
        let epochs = vec![epoch(0.5, 0.25), epoch(0.125, 0.75), epoch(0.25, 0.75)];
        let mut history = History { epochs, best_epoch: Some(1), ..History::default() };
        let progress = Progress::new(Some("test"), None, None);
        assert_eq!(
            progress.kept_line(&history, Criterion::Accuracy),
            "kept the weights of epoch 2 of 3: the best test accuracy, 75.00%"
        );
        assert_eq!(
            progress.kept_line(&history, Criterion::Loss),
            "kept the weights of epoch 2 of 3: the best test loss, 0.1250"
        );
        history.best_epoch = None;
        assert_eq!(
            progress.kept_line(&history, Criterion::Loss),
            "kept the weights of the last epoch: no epoch has a finite test loss"
        );
    }

    #[test]
    fn columns_are_aligned_with_their_names() {
        let log =
            |name: &str, train, validation| LogRecord { name: name.into(), train, validation };
        let mut epoch = EpochRecord {
            train: Score { loss: 0.25, accuracy: Some(0.5) },
            validation: Some(Score { loss: 12.0, accuracy: Some(1.0) }),
            logs: vec![log(ACCURACY, Some(0.5), Some(1.0))],
            learning_rate: 0.05,
            seconds: 2.0,
            examples: 50_000,
        };
        let lines = |epoch: &EpochRecord, held_out| {
            let columns = columns(epoch, held_out);
            let names = cells(&columns, |column| column.name.clone());
            [names, cells(&columns, |column| (column.cell)(3, epoch))]
        };
        assert_eq!(
            lines(&epoch, Some("validation")),
            [
                "epoch  train loss  accuracy  validation loss  accuracy        lr      time  examples/s",
                "    3      0.2500    50.00%          12.0000   100.00%   5.00e-2     2.00s       25000"
            ]
        );
        epoch.logs = vec![log("gradient norm", Some(12.5), None), log("auc", None, Some(0.75))];
        assert_eq!(
            lines(&epoch, Some("test")),
            [
                "epoch  train loss  gradient norm   test loss       auc        lr      time  examples/s",
                "    3      0.2500        12.5000     12.0000    0.7500   5.00e-2     2.00s       25000"
            ]
        );
        epoch.logs = vec![];
        assert_eq!(lines(&epoch, None)[1], "    3      0.2500   5.00e-2     2.00s       25000");
    }
}
