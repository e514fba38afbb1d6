//! Pictures of what was learnt, as SVG (curves, tables, pictures with words) and PNG (pixels).
//! Everything stands on white and needs no font, library or program of the system to be drawn.
//!
//! | | |
//! |---|---|
//! | [`curves`] | loss and accuracy of a run |
//! | [`confusion`] | a confusion matrix |
//! | [`mistakes`] | images that were taken for something else, with both names |
//! | [`grid`] | images side by side |
//! | [`filters`] | the weights of a convolution |
//! | [`feature_maps`] | what a layer gives for one image |
//! | [`reconstructions`] | images above what an autoencoder made of them |
//!
//! A folder that does not exist is made. A file is replaced in one step.

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

/// Writes a picture into a file.
fn save(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        write_atomically(path, |out| out.write_all(bytes))
    };
    write().map_err(|error| FileProblem::from(error).at(path))
}
