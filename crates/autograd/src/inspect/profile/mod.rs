//! The executed kernels of a run, the nodes that they computed, and their times.

mod recorder;
mod table;
mod trace;

pub(in crate::inspect) use recorder::Recorder;

use crate::graph::Tape;
use std::collections::HashMap;
use std::time::Duration;
use wengert_tensor::{Float, Instant};

/// The kernels that a tape has executed. [`Tape::profile`] returns it. It is plain data and outlives the
/// tape.
///
/// Its `Display` prints a table of operations and a table of scopes, the most expensive first.
/// [`to_trace_json`](Profile::to_trace_json) shows the run over time.
#[derive(Clone, Debug)]
pub struct Profile {
    rows: Vec<ProfileRow>,
    /// The start of the times of the rows.
    origin: Instant,
    /// The time that the profile itself took between the first and the last kernel.
    own: Duration,
}

/// An executed kernel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProfileRow {
    /// The nodes that the kernel computed, in ascending order. There are several if pointwise operations
    /// were fused, or if the operation has several outputs. There is none if the kernel [added
    /// cotangents](ProfileRow::accumulates). Nodes that [`backward`](crate::Var::backward) puts on the
    /// tape are removed again, and later nodes get their ids.
    pub nodes: Vec<usize>,
    /// The operations of the nodes, in order. An operation with several outputs occurs once. For an
    /// addition of cotangents: `add`.
    pub ops: Vec<String>,
    /// The scope in which the last of these nodes was recorded, such as `blocks.3.fc1`. For kernels of a
    /// derivative rule: the scope of the forward node.
    pub scope: String,
    /// The forward node whose derivative rule recorded this kernel; `None` in a forward pass.
    pub charged_to: Option<Charged>,
    /// The start time, counted from the moment when the tape was made.
    pub start: Duration,
    /// The duration.
    pub time: Duration,
    /// The bytes of its operands: number of elements times their size. A broadcast operand counts as
    /// often as it is read. 0 for a view, which shares the memory of its operand.
    pub read: u64,
    /// The bytes of its results; 0 for a view.
    pub written: u64,
    /// Whether it computed values again that had been released.
    pub again: bool,
    /// Whether it added a cotangent in place to the cotangent that a node had from other rules.
    pub accumulates: bool,
}

/// The forward node to which a kernel of the backward pass is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charged {
    /// The id of the node.
    pub node: usize,
    /// The operation of the node.
    pub op: String,
}

/// The total cost of some kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// The number of kernels.
    pub calls: usize,
    /// The total time.
    pub time: Duration,
    /// The bytes read.
    pub read: u64,
    /// The bytes written.
    pub written: u64,
}

/// A line of [`Profile::by_op`] or [`Profile::by_scope`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProfileLine {
    /// The operation or scope. Fused operations are joined by spaces, in program order.
    pub name: String,
    /// The kernels of forward passes.
    pub forward: Cost,
    /// The kernels that derivative rules recorded.
    pub backward: Cost,
    /// The share of the time of all kernels, from 0 to 1.
    pub share: f64,
}

impl Cost {
    fn count(&mut self, row: &ProfileRow) {
        self.calls += 1;
        self.time += row.time;
        self.read += row.read;
        self.written += row.written;
    }
}

impl std::ops::Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost {
            calls: self.calls + other.calls,
            time: self.time + other.time,
            read: self.read + other.read,
            written: self.written + other.written,
        }
    }
}

impl ProfileLine {
    /// Returns the sum of forward and backward.
    pub fn both(&self) -> Cost {
        self.forward + self.backward
    }
}

impl ProfileRow {
    /// Returns the name of the line in [`Profile::by_op`] to which the kernel belongs. For a forward
    /// kernel these are its operations, for a backward kernel it is the operation to which it is
    /// charged.
    pub fn op(&self) -> String {
        match &self.charged_to {
            Some(charged) => charged.op.clone(),
            None => self.ops.join(" "),
        }
    }

    fn end(&self) -> Duration {
        self.start + self.time
    }
}

impl<T: Float> Tape<T> {
    /// Makes the tape record each kernel that it executes. [`profile`](Tape::profile) returns them.
    ///
    /// Values and the fusion of operations do not change. Recording a kernel takes about a microsecond,
    /// which is not counted as its time. Tapes without a profile have no additional cost.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new().profiled();
    /// let x = tape.watch(Tensor::<f32>::ones(&[16, 16]));
    /// let y = tape.scope("square", || x.matmul(x).tanh());
    /// y.sum_all().backward();
    /// let profile = tape.profile();
    /// let lines = profile.by_op();
    /// let product = lines.iter().find(|line| line.name == "matmul").unwrap();
    /// assert_eq!((product.forward.calls, product.forward.written), (1, 16 * 16 * 4));
    /// assert_eq!(profile.rows()[0].scope, "square");
    /// println!("{profile}");
    /// ```
    #[must_use]
    pub fn profiled(mut self) -> Self {
        self.inspected().recorder = Some(Recorder::new().into());
        self
    }

    /// Returns the kernels that this tape has executed so far, in order.
    ///
    /// Pending operations have executed no kernel: [`value`](crate::Var::value) computes them.
    ///
    /// # Panics
    /// If the tape is not [`profiled`](Tape::profiled).
    #[track_caller]
    pub fn profile(&self) -> Profile {
        let inspection = self.inspection();
        let Some(recorder) = inspection.and_then(|inspection| inspection.recorder.as_ref()) else {
            self.fail(
                "profile: this tape records no kernels: create the tape with profiled(), as in \
                 Tape::new().profiled()"
                    .into(),
            )
        };
        let recorder = recorder.borrow();
        let (rows, origin, own) = (recorder.rows.clone(), recorder.origin, recorder.own);
        Profile { rows, origin, own }
    }
}

impl Profile {
    /// Returns the kernels, in the order in which they ran.
    pub fn rows(&self) -> &[ProfileRow] {
        &self.rows
    }

    /// Returns the total cost of all kernels.
    pub fn total(&self) -> Cost {
        let mut total = Cost::default();
        self.rows.iter().for_each(|row| total.count(row));
        total
    }

    /// Returns the time from the start of the first kernel to the end of the last, without the time of
    /// the profile itself. The time between kernels is spent by the program and by the tape.
    pub fn wall(&self) -> Duration {
        let start = self.rows.iter().map(|row| row.start).min();
        let end = self.rows.iter().map(ProfileRow::end).max();
        let wall = start.zip(end).map(|(start, end)| end.saturating_sub(start)).unwrap_or_default();
        wall.saturating_sub(self.own).max(self.total().time)
    }

    /// Returns the share of [`wall`](Profile::wall) in which kernels ran, from 0 to 1. It is 1 for an
    /// empty profile.
    pub fn coverage(&self) -> f64 {
        let wall = self.wall();
        if wall.is_zero() { 1.0 } else { self.total().time.as_secs_f64() / wall.as_secs_f64() }
    }

    /// Returns the cost per operation, the longest time first. Backward kernels count for the forward
    /// operation whose rule recorded them, whatever they compute: for example, the backward kernels of a
    /// matrix product are matrix products as well.
    ///
    /// Pointwise operations that ran in one kernel share one line, such as `add relu`. In the backward
    /// pass each of them has its own line.
    pub fn by_op(&self) -> Vec<ProfileLine> {
        self.lines(ProfileRow::op)
    }

    /// Returns the cost per scope, the longest time first. The cost of a scope excludes the scopes
    /// inside it, so the lines add up to the total. The scope without a name holds the kernels outside
    /// all scopes.
    pub fn by_scope(&self) -> Vec<ProfileLine> {
        self.lines(|row| row.scope.clone())
    }

    fn lines(&self, name: impl Fn(&ProfileRow) -> String) -> Vec<ProfileLine> {
        let total = self.total().time.as_secs_f64();
        let mut lines: Vec<ProfileLine> = Vec::new();
        let mut places = HashMap::new();
        for row in &self.rows {
            let name = name(row);
            let place = *places.entry(name.clone()).or_insert(lines.len());
            if place == lines.len() {
                let (forward, backward) = Default::default();
                lines.push(ProfileLine { name, forward, backward, share: 0.0 });
            }
            let line = &mut lines[place];
            if row.charged_to.is_some() { &mut line.backward } else { &mut line.forward }
                .count(row);
        }
        for line in &mut lines {
            let time = line.both().time.as_secs_f64();
            line.share = if total > 0.0 { time / total } else { 0.0 };
        }
        lines.sort_by_key(|line| std::cmp::Reverse(line.both().time));
        lines
    }

    /// Appends the kernels of another run, for example to profile all steps of an epoch. The ids of
    /// nodes remain those of each run's own tape.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let step = || {
    ///     let tape = Tape::new().profiled();
    ///     tape.watch(Tensor::<f32>::ones(&[64])).square().sum_all().backward();
    ///     tape.profile()
    /// };
    /// let (mut all, kernels) = (step(), step().rows().len());
    /// all.append(&step());
    /// assert_eq!(all.total().calls, 2 * kernels);
    /// ```
    pub fn append(&mut self, other: &Profile) {
        if let Some(earlier) = self.origin.checked_duration_since(other.origin) {
            self.rows.iter_mut().for_each(|row| row.start += earlier);
            self.origin = other.origin;
        }
        let later = other.origin.saturating_duration_since(self.origin);
        let moved = |row: &ProfileRow| ProfileRow { start: row.start + later, ..row.clone() };
        self.rows.extend(other.rows.iter().map(moved));
        self.rows.sort_by_key(|row| row.start);
        self.own += other.own;
    }
}
