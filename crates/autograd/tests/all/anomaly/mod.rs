//! Detection of NaN and infinities: the error names the operation that produced the first one, with its
//! scope and line, in the forward pass and in the backward pass.

#![allow(clippy::type_complexity)]

mod causes;
mod gradients;
mod planted;
mod refusals;

use wengert_autograd::{Anomalies, Anomaly, Cause, Tape};

fn detecting() -> Tape {
    Tape::new().detecting_anomalies(Anomalies::All)
}

/// Returns the line of an expression, and its value.
macro_rules! here {
    ($e:expr) => {
        (line!(), $e)
    };
}
use here;

/// Returns the anomaly that `body` must cause.
#[track_caller]
fn anomaly_of<R>(tape: &Tape, body: impl FnOnce() -> R) -> Anomaly {
    let error = tape.catch(body).err().expect("an anomaly");
    assert_eq!(error.cause, Cause::NotFinite, "{error}");
    let anomaly = tape.anomaly().expect("its parts");
    assert_eq!((&error.path, &error.message), (&anomaly.scope, &anomaly.to_string()));
    anomaly
}

/// Returns the line of an anomaly, which must be in the file of the caller.
#[track_caller]
fn line_of(anomaly: &Anomaly) -> u32 {
    let location = anomaly.location.expect("a line");
    assert_eq!(location.file(), std::panic::Location::caller().file());
    location.line()
}
