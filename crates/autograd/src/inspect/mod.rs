//! Views of a run for people and other programs: the recorded program as data, as a picture and as JSON,
//! the profile, the search for the first NaN, and the report of gradients.
//!
//! This module depends on the core. The core does not depend on it: the core calls an
//! [`Observer`](crate::graph::Observer), which this module implements.

mod anomaly;
mod json;
mod observer;
mod profile;
mod program;
mod report;

pub use anomaly::{Anomalies, Anomaly, AnomalyPlace, ValueSummary};
pub use profile::{Charged, Cost, Profile, ProfileLine, ProfileRow};
pub use program::{
    Attribute, Dot, Graph, GraphNode, GraphScope, Handle, NodeKind, Source, ValueState,
};
pub use report::{GradientReport, GradientRow, Remark};
