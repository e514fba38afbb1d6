//! Draws a run as an SVG picture: no library, a picture of two polylines is a page of text.

use std::fmt::Write;

/// What is drawn: the loss of every step, loss and accuracy on held-out images after every epoch.
#[derive(Default)]
pub struct Curve {
    steps: Vec<f64>,
    epochs: Vec<(f64, f64)>,
}

impl Curve {
    pub fn step(&mut self, loss: f64) {
        self.steps.push(loss);
    }

    pub fn epoch(&mut self, loss: f64, accuracy: f64) {
        self.epochs.push((loss, accuracy));
    }

    /// Losses on a logarithmic axis on the left, accuracy on the right.
    pub fn svg(&self) -> String {
        let epochs = self.epochs.len().max(1) as f64;
        let mut out = String::from(HEAD);

        // Single steps jump: a hundred points per run, each the mean of the steps between.
        let window = self.steps.len().div_ceil(100).max(1);
        let train: Vec<(f64, f64)> = self
            .steps
            .chunks(window)
            .enumerate()
            .map(|(i, chunk)| {
                let middle = (i * window) as f64 + chunk.len() as f64 / 2.0;
                let mean = chunk.iter().sum::<f64>() / chunk.len() as f64;
                (middle / self.steps.len() as f64 * epochs, mean)
            })
            .collect();
        let held_out = |y: fn(&(f64, f64)) -> f64| -> Vec<(f64, f64)> {
            self.epochs.iter().enumerate().map(|(i, epoch)| (i as f64 + 1.0, y(epoch))).collect()
        };
        let losses = held_out(|&(loss, _)| loss);

        let low = train.iter().chain(&losses).map(|&(_, y)| y.max(1e-6)).fold(1.0, f64::min);
        let bottom = low.log10().floor();
        let left = Panel { x0: 70.0, epochs, bottom, top: 0.5, log: true };
        left.frame(&mut out, "loss (cross-entropy)");
        for k in bottom as i32..=0 {
            left.rule(&mut out, 10f64.powi(k), &format!("{}", 10f64.powi(k)));
        }
        left.line(&mut out, &train, TRAIN);
        left.line(&mut out, &losses, TEST);
        left.dots(&mut out, &losses);
        label(&mut out, 300.0, 70.0, TRAIN, "training, step by step");
        label(&mut out, 300.0, 90.0, TEST, "held-out images");

        let accuracies = held_out(|&(_, accuracy)| 100.0 * accuracy);
        let worst = accuracies.iter().map(|&(_, y)| y).fold(100.0, f64::min);
        let step = if worst > 95.5 {
            1.0
        } else if worst > 90.0 {
            2.0
        } else {
            20.0
        };
        let bottom = ((worst / step).floor() * step).min(100.0 - 2.0 * step);
        let right = Panel { x0: 490.0, epochs, bottom, top: 100.0, log: false };
        right.frame(&mut out, "accuracy on held-out images, %");
        let mut y = bottom;
        while y <= 100.0 {
            right.rule(&mut out, y, &format!("{y}"));
            y += step;
        }
        right.line(&mut out, &accuracies, TEST);
        right.dots(&mut out, &accuracies);
        if let Some(&(x, y)) = accuracies.last() {
            let (x, y) = right.at(x, y);
            let _ = writeln!(
                out,
                r#"<text x="{x:.1}" y="{:.1}" text-anchor="end" class="value">{:.2} %</text>"#,
                y - 10.0,
                accuracies[accuracies.len() - 1].1
            );
        }
        out.push_str("</svg>\n");
        out
    }
}

const TRAIN: &str = "#3b6fb6";
const TEST: &str = "#d1603d";
const TOP: f64 = 50.0;
const BOTTOM: f64 = 260.0;
const WIDTH: f64 = 340.0;
const HEAD: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 320" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12" fill="#444">
<style>.title{font-size:14px;font-weight:600;fill:#222}.value{font-size:13px;font-weight:600;fill:#d1603d}</style>
<rect width="860" height="320" rx="8" fill="#fff"/>
"##;

/// A pair of axes: epochs to the right, a value upwards.
struct Panel {
    x0: f64,
    epochs: f64,
    bottom: f64,
    top: f64,
    log: bool,
}

impl Panel {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let y = if self.log { y.max(1e-6).log10() } else { y };
        let up = ((y - self.bottom) / (self.top - self.bottom)).clamp(0.0, 1.0);
        (self.x0 + x / self.epochs * WIDTH, BOTTOM - up * (BOTTOM - TOP))
    }

    fn frame(&self, out: &mut String, title: &str) {
        let (x0, x1) = (self.x0, self.x0 + WIDTH);
        let _ = writeln!(out, r#"<text x="{x0}" y="30" class="title">{title}</text>"#);
        let _ = writeln!(out, r##"<path d="M{x0} {BOTTOM}H{x1}" stroke="#888" fill="none"/>"##);
        let every = (self.epochs / 10.0).ceil().max(1.0) as usize;
        for epoch in (0..=self.epochs as usize).step_by(every) {
            let (x, y) = (self.at(epoch as f64, 1.0).0, BOTTOM + 18.0);
            let _ =
                writeln!(out, r#"<text x="{x:.1}" y="{y}" text-anchor="middle">{epoch}</text>"#);
        }
        let (x, y) = (self.x0 + WIDTH / 2.0, BOTTOM + 40.0);
        let _ = writeln!(out, r#"<text x="{x}" y="{y}" text-anchor="middle">epochs</text>"#);
    }

    fn rule(&self, out: &mut String, value: f64, name: &str) {
        let (x, y) = self.at(0.0, value);
        let _ = writeln!(out, r##"<path d="M{x} {y:.1}h{WIDTH}" stroke="#e4e4e4" fill="none"/>"##);
        let _ = writeln!(
            out,
            r#"<text x="{}" y="{:.1}" text-anchor="end">{name}</text>"#,
            x - 8.0,
            y + 4.0
        );
    }

    fn line(&self, out: &mut String, points: &[(f64, f64)], colour: &str) {
        let points: Vec<String> = points
            .iter()
            .map(|&(x, y)| {
                let (x, y) = self.at(x, y);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = writeln!(
            out,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>"#,
            points.join(" ")
        );
    }

    fn dots(&self, out: &mut String, points: &[(f64, f64)]) {
        for &(x, y) in points {
            let (x, y) = self.at(x, y);
            let _ = writeln!(out, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{TEST}"/>"#);
        }
    }
}

fn label(out: &mut String, x: f64, y: f64, colour: &str, text: &str) {
    let _ = writeln!(
        out,
        r#"<path d="M{} {}h20" stroke="{colour}" stroke-width="2.5"/><text x="{}" y="{y}">{text}</text>"#,
        x - 60.0,
        y - 4.0,
        x - 34.0
    );
}
