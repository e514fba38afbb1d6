//! Lesson 9: pictures of your own. `cargo run --release --features images --example 09_own_images`
//!
//! A folder with a sub-folder for each class is a data set. The lesson draws such a folder itself: circles,
//! squares and triangles in many colours. For your own pictures, change `FOLDER` and remove the drawing.

use std::error::Error;
use std::path::Path;
use wengert::data::ImageFolder;
use wengert::plot::{Colours, GridOptions, charts, grid};
use wengert::prelude::*;
use wengert::rand::RngExt;

const SEED: u64 = 9;
const FOLDER: &str = "target/09_own_images";
const SHAPES: [&str; 3] = ["circle", "square", "triangle"];
/// The sides of the pictures in the files, and of the images that the network gets.
const DRAWN: usize = 48;
const SIDE: usize = 24;

fn main() -> Result<(), Box<dyn Error>> {
    let rng = &mut Philox::new(SEED);
    for (part, each) in [("train", 150), ("test", 30)] {
        for shape in SHAPES {
            for i in 0..each {
                write(&drawing(shape, rng), format!("{FOLDER}/{part}/{shape}/{i:03}.png"))?;
            }
        }
    }

    // The classes are the names of the folders, in alphabetical order. The files are read when a batch needs them. All
    // images of a batch must have the same size, so they are resized.
    let open = |part: &str| ImageFolder::open(Path::new(FOLDER).join(part));
    let train = open("train")?.resize_to(SIDE, SIDE);
    let test = open("test")?.resize_to(SIDE, SIDE);
    assert_eq!(train.classes(), test.classes(), "both parts have the same folders");
    println!(
        "{} pictures to learn from, {} to test, classes {:?}",
        train.len(),
        test.len(),
        train.classes()
    );
    // A picture that is damaged would interrupt the training. This finds it now.
    train.verify()?;
    test.verify()?;
    let (images, labels) =
        DataLoader::new(&train, 24).shuffle(SEED).epoch(0).next().ok_or("empty")?;
    println!("a batch: images {}, labels {}", images.shape(), labels.shape());
    let options = GridOptions::new().columns(12).colours(Colours::Light).range(0.0, 1.0);
    grid(&images, &options, format!("{FOLDER}/batch.png"))?;

    // Two convolutions find edges and corners, pooling forgets where exactly they are.
    let mut model = sequential![
        Conv2d::new(3, 8, 3, rng).padding(1),
        Relu,
        MaxPool2d::new(2),
        Conv2d::new(8, 16, 3, rng).padding(1),
        Relu,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(16 * (SIDE / 4) * (SIDE / 4), 32, rng),
        Relu,
        Linear::new(32, SHAPES.len(), rng),
    ];
    let classes = train.classes().to_vec();
    let loader = DataLoader::new(&train, 20).shuffle(SEED);
    let held_out = DataLoader::new(&test, 30);
    let trainer = Trainer::classifier().epochs(30).validate_as("test", &held_out).quiet();
    let history = trainer.fit(&mut model, &mut Adam::new(0.003), &loader, rng)?;
    charts(&history.charts(), format!("{FOLDER}/curves.svg"))?;
    let found = evaluate(&model, &held_out);
    let names: Vec<&str> = classes.iter().map(String::as_str).collect();
    println!("\n{}", found.confusion().table(&names));
    println!("test accuracy: {:.1} %\n", 100.0 * found.accuracy());

    // A single file. `read` prepares it as the pictures of the folder: a model works only for what it was trained on.
    for shape in SHAPES {
        let file = format!("{FOLDER}/new_{shape}.png");
        write(&drawing(shape, rng), &file)?;
        let probabilities = model.predict(&train.read(&file)?).softmax(1).to_vec();
        let said: Vec<String> = names
            .iter()
            .zip(&probabilities)
            .map(|(name, p)| format!("{name} {:.1} %", 100.0 * p))
            .collect();
        println!("{file}: {}", said.join(", "));
    }
    println!("\npictures: {FOLDER}");
    Ok(())
}

/// Writes an image `[1, 3, h, w]`, with numbers from 0 to 1, as a PNG file of its size.
fn write(image: &Tensor, path: impl AsRef<Path>) -> Result<(), Box<dyn Error>> {
    let options = GridOptions::new().scale(1).gap(0).colours(Colours::Light).range(0.0, 1.0);
    Ok(grid(image, &options, path)?)
}

/// Draws a shape of random size, place and bright colour on a dark background, with noise.
fn drawing(shape: &str, rng: &mut Philox) -> Tensor {
    let radius = rng.random_range(8.0..16.0);
    let mut place = || rng.random_range(radius + 1.0..DRAWN as f32 - radius - 1.0);
    let (cx, cy) = (place(), place());
    let mut colour = |from, to| [0; 3].map(|_| rng.random_range(from..to));
    let (ink, ground): ([f32; 3], [f32; 3]) = (colour(0.6, 1.0), colour(0.0, 0.4));
    let inside = |x: f32, y: f32| match shape {
        "circle" => x.hypot(y) < radius,
        "square" => x.abs().max(y.abs()) < 0.85 * radius,
        _ => y < 0.7 * radius && 2.0 * x.abs() - y < radius,
    };
    let noise = Tensor::normal(&[3 * DRAWN * DRAWN], 0.0, 0.05, rng).to_vec();
    Tensor::from_fn(&[1, 3, DRAWN, DRAWN], |i| {
        let (channel, y, x) = (i / DRAWN / DRAWN, i / DRAWN % DRAWN, i % DRAWN);
        let of = if inside(x as f32 - cx, y as f32 - cy) { ink } else { ground };
        (of[channel] + noise[i]).clamp(0.0, 1.0)
    })
}
