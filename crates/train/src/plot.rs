//! Plots of training results, as SVG (curves, tables, images with text) and PNG (images only). The
//! background is white. No fonts, libraries or programs of the system are needed.
//!
//! | function | draws |
//! |---|---|
//! | [`curves`] | loss, accuracy and logged numbers of a run |
//! | [`confusion`] | a confusion matrix |
//! | [`mistakes`] | misclassified images, with the names of the true and the predicted class |
//! | [`grid`] | images side by side |
//! | [`filters`] | the weights of a convolution |
//! | [`feature_maps`] | the output of a layer for one image |
//! | [`reconstructions`] | images above the outputs of an autoencoder |
//!
//! Missing folders are created. An existing file is replaced atomically.

mod axis;
mod canvas;
mod confusion;
mod curves;
mod filters;
mod grid;
mod mistakes;
mod png;
mod svg;

pub use confusion::confusion;
pub use curves::curves;
pub use filters::{feature_maps, filters};
pub use grid::{Colours, GridOptions, grid, reconstructions};
pub use mistakes::mistakes;

use std::io::{self, Write};
use std::path::Path;
use wengert_tensor::{FileError, FileProblem, write_atomically};

/// Writes a plot to a file. Creates missing folders and replaces an existing file atomically.
fn save(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        write_atomically(path, |out| out.write_all(bytes))
    };
    write().map_err(|error| FileProblem::from(error).at(path))
}
