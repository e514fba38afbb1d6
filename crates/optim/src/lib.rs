//! Optimizers for wengert.
