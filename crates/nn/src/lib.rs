//! Layers, losses and initialisation built from differentiable operations, for wengert.
