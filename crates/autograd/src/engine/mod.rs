//! The engine. It computes values when they are needed, releases values that are no longer needed,
//! computes gradients in a backward walk over the recorded program, and replays the program. It imports
//! `graph`, `rules` and `module`, and none of these imports it.
//!
//! `graph` and `rules` nevertheless call six methods that the engine adds to the tape and its arena: recording
//! a node calls `compute_or_defer`, reading a value calls `compute` or `force`, the end of a scope calls
//! `close` and `check_nodes_since`, and the end of a tape calls `check_invariants`. These three rooms are the
//! core and depend on each other. `tests/all/rooms.rs` permits no further call.
//!
//! # When values are computed and released
//! The value of a node is a cache. `force.rs` fills it, and `release.rs` empties it. `walk/` and
//! `checkpoint.rs` decide when. Each rule below has a name, and the test or the debug assertion
//! (`invariants.rs`) that checks it.
//!
//! - **Pure operations.** An operation is a function of its payload and its operands. A dropped value is computed
//!   again on demand, with the same bits. (`tests/all/programs`; `tests/all/checkpoint.rs`,
//!   `derivatives_of_every_order_have_the_same_bits`)
//! - **Pending.** A pointwise node may stay without a value until something reads it (`PENDING`). It is
//!   then computed in one pointwise program with the pending nodes that it reads. A node that has a value is not
//!   pending. A batch normalisation may be pending, too: a sum or a rectifier that alone reads it is computed with
//!   it. (`rules/tests/memory.rs`, `a_pointwise_operation_stays_pending_until_its_value_is_read`,
//!   `a_batch_norm_is_computed_together_with_what_follows`; `check_nodes_since`)
//! - **Reference count.** `readers` counts the pending nodes that have the node as an operand, and
//!   during a walk the slots and rule inputs that hold it. A node that is no longer pending releases its
//!   operands, at any depth (`clear_pending`). (`check_invariants`; `invariants.rs`,
//!   `wrong_counts_and_flags_are_found`)
//! - **Unused.** `drop_unused` drops a value only if all of these hold: no new reader is expected
//!   (`CLOSED`: its scope has ended, the user released it, or `backward` has begun); no rule reads it
//!   (`SAVED`); it was not requested and is not tiny (`RETAINED`); its reference count is 0; and it can
//!   be computed again or is a temporary of a walk (`TEMPORARY`). (`rules/tests/memory.rs`,
//!   `a_value_that_no_rule_reads_is_dropped_when_its_scope_ends`,
//!   `release_drops_a_value_unless_it_was_requested_or_a_rule_reads_it`,
//!   `a_value_that_no_rule_reads_is_dropped_before_the_backward_pass`)
//! - **Dropped is marked.** A dropped value leaves the flag `RELEASED`: when it is computed again, it is
//!   stored and not fused into a reader's pointwise program. (`check_nodes_since`)
//! - **Saved until passed.** A rule reads only the values that its operation has declared. `SAVED` is
//!   removed when the walk has passed the node: the rules of all its readers, which come later on the
//!   tape, have run. (`rules/tests/mod.rs`, `reads_only_what_it_declares`; `rules/tests/memory.rs`,
//!   `backward_keeps_given_and_requested_values_only`)
//! - **Scratch.** In a walk for numbers, the nodes that rules record are above a mark. The region above
//!   the mark is truncated after a rule if no slot holds one of its nodes, and when the walk ends, even
//!   by a panic. (`rules/tests/memory.rs`, `backward_leaves_no_new_nodes_on_the_tape`,
//!   `a_cotangent_is_dropped_when_no_pending_node_reads_it`; `tests/all/failures.rs`,
//!   `a_tape_can_be_used_after_a_panic_in_a_rule`)
//! - **Empty slots.** Between walks every slot is empty. (`check_invariants`)
//! - **Regions.** Outside of walks, an activation checkpoint keeps its results, given values and retained values. A
//!   walk computes the other values once when it enters the region, and drops them when it leaves.
//!   (`tests/all/checkpoint.rs`, `an_operation_is_computed_twice_at_most`,
//!   `a_replay_drops_and_recomputes_the_values_of_a_checkpoint`)
//! - **Ended history.** Nodes before `ended` are not computed again. Their values are kept only if they
//!   were given or are retained, and share no memory with a parameter. (`check_nodes_since`;
//!   `tests/all/failures.rs`, `backward_ends_the_history`; `tests/all/engine.rs`,
//!   `parameters_are_updated_in_place_while_the_tape_lives`)
//! - **No borrow.** The arena is not borrowed while a kernel, a rule or a hook runs, except for kernels of a few
//!   numbers. (A second borrow panics: every test of a custom operation.)

mod backward;
mod checkpoint;
mod dependencies;
mod force;
mod grad;
mod gradients;
mod history;
mod hooked;
mod hooks;
mod invariants;
mod norms;
mod release;
mod replay;
mod walk;

pub use gradients::{Gradients, NotFinite, value_and_grad, value_and_grad_with};
pub use hooks::{HookSite, Hooks};
pub(crate) use norms::norm;
pub use replay::Replay;
