//! Prints the profile as a table.

use super::{Cost, Profile, ProfileLine};
use std::fmt;
use std::time::Duration;

/// The width of a name in characters.
const NAME: usize = 34;
/// The maximal number of lines. More lines would hide the important ones.
const LINES: usize = 24;

impl fmt::Display for Profile {
    /// Prints a table per operation and one per scope, at most 100 columns wide.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { calls, time, read, written } = self.total();
        writeln!(
            f,
            "{calls} kernels in {}, {:.0} % of {}; {} read, {} written",
            PrintedTime(time),
            100.0 * self.coverage(),
            PrintedTime(self.wall()),
            Bytes(read),
            Bytes(written)
        )?;
        table(f, "operation", &self.by_op())?;
        let scopes = self.by_scope();
        if scopes.iter().any(|line| !line.name.is_empty()) {
            table(f, "scope", &scopes)?;
        }
        Ok(())
    }
}

fn table(f: &mut fmt::Formatter<'_>, what: &str, lines: &[ProfileLine]) -> fmt::Result {
    writeln!(f)?;
    writeln!(f, "{:NAME$} {:>17} {:>17} {:>17}", "", "forward", "backward", "together")?;
    writeln!(
        f,
        "{what:NAME$} {:>6} {:>10} {:>6} {:>10} {:>10} {:>6} {:>9}",
        "calls", "time", "calls", "time", "time", "share", "bytes"
    )?;
    let (shown, rest) = lines.split_at(lines.len().min(LINES));
    for line in shown {
        row(f, &shortened(&line.name), line)?;
    }
    if !rest.is_empty() {
        let mut sum = ProfileLine {
            name: String::new(),
            forward: Cost::default(),
            backward: Cost::default(),
            share: 0.0,
        };
        for line in rest {
            sum.forward = sum.forward + line.forward;
            sum.backward = sum.backward + line.backward;
            sum.share += line.share;
        }
        row(f, &format!("({} more)", rest.len()), &sum)?;
    }
    Ok(())
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, line: &ProfileLine) -> fmt::Result {
    let pair = |cost: Cost| match cost.calls {
        0 => (String::new(), String::new()),
        n => (n.to_string(), PrintedTime(cost.time).to_string()),
    };
    let (forward, backward, both) = (pair(line.forward), pair(line.backward), line.both());
    writeln!(
        f,
        "{name:NAME$} {:>6} {:>10} {:>6} {:>10} {:>10} {:>5.1}% {:>9}",
        forward.0,
        forward.1,
        backward.0,
        backward.1,
        PrintedTime(both.time).to_string(),
        100.0 * line.share,
        Bytes(both.read + both.written).to_string()
    )
}

/// Returns a name that fits the column. A long name keeps its beginning and its end.
fn shortened(name: &str) -> String {
    if name.is_empty() {
        return "(outside of all scopes)".into();
    }
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= NAME {
        return name.into();
    }
    let (begin, end) = (NAME / 2 - 1, NAME / 2);
    letters[..begin].iter().chain(&['…']).chain(&letters[letters.len() - end..]).collect()
}

/// Prints a time with about three digits.
struct PrintedTime(Duration);
impl fmt::Display for PrintedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (number, unit) = match seconds {
            s if s >= 1.0 => (s, "s"),
            s if s >= 1e-3 => (1e3 * s, "ms"),
            s => (1e6 * s, "µs"),
        };
        write!(f, "{number:.1} {unit}")
    }
}

/// Prints a number of bytes with about three digits. 1 kB is 1000 bytes.
struct Bytes(u64);
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_000 => write!(f, "{} B", self.0),
            1_000..1_000_000 => write!(f, "{:.1} kB", bytes / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", bytes / 1e6),
            _ => write!(f, "{:.1} GB", bytes / 1e9),
        }
    }
}
