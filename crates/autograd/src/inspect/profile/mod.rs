//! Which kernels a run has executed, what they computed, and how long they took.

mod table;
mod trace;

use crate::graph::{RELEASED, Ran, Tape};
use crate::inspect::observer::Inspection;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use wengert_tensor::{Float, Tensor};

/// The kernels that a tape has executed: what [`Tape::profile`] returns. Plain data that outlives the tape.
///
/// Its `Display` is a table of the operations and one of the scopes, the most expensive first.
/// [`to_trace_json`](Profile::to_trace_json) draws the run over time.
#[derive(Clone, Debug)]
pub struct Profile {
    rows: Vec<ProfileRow>,
    /// The moment from which the rows count.
    origin: Instant,
    /// The time that the profile itself took between the first kernel and the last.
    own: Duration,
}

/// An executed kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileRow {
    /// The nodes that it computed, in ascending order: several if pointwise operations were fused, or the
    /// operation has several outputs; none if it [added cotangents](ProfileRow::accumulates). Nodes that
    /// [`backward`](crate::Var::backward) puts on the tape go again, and later ones get their ids.
    pub nodes: Vec<usize>,
    /// The operations of the nodes, in order, each output's once. For an addition of cotangents: `add`.
    pub ops: Vec<String>,
    /// The scope of the last of them, such as `blocks.3.fc1`: where it was recorded. For kernels of a
    /// derivative rule that of the forward node.
    pub scope: String,
    /// The forward node whose derivative rule has written this kernel; `None` in a forward pass.
    pub charged_to: Option<Charged>,
    /// When it started, counted from the moment when the tape was made.
    pub start: Duration,
    /// How long it took.
    pub time: Duration,
    /// The bytes of its operands: number of elements times their size, those of a broadcast operand as often
    /// as they are read. 0 for a view, which shares the memory of its operand.
    pub read: u64,
    /// The bytes of its results; 0 for a view.
    pub written: u64,
    /// Whether it computed values again that had been released.
    pub again: bool,
    /// Whether it added a cotangent to what a node had got from other rules, in place.
    pub accumulates: bool,
}

/// The forward node that a kernel of a walk back is charged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// Its id.
    pub node: usize,
    /// Its operation.
    pub op: String,
}

/// What some kernels cost together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many kernels there were.
    pub calls: usize,
    /// How long they took.
    pub time: Duration,
    /// How many bytes they read.
    pub read: u64,
    /// How many bytes they wrote.
    pub written: u64,
}

/// A line of [`Profile::by_op`] or [`Profile::by_scope`].
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileLine {
    /// The operation or scope. Fused operations are joined by spaces, in the order of the program.
    pub name: String,
    /// The kernels of forward passes.
    pub forward: Cost,
    /// The kernels that derivative rules wrote.
    pub backward: Cost,
    /// Its part of the time of all kernels, from 0 to 1.
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
    /// Forward and backward together.
    pub fn both(&self) -> Cost {
        self.forward + self.backward
    }
}

impl ProfileRow {
    /// The name that [`Profile::by_op`] knows it by: of a forward kernel its operations, of a backward
    /// kernel the operation that it is charged to.
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
    /// The same tape, which notes each kernel that it executes: [`profile`](Tape::profile) shows them.
    ///
    /// The numbers, and which operations are fused, stay as they are. Noting a kernel takes about a
    /// microsecond, which is not counted as its time. Tapes that are not profiled pay nothing.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::Tensor;
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

    /// The kernels that this tape has executed so far, in order.
    ///
    /// Pending operations have executed none: [`value`](crate::Var::value) computes them.
    ///
    /// # Panics
    /// If the tape is not [`profiled`](Tape::profiled).
    #[track_caller]
    pub fn profile(&self) -> Profile {
        let inspection = self.inspection();
        let Some(recorder) = inspection.and_then(|inspection| inspection.recorder.as_ref()) else {
            self.fail(
                "profile: this tape notes no kernels: make it with profiled(), as in \
                 Tape::new().profiled()"
                    .into(),
            )
        };
        let recorder = recorder.borrow();
        let (rows, origin, own) = (recorder.rows.clone(), recorder.origin, recorder.own);
        Profile { rows, origin, own }
    }
}

/// What a tape notes while it runs.
pub(crate) struct Recorder {
    rows: Vec<ProfileRow>,
    origin: Instant,
    own: Duration,
}

impl Recorder {
    fn new() -> Self {
        Recorder { rows: Vec::new(), origin: Instant::now(), own: Duration::ZERO }
    }

    /// Notes a kernel that has run.
    pub fn kernel<T: Float>(&mut self, tape: &Tape<T>, observer: &Inspection, ran: &Ran<'_, T>) {
        let arena = tape.arena.borrow();
        let outputs = if ran.values.is_empty() {
            0
        } else {
            ran.values.len() + usize::from(ran.whole.is_some())
        };
        let nodes = arena.computed_with(ran.id, ran.first, outputs as u32);
        let firsts = nodes.iter().filter(|&&id| arena.first_output(id) == id || id == ran.first);
        let ops = firsts.map(|&id| arena.op_name(id)).collect();
        let bytes = |elements: usize, size: usize| elements as u64 * size as u64;
        let all =
            |x: &[Tensor<T>]| -> u64 { x.iter().map(|x| bytes(x.numel(), size_of::<T>())).sum() };
        let indices =
            arena.parents(ran.first).iter().filter(|&&p| arena.place_of_whole(p).is_some());
        let indices: usize = indices.map(|&p| arena.shape(p).numel()).sum();
        let mut read = all(ran.inputs) + bytes(indices, size_of::<i64>());
        let mut written =
            all(ran.values) + ran.whole.map_or(0, |whole| bytes(whole.numel(), size_of::<i64>()));
        if let [y] = ran.values
            && ran.inputs.iter().any(|x| x.storage_id() == y.storage_id())
        {
            (read, written) = (0, 0);
        }
        let last = ran.id;
        let charged_to = observer.note_of(last).rule_of();
        let row = ProfileRow {
            ops,
            scope: observer.path_of(last),
            charged_to: charged_to
                .map(|node| Charged { node: node as usize, op: arena.op_name(node) }),
            start: ran.begun - self.origin,
            time: ran.ended - ran.begun,
            read,
            written,
            again: nodes.iter().any(|&id| arena.nodes[id as usize].has(RELEASED)),
            accumulates: false,
            nodes: nodes.into_iter().map(|id| id as usize).collect(),
        };
        self.push(row, ran.ended);
    }

    /// Notes a cotangent that was added in place: two numbers are read for each that is written.
    pub fn addition<T: Float>(
        &mut self,
        tape: &Tape<T>,
        observer: &Inspection,
        to: u32,
        begun: Instant,
        bytes: u64,
    ) {
        let ended = Instant::now();
        let node = observer.current_rule().unwrap_or(to);
        let op = tape.arena.borrow().op_name(node);
        let row = ProfileRow {
            nodes: vec![],
            ops: vec!["add".into()],
            scope: observer.path_of(node),
            charged_to: Some(Charged { node: node as usize, op }),
            start: begun - self.origin,
            time: ended - begun,
            read: 2 * bytes,
            written: bytes,
            again: false,
            accumulates: true,
        };
        self.push(row, ended);
    }

    fn push(&mut self, row: ProfileRow, ended: Instant) {
        self.rows.push(row);
        self.own += ended.elapsed();
    }
}

impl Profile {
    /// The kernels, in the order in which they ran.
    pub fn rows(&self) -> &[ProfileRow] {
        &self.rows
    }

    /// What all kernels cost together.
    pub fn total(&self) -> Cost {
        let mut total = Cost::default();
        self.rows.iter().for_each(|row| total.count(row));
        total
    }

    /// The time from the start of the first kernel to the end of the last, without that which the profile
    /// itself took. What is between the kernels is the program's own code and that of the tape.
    pub fn wall(&self) -> Duration {
        let start = self.rows.iter().map(|row| row.start).min();
        let end = self.rows.iter().map(ProfileRow::end).max();
        let wall = start.zip(end).map(|(start, end)| end.saturating_sub(start)).unwrap_or_default();
        wall.saturating_sub(self.own).max(self.total().time)
    }

    /// The part of [`wall`](Profile::wall) in which kernels ran, from 0 to 1: 1 for an empty profile.
    pub fn coverage(&self) -> f64 {
        let wall = self.wall();
        if wall.is_zero() { 1.0 } else { self.total().time.as_secs_f64() / wall.as_secs_f64() }
    }

    /// The costs per operation, the greatest time first. Backward kernels count for the forward operation
    /// whose rule wrote them, whatever they compute: those of a product are products, too.
    ///
    /// Pointwise operations that ran in one kernel are one line, such as `add relu`; each has its own line
    /// for the backward pass.
    pub fn by_op(&self) -> Vec<ProfileLine> {
        self.lines(ProfileRow::op)
    }

    /// The costs per scope, the greatest time first. A scope does not count what ran in the scopes within
    /// it, so that the lines add up to the total. The scope without a name is what ran outside of all.
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

    /// Adds the kernels of another run: so that a profile shows the steps of an epoch. The ids of nodes are
    /// those of each run's own tape.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::Tensor;
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
