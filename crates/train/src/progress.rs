//! What is seen of a run while it runs: a line that moves, where there is a terminal, and a line
//! that stays for each epoch.

use crate::history::{EpochRecord, History, Score};
use crate::run::Run;
use crate::trainer::Criterion;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};

/// How often the moving line is drawn.
const EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Progress {
    /// Hidden by itself where there is no terminal.
    bar: ProgressBar,
    quiet: bool,
    classifies: bool,
    /// What the validation set is called.
    held_out: Option<String>,
    epochs: u64,
    started: Instant,
    drawn: Instant,
    /// Steps made since the start.
    steps: usize,
    steps_left: usize,
}

impl Progress {
    pub fn new(quiet: bool, classifies: bool, held_out: Option<&str>, epochs: u64) -> Self {
        let (started, held_out) = (Instant::now(), held_out.map(String::from));
        let (bar, drawn) = (ProgressBar::hidden(), started);
        Progress {
            bar,
            quiet,
            classifies,
            held_out,
            epochs,
            started,
            drawn,
            steps: 0,
            steps_left: 0,
        }
    }

    /// The names of the columns of the lines that stay.
    pub fn begin(&self) {
        let cells = self.cells(|column| column.name.clone());
        self.print(&cells);
    }

    /// An epoch of so many steps begins, or goes on; with it, so many steps of the run are left.
    pub fn begin_epoch(&mut self, run: &Run, steps: usize, steps_left: usize) {
        self.steps_left = steps_left;
        if self.quiet {
            return;
        }
        self.bar = ProgressBar::new(steps as u64);
        let style = ProgressStyle::with_template("{prefix} {bar:10} {pos}/{len}  {wide_msg}");
        self.bar.set_style(style.expect("a sound template").progress_chars("━╸─"));
        self.bar.set_prefix(format!("epoch {}/{}", run.epoch + 1, self.epochs));
        self.bar.set_position(run.step as u64);
    }

    /// A step was made.
    pub fn step(&mut self, run: &Run) {
        self.steps += 1;
        self.steps_left = self.steps_left.saturating_sub(1);
        if self.bar.is_hidden() || self.drawn.elapsed() < EVERY {
            return;
        }
        self.drawn = Instant::now();
        let Score { loss, accuracy } = run.sums.score();
        let accuracy = accuracy.map_or(String::new(), |x| format!("  accuracy {}", percent(x)));
        let speed = run.sums.examples / run.sums.seconds;
        let pace = self.started.elapsed().as_secs_f64() / self.steps as f64;
        let left = clock(pace * self.steps_left as f64);
        self.bar.set_position(run.step as u64);
        self.bar.set_message(format!("loss {loss:.4}{accuracy}  {speed:.0}/s  {left} left"));
    }

    /// The line of an epoch.
    pub fn end_epoch(&self, number: u64, epoch: &EpochRecord) {
        self.bar.finish_and_clear();
        let cells = self.cells(|column| (column.cell)(number, epoch));
        self.print(&cells);
    }

    /// Which epoch's weights the model keeps.
    pub fn kept(&self, history: &History, criterion: Criterion) {
        self.print(&self.kept_line(history, criterion));
    }

    fn kept_line(&self, history: &History, criterion: Criterion) -> String {
        let name = self.held_out.as_deref().unwrap_or("valid");
        let what = match criterion {
            Criterion::Loss => "loss",
            Criterion::Accuracy => "accuracy",
        };
        let all = history.epochs.len();
        let best = history.best.and_then(|i| Some((i + 1, history.epochs.get(i)?.validation?)));
        let Some((number, score)) = best else {
            return format!(
                "kept the weights of the last epoch: no epoch has a finite {name} {what}"
            );
        };
        let value = match criterion {
            Criterion::Loss => format!("{:.4}", score.loss),
            Criterion::Accuracy => or_dash(Some(score)),
        };
        format!("kept the weights of epoch {number} of {all}: the best {name} {what}, {value}")
    }

    fn cells(&self, text: impl Fn(&Column) -> String) -> String {
        let columns = columns(self.classifies, self.held_out.as_deref());
        let cell = |column: &Column| {
            let (text, width) = (text(column), column.name.chars().count().max(column.width));
            format!("{text:>width$}")
        };
        columns.iter().map(cell).collect::<Vec<_>>().join("  ")
    }

    fn print(&self, line: &str) {
        if !self.quiet {
            // Whoever closed the other end does not want to know.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

/// The moving line goes also when the run ends early.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

struct Column {
    name: String,
    width: usize,
    cell: fn(u64, &EpochRecord) -> String,
}

fn columns(classifies: bool, held_out: Option<&str>) -> Vec<Column> {
    let column = |name: &str, width, cell| Column { name: name.into(), width, cell };
    let mut all = vec![column("epoch", 5, |number, _| number.to_string())];
    all.push(column("train loss", 10, |_, epoch| format!("{:.4}", epoch.train.loss)));
    if classifies {
        all.push(column("accuracy", 8, |_, epoch| or_dash(Some(epoch.train))));
    }
    if let Some(name) = held_out {
        all.push(column(&format!("{name} loss"), 10, |_, epoch| {
            epoch.validation.map_or("-".into(), |score| format!("{:.4}", score.loss))
        }));
        if classifies {
            all.push(column("accuracy", 8, |_, epoch| or_dash(epoch.validation)));
        }
    }
    all.push(column("lr", 8, |_, epoch| format!("{:.2e}", epoch.learning_rate)));
    all.push(column("time", 8, |_, epoch| format!("{:.2}s", epoch.seconds)));
    all.push(column("examples/s", 10, |_, epoch| format!("{:.0}", epoch.speed())));
    all
}

fn or_dash(score: Option<Score>) -> String {
    score.and_then(|score| score.accuracy).map_or("-".into(), percent)
}

fn percent(x: f64) -> String {
    format!("{:.2}%", 100.0 * x)
}

/// 75 as 1:15.
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

    #[test]
    fn times() {
        assert_eq!(
            [0.4, 75.0, 3600.0, 36_061.0].map(clock),
            ["0:00", "1:15", "1:00:00", "10:01:01"]
        );
    }

    #[test]
    fn which_epoch_was_kept() {
        let epoch = |loss, accuracy| EpochRecord {
            train: Score { loss: 1.0, accuracy: Some(0.5) },
            validation: Some(Score { loss, accuracy: Some(accuracy) }),
            learning_rate: 0.05,
            seconds: 2.0,
            examples: 50_000,
        };
        let epochs = vec![epoch(0.5, 0.25), epoch(0.125, 0.75), epoch(0.25, 0.75)];
        let mut history = History { epochs, best: Some(1), ..History::default() };
        let progress = Progress::new(true, true, Some("test"), 3);
        assert_eq!(
            progress.kept_line(&history, Criterion::Accuracy),
            "kept the weights of epoch 2 of 3: the best test accuracy, 75.00%"
        );
        assert_eq!(
            progress.kept_line(&history, Criterion::Loss),
            "kept the weights of epoch 2 of 3: the best test loss, 0.1250"
        );
        history.best = None;
        assert_eq!(
            progress.kept_line(&history, Criterion::Loss),
            "kept the weights of the last epoch: no epoch has a finite test loss"
        );
    }

    #[test]
    fn cells_stand_under_their_names() {
        let epoch = EpochRecord {
            train: Score { loss: 0.25, accuracy: Some(0.5) },
            validation: Some(Score { loss: 12.0, accuracy: Some(1.0) }),
            learning_rate: 0.05,
            seconds: 2.0,
            examples: 50_000,
        };
        let progress = Progress::new(true, true, Some("validation"), 3);
        assert_eq!(
            progress.cells(|column| column.name.clone()),
            "epoch  train loss  accuracy  validation loss  accuracy        lr      time  examples/s"
        );
        assert_eq!(
            progress.cells(|column| (column.cell)(3, &epoch)),
            "    3      0.2500    50.00%          12.0000   100.00%   5.00e-2     2.00s       25000"
        );
        let plain = Progress::new(true, false, None, 3);
        assert_eq!(
            plain.cells(|column| (column.cell)(3, &epoch)),
            "    3      0.2500   5.00e-2     2.00s       25000"
        );
    }
}
