//! Draws the graphs that models record. `cargo run --example see_graph -- [directory]`
//!
//! Writes the graphs of LeNet and of a residual block, for the forward pass alone and with the
//! gradients of all parameters: as pictures for Graphviz (`.dot`) and as data (`.json`, see
//! `docs/graph-json.md`).

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use wengert::autograd::{Dot, Graph};
use wengert::models::{BasicBlock, LeNet};
use wengert::prelude::*;
use wengert::tensor::write_atomically;

fn main() -> Result<(), Box<dyn Error>> {
    let elsewhere = || std::env::temp_dir().join("wengert-graphs");
    let directory = std::env::args_os().nth(1).map_or_else(elsewhere, PathBuf::from);
    fs::create_dir_all(&directory)?;
    let rng = &mut Philox::new(0);

    let lenet = LeNet::new(rng);
    let images = Tensor::normal(&[32, 1, 28, 28], 0.0, 1.0, rng);
    let classes = Tensor::from_fn(&[32], |i| i as i64 % 10);
    draw(&directory, "lenet", &lenet, images, |y| cross_entropy(y, &classes), rng)?;

    // The first block of the second stage of ResNet-20: its shortcut has a convolution.
    let block = BasicBlock::new(16, 32, 2, rng);
    let maps = Tensor::normal(&[32, 16, 32, 32], 0.0, 1.0, rng);
    draw(&directory, "residual_block", &block, maps, |y| y.square().mean_all(), rng)?;

    println!(
        "\nGraphviz makes pictures of the .dot files (their nodes tell more under the pointer):"
    );
    println!("    dot -Tsvg -O {}/*.dot", directory.display());
    Ok(())
}

/// Records a training step of a model and writes its graph, without and with gradients.
fn draw(
    directory: &Path,
    name: &str,
    model: &dyn Layer,
    input: Tensor,
    loss: impl for<'t> Fn(Var<'t>) -> Var<'t>,
    rng: &mut Philox,
) -> Result<(), Box<dyn Error>> {
    let tape = Tape::train(rng);
    let loss = loss(model.forward(tape.constant(input)));
    let forward = tape.graph();
    write(directory, name, &forward)?;

    // `grad` returns variables, so the derivative rules record their operations.
    loss.grad(&tape.params(model));
    let both = tape.graph();
    write(directory, &format!("{name}_with_gradients"), &both)?;

    // The same graph, with one node per layer.
    let path = directory.join(format!("{name}_layers.dot"));
    put(&path, &Dot::new(&both).depth(0).to_string())?;
    println!("{}: the layers alone", path.display());
    Ok(())
}

fn write(directory: &Path, name: &str, graph: &Graph) -> Result<(), Box<dyn Error>> {
    let path = directory.join(name);
    put(&path.with_extension("dot"), &graph.to_dot())?;
    put(&path.with_extension("json"), &graph.to_json())?;
    let (nodes, scopes) = (graph.nodes().len(), graph.scopes().len());
    println!("{}.dot and .json: {nodes} nodes in {scopes} scopes", path.display());
    Ok(())
}

fn put(path: &Path, text: &str) -> std::io::Result<()> {
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}
