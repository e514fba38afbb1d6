//! The activation that changes nothing.

use super::activations;

activations! {
    /// Returns the values of x in a new variable. Use it as a placeholder for another layer.
    Identity as identity: |x| x.reshape(x.shape());
}
