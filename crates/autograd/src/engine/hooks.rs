//! Functions that see cotangents during the backward pass, and may replace them.

use crate::graph::{ACTIVE, NodeSet, Tape, Var};
use smallvec::SmallVec;
use std::cell::Cell;
use wengert_tensor::{Float, Tensor};

/// Describes the cotangent that a hook is called with.
#[non_exhaustive]
pub struct HookSite<'t, T: Float = f32> {
    /// The variable to which the cotangent belongs.
    pub variable: Var<'t, T>,
    /// The path of the scope with the hook; empty for a hook on a variable.
    pub scope: String,
    /// The number of the scope's run, counted from 0 in the order of the forward pass.
    pub call: usize,
    /// The number of the scope's result, counted from 0.
    pub result: usize,
}

type HookFunction<'h, 't, T> =
    Box<dyn for<'a> FnMut(Var<'a, T>, &'a HookSite<'t, T>) -> Option<Var<'a, T>> + 'h>;

struct Hook<'h, 't, T: Float> {
    sites: Vec<HookSite<'t, T>>,
    function: HookFunction<'h, 't, T>,
}

impl<T: Float> Hook<'_, '_, T> {
    fn describe(&self) -> String {
        match &*self.sites {
            [site] if site.scope.is_empty() => {
                format!("the variable of shape {}", site.variable.shape())
            }
            sites => {
                let scope = sites.first().map_or("", |site| &*site.scope);
                format!("any result of the scope `{scope}`")
            }
        }
    }
}

/// A value with hooks: functions that are called while its gradients are computed. [`Var::hooks`]
/// returns it. [`backward`](Hooks::backward), [`grad`](Hooks::grad) and their variants compute the
/// gradients.
///
/// A hook belongs to a variable or to the results of a scope. It is called once for the variable, or once
/// for each result. Its arguments are the complete cotangent ∂loss/∂variable (summed over all uses of the
/// variable) and its [place](HookSite).
/// A replacing hook returns the cotangent that the backward pass continues with. The rules of the
/// operations before the variable get the replaced cotangent, and so does a requested gradient with
/// respect to the variable itself. Any variable may have hooks: a parameter, a watched variable, a
/// computed variable, each output of an operation with several outputs.
///
/// Several hooks on one variable are called in the order in which they were added. Each hook gets the
/// cotangent that the previous hook returned. Variables are reached in the reverse order of the forward
/// pass.
///
/// The argument of a replacing hook is a variable. Under [`grad`](Hooks::grad) the result of the hook
/// can be differentiated again, also with respect to other variables that the hook uses. Under
/// [`backward`](Hooks::backward) the argument exists only while the hook runs, and a hook that stores it
/// does not compile. A hook must not draw random numbers from the tape or call `backward`. A hook of
/// `backward` must not call `grad` either, because `backward` records no history.
///
/// The example shows gradient reversal (Y. Ganin and V. Lempitsky, "Unsupervised domain adaptation by
/// backpropagation", 2015), and the largest cotangent of a layer:
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([0.5f64, 2.0]));
/// let features = tape.scope("body", || x.square());
/// let loss = features.sum_all();
/// let mut largest: f64 = 0.0;
/// let gradients = loss
///     .hooks()
///     .see_scope("body", |g, _| largest = largest.max(g.abs().max(&[0], false).item()))
///     .replace(features, |g, _| -0.1 * g)
///     .backward();
/// assert_eq!(gradients.wrt(x).unwrap().to_vec(), [-0.1, -0.4]);
/// assert_eq!(largest, 1.0);
/// ```
///
/// A hook may use other variables, but must not store its own:
///
/// ```compile_fail,E0521
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([0.5f64, 2.0]));
/// let mut kept = None;
/// x.sum_all().hooks().replace(x, |g, _| *kept.insert(g)).backward();
/// ```
#[must_use = "hooks are called by backward() or grad()"]
pub struct Hooks<'h, 't, T: Float = f32> {
    pub(super) value: Var<'t, T>,
    list: Vec<Hook<'h, 't, T>>,
    allow_unreached: bool,
}

impl<'t, T: Float> Var<'t, T> {
    /// Returns this value with an empty list of hooks: functions that see or replace cotangents.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([3.0f32, 100.0]));
    /// let y = x.square();
    /// let loss = y.square().sum_all();
    /// // The cotangent of y is 2·y. It is clipped.
    /// let gradients = loss.hooks().replace(y, |g, _| g.clamp(-50.0, 50.0)).backward();
    /// assert_eq!(gradients.wrt(x).unwrap().to_vec(), [18.0 * 6.0, 50.0 * 200.0]);
    /// ```
    pub fn hooks<'h>(self) -> Hooks<'h, 't, T> {
        Hooks { value: self, list: Vec::new(), allow_unreached: false }
    }
}

impl<'h, 't, T: Float> Hooks<'h, 't, T> {
    /// Calls `see` with the cotangent of a variable, as a tensor.
    ///
    /// # Panics
    /// If the variable is on another tape.
    #[track_caller]
    pub fn see(
        self,
        x: Var<'t, T>,
        mut see: impl FnMut(&Tensor<T>, &HookSite<'t, T>) + 'h,
    ) -> Self {
        self.on(x, Box::new(move |g, site| shown(g, site, &mut see)))
    }

    /// Calls `replace` with the cotangent of a variable, and continues with its result: a variable of
    /// the same shape.
    ///
    /// # Panics
    /// If the variable is on another tape.
    #[track_caller]
    pub fn replace(
        self,
        x: Var<'t, T>,
        mut replace: impl for<'a> FnMut(Var<'a, T>, &'a HookSite<'t, T>) -> Var<'a, T> + 'h,
    ) -> Self {
        self.on(x, Box::new(move |g, site| Some(replace(g, site))))
    }

    /// Calls `see` with the cotangents of the results of a scope, as tensors. It is called for each result
    /// of each run of a scope with this path, such as `blocks.3.conv1`. A scope is a module that was
    /// entered, or a call of [`Tape::scope`] with this name. If a scope returned an input unchanged, the
    /// result is the input variable itself.
    ///
    /// # Panics
    /// If no finished scope with this path has computed a value.
    #[track_caller]
    pub fn see_scope(
        self,
        path: &str,
        mut see: impl FnMut(&Tensor<T>, &HookSite<'t, T>) + 'h,
    ) -> Self {
        self.on_scope(path, Box::new(move |g, site| shown(g, site, &mut see)))
    }

    /// Calls `replace` with the cotangents of the results of a scope, as [`see_scope`](Hooks::see_scope)
    /// does, and continues with its result.
    ///
    /// # Panics
    /// Under the conditions of [`see_scope`](Hooks::see_scope).
    #[track_caller]
    pub fn replace_scope(
        self,
        path: &str,
        mut replace: impl for<'a> FnMut(Var<'a, T>, &'a HookSite<'t, T>) -> Var<'a, T> + 'h,
    ) -> Self {
        self.on_scope(path, Box::new(move |g, site| Some(replace(g, site))))
    }

    /// Allows hooks on variables that the backward pass does not reach. By default such a hook is an
    /// error.
    pub fn allow_unreached(mut self) -> Self {
        self.allow_unreached = true;
        self
    }

    #[track_caller]
    fn on(mut self, x: Var<'t, T>, function: HookFunction<'h, 't, T>) -> Self {
        self.value.tape.same_tape("hooks", x.tape);
        let site = HookSite { variable: x, scope: String::new(), call: 0, result: 0 };
        self.list.push(Hook { sites: vec![site], function });
        self
    }

    #[track_caller]
    fn on_scope(mut self, path: &str, function: HookFunction<'h, 't, T>) -> Self {
        let tape = self.value.tape;
        let runs = tape.scopes.results_of(path);
        if runs.is_empty() {
            let mut known = tape.scopes.paths();
            let more = known.len().saturating_sub(12);
            known.truncate(12);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            tape.fail(format!(
                "hooks: no scope `{path}` has a result on this tape; the scopes with results are: \
                 {}{more}",
                if known.is_empty() { "none".into() } else { known.join(", ") },
            ))
        }
        let mut sites = Vec::new();
        for (call, results) in runs.into_iter().enumerate() {
            for (result, id) in results.into_iter().enumerate() {
                let variable = Var { tape, id };
                sites.push(HookSite { variable, scope: path.into(), call, result });
            }
        }
        self.list.push(Hook { sites, function });
        self
    }

    /// Returns the nodes up to `top` with a hook, in ascending order, each once.
    pub(crate) fn nodes(&self, top: u32) -> SmallVec<[u32; 8]> {
        let sites = self.list.iter().flat_map(|hook| &hook.sites);
        let mut nodes: SmallVec<[u32; 8]> =
            sites.map(|site| site.variable.id).filter(|&id| id <= top).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// Refuses hooks on nodes that the walk does not reach. `reached` holds the nodes that the walk
    /// reaches, if they are known.
    #[track_caller]
    pub(crate) fn check_reached(&self, op: &str, top: u32, reached: Option<&NodeSet>) {
        if self.allow_unreached || self.list.is_empty() {
            return;
        }
        let tape = self.value.tape;
        let nodes = self.nodes(top);
        let below;
        let reached = match reached {
            Some(reached) => Some(reached),
            None if nodes.is_empty() => None,
            None => {
                below = tape.depends(&nodes, [top].into_iter(), top);
                Some(&below)
            }
        };
        let comes_to = |x: Var<'t, T>| {
            let active = tape.arena.borrow().nodes[x.id as usize].has(ACTIVE);
            active && x.id <= top && reached.is_some_and(|reached| reached.contains(x.id))
        };
        for hook in &self.list {
            if !hook.sites.iter().any(|site| comes_to(site.variable)) {
                tape.fail(format!(
                    "hooks: {op}() does not reach {}, so that its hook would not be called: the \
                     value does not depend on it, it is a constant, or no requested gradient flows \
                     through it: remove the hook, or call allow_unreached()",
                    hook.describe()
                ))
            }
        }
    }

    /// Calls the hooks of a node. Returns the new cotangent if they replaced it.
    #[track_caller]
    pub(crate) fn call(&mut self, id: u32, g: Var<'t, T>) -> Option<Var<'t, T>> {
        let tape: &'t Tape<T> = self.value.tape;
        let _running = RunningHook { flag: &tape.in_hook, before: tape.in_hook.replace(true) };
        let mut last = None;
        for Hook { sites, function } in &mut self.list {
            for site in sites.iter().filter(|site| site.variable.id == id) {
                let given = last.unwrap_or(g);
                let Some(new) = function(given, site) else { continue };
                tape.same_tape("hooks", new.tape);
                let (wanted, given) = (g.shape(), new.shape());
                if wanted != given {
                    tape.fail(format!(
                        "hooks: a hook on {} must return a cotangent of shape {wanted}, got \
                         {given}",
                        if site.scope.is_empty() {
                            format!("a variable of shape {wanted}")
                        } else {
                            format!("result {} of the scope `{}`", site.result, site.scope)
                        }
                    ))
                }
                last = Some(Var { tape, id: new.id });
            }
        }
        last
    }
}

/// Marks that a hook runs, until it is dropped, also by a panic.
struct RunningHook<'a> {
    flag: &'a Cell<bool>,
    before: bool,
}
impl Drop for RunningHook<'_> {
    fn drop(&mut self) {
        self.flag.set(self.before);
    }
}

/// Returns the values of a cotangent. Within `backward` this does not count as a read by the program,
/// because nothing that depends on it can be recorded afterwards. Within `grad` it counts.
fn shown<'a, 't, T: Float>(
    g: Var<'a, T>,
    site: &'a HookSite<'t, T>,
    see: &mut impl FnMut(&Tensor<T>, &HookSite<'t, T>),
) -> Option<Var<'a, T>> {
    if g.tape.recording.get() {
        g.tape.note_read();
    }
    see(&g.tape.force(g.id), site);
    None
}
