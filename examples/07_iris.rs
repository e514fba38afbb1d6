//! Lesson 7: a table of measurements, from the data to a prediction.
//! `cargo run --release --example 07_iris`
//!
//! The table has 150 flowers of three species of iris, with four measurements of each (R. A. Fisher, 1936). A
//! network learns to tell the species. Four steps recur in every such program: split, scale, train, test.

use std::error::Error;
use wengert::plot::{charts, confusion};
use wengert::prelude::*;

const SEED: u64 = 7;
const PICTURES: &str = "target/07_iris";

fn main() -> Result<(), Box<dyn Error>> {
    // 1. Split. A test with flowers that the network has seen would only show that it can memorise.
    // `stratified_split` keeps the shares of the species: ten of each are test flowers.
    let [train, test] = stratified_split(Iris::load().dataset(), [0.8, 0.2], SEED);
    println!("{} flowers to learn from, {} to test\n", train.len(), test.len());

    // 2. Scale. Inputs of about the same size make descent easy. Mean and deviation come from the training flowers
    // alone: the test flowers are to be as unknown as flowers of tomorrow.
    let scale = Standardize::fit(&train);
    for (i, name) in Iris::FEATURES.iter().enumerate() {
        println!(
            "{name:<18} mean {:.2}, deviation {:.2}",
            scale.mean().at(&[i]),
            scale.std().at(&[i])
        );
    }
    let (train, test) = (scale.on(train), scale.on(test));

    // 3. Train. The trainer goes over the flowers a hundred times, in batches of 16, in a new order each time.
    let rng = &mut Philox::new(SEED);
    let mut model = sequential![Linear::new(4, 16, rng), Tanh, Linear::new(16, 3, rng)];
    let mut optimizer = Adam::new(0.01);
    let train = DataLoader::new(train, 16).shuffle(SEED);
    let test = DataLoader::new(test, 30);
    let trainer = Trainer::classifier().epochs(100).validate_as("test", &test).quiet();
    let history = trainer.fit(&mut model, &mut optimizer, &train, rng)?;
    println!();
    for epoch in [1, 2, 5, 10, 20, 50, 100] {
        let loss = history.epochs[epoch - 1].train.loss;
        println!("after {epoch:>3} epochs: training loss {loss:.4}");
    }

    // 4. Test. The confusion matrix says which species are mistaken for each other.
    let found = evaluate(&model, &test);
    println!("\n{}", found.confusion().table(&Iris::CLASSES));
    println!("test accuracy: {:.1} %\n", 100.0 * found.accuracy());

    // A single flower: measure it, scale it in the same way, and read the probabilities.
    let flower = Tensor::from([[5.9f32, 2.8, 4.6, 1.4]]);
    let probabilities = model.predict(&scale.transform(&flower)).softmax(1);
    println!("a flower with sepals of 5.9 × 2.8 cm and petals of 4.6 × 1.4 cm:");
    for (name, p) in Iris::CLASSES.iter().zip(probabilities.to_vec()) {
        println!("    {name:<12} {:.1} %", 100.0 * p);
    }

    charts(&history.charts(), format!("{PICTURES}/curves.svg"))?;
    confusion(found.confusion().rows(), &Iris::CLASSES, format!("{PICTURES}/confusion.svg"))?;
    println!("\npictures: {PICTURES}");
    Ok(())
}
