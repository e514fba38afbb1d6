//! Views of a run for people and for other software: the recorded graph as data, as a picture and as JSON
//! (`export`), the profile, the search for the first NaN (`detect`), and the report of gradients.
//!
//! This module depends on the core. The core does not depend on it: the core calls an
//! [`Observer`](crate::graph::Observer), which this module implements.

mod anomaly;
mod detect;
mod export;
mod inspection;
mod json;
mod notes;
mod observer;
mod profile;
mod report;

pub use anomaly::{Anomalies, Anomaly, AnomalyPlace, ValueSummary};
pub use export::{
    Attribute, Dot, Graph, GraphNode, GraphScope, Handle, NodeKind, Source, ValueState,
};
pub use profile::{Charged, Cost, Profile, ProfileLine, ProfileRow};
pub use report::{GradientReport, GradientRow, Remark};
