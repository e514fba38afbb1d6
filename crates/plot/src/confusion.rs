//! The plot of a confusion matrix.

use crate::save::save;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;
use wengert_tensor::FileError;

const CELL: i32 = 46;
const TEXT: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// The darkest colours of correct and of wrong classifications.
const RIGHT: [f64; 3] = [49.0, 130.0, 100.0];
const WRONG: [f64; 3] = [203.0, 80.0, 40.0];

/// Draws a confusion matrix as an SVG file. `rows` has one row for each true class. A row has the number of
/// examples for each predicted class. The darkness of a cell shows its fraction of its row. Errors have
/// their own colour scale, so that rare errors are visible too. Classes without a name in `names` are shown
/// by their numbers.
///
/// ```
/// let path = std::env::temp_dir().join("confusion.svg");
/// // Of 12 cats, 2 were classified as dogs.
/// wengert::plot::confusion([[10, 2], [1, 7]], &["cat", "dog"], path).unwrap();
/// ```
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If a row does not have one count for each class.
#[track_caller]
pub fn confusion<R: AsRef<[u64]>>(
    rows: impl IntoIterator<Item = R>,
    names: &[&str],
    path: impl AsRef<Path>,
) -> Result<(), FileError> {
    let rows: Vec<R> = rows.into_iter().collect();
    let counts: Vec<&[u64]> = rows.iter().map(AsRef::as_ref).collect();
    for (class, row) in counts.iter().enumerate() {
        assert!(
            row.len() == counts.len(),
            "confusion: expected a square matrix, got {} rows and {} counts in row {class}",
            counts.len(),
            row.len()
        );
    }
    let mut text = String::new();
    draw(&counts, names, &mut text).expect("a string accepts all text");
    save(path.as_ref(), text.as_bytes())
}

fn draw(
    counts: &[&[u64]],
    names: &[&str],
    out: &mut String,
) -> Result<(), Box<dyn std::error::Error>> {
    let n = counts.len() as i32;
    let name = |class: usize| names.get(class).map_or(class.to_string(), ToString::to_string);
    let longest = (0..counts.len()).map(|class| name(class).chars().count()).max();
    // A letter is about 7 units wide at this font size.
    let left = 40 + 7 * longest.unwrap_or(0) as i32;
    let turned = longest.unwrap_or(0) > 5;
    let top = 40 + if turned { left - 40 } else { 16 };
    let size = ((left + CELL * n + 24) as u32, (top + CELL * n + 40) as u32);
    let sheet = SVGBackend::with_string(out, size).into_drawing_area();
    sheet.fill(&WHITE)?;

    let style = |size: i32, colour: &RGBColor, h, v| {
        ("sans-serif", size).into_font().color(colour).pos(Pos::new(h, v))
    };
    let middle = style(14, &TEXT, HPos::Center, VPos::Center);
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.map(u128::from).sum::<u128>();
    let totals: Vec<u128> = counts.iter().map(|row| sum(&mut row.iter().copied())).collect();
    let part = |i: usize, j: usize| counts[i][j] as f64 / totals[i].max(1) as f64;
    let cells = (0..counts.len()).flat_map(|i| (0..counts.len()).map(move |j| (i, j)));
    let worst = cells.filter(|(i, j)| i != j).map(|(i, j)| part(i, j)).fold(0.0, f64::max);

    for (i, row) in counts.iter().enumerate() {
        let y = top + CELL * i as i32;
        let at = (left - 8, y + CELL / 2);
        let right = style(14, &TEXT, HPos::Right, VPos::Center);
        sheet.draw(&Text::new(name(i), at, right))?;
        for (j, count) in row.iter().enumerate() {
            let x = left + CELL * j as i32;
            let (strength, full) =
                if i == j { (part(i, j), RIGHT) } else { (part(i, j) / worst.max(1e-9), WRONG) };
            let strength = if *count > 0 { 0.08 + 0.92 * strength } else { 0.0 };
            let [r, g, b] = full.map(|x| (255.0 + (x - 255.0) * strength).round() as u8);
            let cell = [(x + 1, y + 1), (x + CELL - 1, y + CELL - 1)];
            let fill = if *count > 0 { RGBColor(r, g, b) } else { RGBColor(0xf5, 0xf5, 0xf5) };
            sheet.draw(&Rectangle::new(cell, fill.filled()))?;
            if *count > 0 {
                let colour = if strength > 0.55 { WHITE } else { TEXT };
                let middle = style(14, &colour, HPos::Center, VPos::Center);
                let at = (x + CELL / 2, y + CELL / 2);
                sheet.draw(&Text::new(count.to_string(), at, middle))?;
            }
        }
    }
    for j in 0..counts.len() {
        let x = left + CELL * j as i32 + CELL / 2;
        let label = if turned {
            let up = ("sans-serif", 14).into_font().transform(FontTransform::Rotate270);
            up.color(&TEXT).pos(Pos::new(HPos::Left, VPos::Center))
        } else {
            middle.clone()
        };
        let y = if turned { top - 8 } else { top - 12 };
        sheet.draw(&Text::new(name(j), (x, y), label))?;
    }
    let centre = left + CELL * n / 2;
    sheet.draw(&Text::new("predicted class", (centre, 16), middle.clone()))?;
    let up = ("sans-serif", 14).into_font().transform(FontTransform::Rotate270);
    let up = up.color(&TEXT).pos(Pos::new(HPos::Center, VPos::Center));
    sheet.draw(&Text::new("true class", (16, top + CELL * n / 2), up))?;
    let right = sum(&mut (0..counts.len()).map(|class| counts[class][class]));
    let all: u128 = totals.iter().sum();
    let accuracy = if all == 0 { 0.0 } else { right as f64 / all as f64 };
    let line = format!("accuracy {:.2} %: {right} of {all}", 100.0 * accuracy);
    sheet.draw(&Text::new(line, (centre, top + CELL * n + 20), middle))?;
    sheet.present()?;
    Ok(())
}
