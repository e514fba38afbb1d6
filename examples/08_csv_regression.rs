//! Lesson 8: a table in a file, and a number to predict.
//! `cargo run --release --features csv --example 08_csv_regression`
//!
//! The table lists flats with their prices. Columns have numbers or words, and some cells are empty, as in most
//! tables. The model contains its own preparation: what it computed from the training table is saved and loaded
//! with it.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use wengert::data::{Csv, Missing};
use wengert::nn::{load, save};
use wengert::prelude::*;
use wengert::rand::RngExt;

const SEED: u64 = 8;
const FOLDER: &str = "target/08_csv_regression";
/// The inputs: area, rooms, year, and one column for each of three districts.
const INPUTS: usize = 6;
const DISTRICTS: [(&str, f64); 3] = [("centre", 1.5), ("harbour", 1.2), ("suburb", 1.0)];
/// The part of a price that nothing in the table explains: its standard deviation, as a share of the price.
const NOISE: f64 = 0.05;

/// A network with the scales of its inputs and of its output.
#[derive(Module)]
struct Prices {
    inputs: Standardize,
    layers: Sequential,
    price: Standardize,
}

impl Prices {
    /// Creates the network with scales that change nothing yet, and random weights.
    fn new(rng: &mut Philox) -> Self {
        Prices {
            inputs: Standardize::new(INPUTS),
            layers: sequential![Linear::new(INPUTS, 32, rng), Tanh, Linear::new(32, 1, rng)],
            price: Standardize::new(1),
        }
    }

    /// Takes the columns of the table as they are, and returns prices.
    fn predict(&self, columns: &Tensor) -> Tensor {
        self.price.inverse(&self.layers.predict(&self.inputs.transform(columns)))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(FOLDER)?;
    let [train_file, test_file, model_file] =
        ["train.csv", "test.csv", "prices.safetensors"].map(|name| format!("{FOLDER}/{name}"));
    fs::write(&train_file, flats(600, SEED))?;
    fs::write(&test_file, flats(200, SEED + 1))?;
    println!("the first lines of {train_file}:");
    flats(600, SEED).lines().take(4).for_each(|line| println!("    {line}"));

    // An empty cell becomes the mean of its column. `like` reads the test table as the training table was read: with
    // the same districts in the same order, and with the means of the training table.
    let table = Csv::new().missing(Missing::FillMean).read(&train_file)?;
    let test = Csv::new().missing(Missing::FillMean).like(&table).read(&test_file)?;
    println!("\n{} flats to learn from, {} to test; inputs:", table.len(), test.len());
    println!("    {}\n", table.clone().without("price")?.input_names().join(", "));
    let [train, test] = [table.regression("price")?, test.regression("price")?];

    let rng = &mut Philox::new(SEED);
    let mut model = Prices::new(rng);
    model.inputs = Standardize::fit(&train);
    // The targets are a table with one column, so they are scaled in the same way.
    model.price = Standardize::fit(train.targets());
    let targets = model.price.transform(train.targets());
    let scaled = TensorDataset::new(model.inputs.transform(train.inputs()), targets);

    let loader = DataLoader::new(scaled, 32).shuffle(SEED);
    let trainer = Trainer::new(Objective::regression(|output, target| mse(output, target)));
    let epochs = 60;
    let schedule = CosineAnnealingLr::new(0.01, epochs * loader.len());
    let trainer = trainer.epochs(epochs as u64).schedule(schedule).quiet();
    let history = trainer.fit(&mut model.layers, &mut Adam::new(0.01), &loader, rng)?;
    let last = history.last().ok_or("no epoch")?.train.loss;
    println!(
        "after {epochs} epochs the loss is {last:.4}: the share of the variance that is left\n"
    );

    // Errors in the unit of the target say more than losses.
    let prices = test.targets();
    let error = |found: &Tensor| (found - prices).square().mean_all().sqrt();
    let (found, guess) = (model.predict(test.inputs()), train.targets().mean_all() as f32);
    let (found, guess) = (error(&found), error(&Tensor::full(prices.shape(), guess.into())));
    println!("root mean square error on the test flats:");
    println!("    {guess:>7.0} if one always says the mean of the training prices");
    println!("    {found:>7.0} by the network");
    println!(
        "    {:>7.0} is unexplained noise that no model can predict",
        NOISE * prices.square().mean_all().sqrt()
    );
    println!("explained share of the variance: {:.1} %\n", 100.0 * (1.0 - (found / guess).powi(2)));

    save(&model, &model_file)?;
    // Another program creates the model with any weights and loads the file. It needs the training table only for the
    // names of the districts.
    let mut loaded = Prices::new(&mut Philox::new(99));
    load(&mut loaded, &model_file)?;
    assert_eq!(loaded.predict(test.inputs()), model.predict(test.inputs()));
    println!("saved in {model_file}, loaded again: the same predictions, bit for bit");
    let offer = "area,rooms,district,year\n80,3,harbour,1990\n80,3,suburb,1990\n";
    let offer = Csv::new().like(&table).parse(offer.as_bytes(), "offer")?;
    let found = loaded.predict(&offer.inputs()).to_vec();
    for (price, (district, _)) in found.iter().zip(&DISTRICTS[1..]) {
        println!(
            "80 m², 3 rooms, {district}, 1990: {price:.0}; without noise it is {:.0}",
            worth(80.0, 3, district, 1990)
        );
    }
    Ok(())
}

/// The price without noise: what the network is to discover.
fn worth(area: f64, rooms: u32, district: &str, year: u32) -> f64 {
    let place =
        DISTRICTS.iter().find(|(name, _)| *name == district).map_or(1.0, |(_, factor)| *factor);
    let age = f64::from(2020 - year);
    (20_000.0 + 3_000.0 * area + 8_000.0 * f64::from(rooms))
        * place
        * (0.7 + 0.3 * (-age / 40.0).exp())
}

/// Writes a table of invented flats. Three of a hundred years are missing.
fn flats(n: usize, seed: u64) -> String {
    let rng = &mut Philox::new(seed);
    let noise = Tensor::normal(&[n], 1.0, NOISE, rng).to_vec();
    let mut text = String::from("area,rooms,district,year,price\n");
    for noise in noise {
        let area: f64 = rng.random_range(30.0..160.0);
        let rooms = (area / 30.0) as u32 + rng.random_range(0..2);
        let (district, _) = DISTRICTS[rng.random_range(0..3)];
        let year = rng.random_range(1920..2020);
        let price = worth(area, rooms, district, year) * f64::from(noise);
        let year = if rng.random_bool(0.03) { String::new() } else { year.to_string() };
        let _ = writeln!(text, "{area:.1},{rooms},{district},{year},{price:.0}");
    }
    text
}
