//! Plots of numbers and tensors, as SVG (charts, tables, images with text) and PNG (images only). The
//! background is white. No fonts, libraries or programs of the system are needed.
//!
//! | function | draws |
//! |---|---|
//! | [`charts`] | lines, clouds of points and contours, in one or several charts: the curves of a run |
//! | [`confusion`] | a confusion matrix |
//! | [`grid`] | images side by side |
//! | [`captioned`] | images with a line of text below each |
//! | [`reconstructions`] | images above the outputs of an autoencoder |
//! | [`filters`] | the weights of a convolution |
//! | [`feature_maps`] | the output of a layer for one image |
//!
//! Missing folders are created. An existing file is replaced atomically.
//!
//! The functions take tensors and numbers, so plots need no training loop. The training loop of
//! `wengert-train` converts its results: `History::charts`, `ConfusionMatrix::rows` and
//! `Mistake::captioned` return the arguments of [`charts`], [`confusion`] and [`captioned`].

mod axis;
mod canvas;
mod captioned;
mod chart;
mod confusion;
mod contour;
mod draw;
mod filters;
mod grid;
mod png;
mod save;
mod svg;

pub use canvas::Colours;
pub use captioned::captioned;
pub use chart::{Chart, Corner, Line, Scale};
pub use confusion::confusion;
pub use draw::charts;
pub use filters::{feature_maps, filters};
pub use grid::{GridOptions, grid, reconstructions};
