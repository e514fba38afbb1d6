//! The profile over time, in Chrome's trace event format, which Perfetto also reads.

use super::{Profile, ProfileRow};
use crate::inspect::json::Quoted;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use wengert_tensor::{FileError, FileProblem, write_atomically};

/// A bar in the trace.
struct Bar {
    name: String,
    category: &'static str,
    start: Duration,
    end: Duration,
    /// The details of the selected bar: names, and values in JSON.
    details: Vec<(&'static str, String)>,
}

impl Profile {
    /// Returns the run over time as a trace: JSON in the trace event format, which `chrome://tracing`
    /// and <https://ui.perfetto.dev> open. Each kernel is a complete event (`"ph": "X"`, times in
    /// microseconds) with its nodes, operations and bytes in `args`. It is nested in the bars of its
    /// scopes, and these in a bar `forward` or `backward`. Kernels of derivative rules are in the scopes
    /// of the forward nodes to which they are charged.
    ///
    /// Format: "Trace Event Format", Google, 2016.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new().profiled();
    /// tape.watch(Tensor::<f32>::ones(&[64])).sin().value();
    /// assert!(tape.profile().to_trace_json().contains("\"name\":\"sin\""));
    /// ```
    pub fn to_trace_json(&self) -> String {
        let mut json = String::from("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
        json.push_str(
            "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"tid\":1,\"args\":{\"name\":\"tape\"}}",
        );
        for bar in self.bars() {
            json.push_str(",\n");
            bar.write(&mut json);
        }
        json.push_str("\n]}\n");
        json
    }

    /// Writes the trace of [`to_trace_json`](Profile::to_trace_json) to a file. The write is atomic:
    /// other processes see the whole new file or the previous one.
    ///
    /// # Errors
    /// If the system cannot write the file.
    pub fn write_chrome_trace(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let (path, json) = (path.as_ref(), self.to_trace_json());
        write_atomically(path, |file| file.write_all(json.as_bytes()))
            .map_err(|error| FileProblem::Io(error).at(path))
    }

    /// Returns the bars, each before the bars nested in it.
    fn bars(&self) -> Vec<Bar> {
        let mut bars: Vec<Bar> = Vec::new();
        // The bars that contain the last kernel, outer bars first.
        let mut open: Vec<usize> = Vec::new();
        for row in &self.rows {
            let direction = if row.charged_to.is_some() { "backward" } else { "forward" };
            let scopes = row.scope.split('.').filter(|name| !name.is_empty());
            let around: Vec<&str> = std::iter::once(direction).chain(scopes).collect();
            let same =
                open.iter().zip(&around).take_while(|&(&bar, &name)| bars[bar].name == *name);
            open.truncate(same.count());
            for &name in &around[open.len()..] {
                let category = if open.is_empty() { "pass" } else { "scope" };
                open.push(bars.len());
                let (name, details) = (name.to_string(), vec![]);
                bars.push(Bar { name, category, start: row.start, end: row.end(), details });
            }
            for &bar in &open {
                bars[bar].end = row.end();
            }
            bars.push(Bar::of(row, direction));
        }
        bars
    }
}

impl Bar {
    fn of(row: &ProfileRow, category: &'static str) -> Bar {
        let list = |items: Vec<String>| format!("[{}]", items.join(","));
        let mut details = vec![
            ("ops", list(row.ops.iter().map(|op| Quoted(op).to_string()).collect())),
            ("nodes", list(row.nodes.iter().map(usize::to_string).collect())),
            ("scope", Quoted(&row.scope).to_string()),
            ("read_bytes", row.read.to_string()),
            ("written_bytes", row.written.to_string()),
        ];
        if let Some(charged) = &row.charged_to {
            details.push(("charged_to_op", Quoted(&charged.op).to_string()));
            details.push(("charged_to_node", charged.node.to_string()));
        }
        if row.again {
            details.push(("again", "true".into()));
        }
        let name = match &row.charged_to {
            Some(charged) if row.accumulates => format!("{}: add cotangents", charged.op),
            Some(charged) => format!("{}: {}", charged.op, row.ops.join(" ")),
            None => row.ops.join(" "),
        };
        Bar { name, category, start: row.start, end: row.end(), details }
    }

    fn write(&self, json: &mut String) {
        let [start, end] = [self.start, self.end].map(|time| time.as_nanos());
        let duration = end - start;
        let _ = write!(
            json,
            "{{\"name\":{},\"cat\":\"{}\",\"ph\":\"X\",\"ts\":{}.{:03},\"dur\":{}.{:03},\"pid\":1,\
             \"tid\":1,\"args\":{{",
            Quoted(&self.name),
            self.category,
            start / 1000,
            start % 1000,
            duration / 1000,
            duration % 1000
        );
        for (i, (name, value)) in self.details.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(json, "{comma}\"{name}\":{value}");
        }
        json.push_str("}}");
    }
}
