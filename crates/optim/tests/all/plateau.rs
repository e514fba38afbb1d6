//! Tests `ReduceLrOnPlateau`, which lowers the learning rate when a measure stops improving, as
//! PyTorch's does.

use wengert_optim::{Group, Optimizer, ReduceLrOnPlateau, Sgd};

/// Returns the learning rate after each of these measures.
fn rates(mut rule: ReduceLrOnPlateau, lr: f64, measures: &[f64]) -> Vec<f64> {
    let mut optimizer: Sgd = Sgd::new(lr);
    measures
        .iter()
        .map(|&measure| {
            rule.step(measure, &mut optimizer);
            optimizer.learning_rate()
        })
        .collect()
}

#[track_caller]
fn close(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() <= 1e-12 * wanted, "{found} {wanted}");
    }
}

/// The expected values follow from PyTorch's documentation: "if patience = 2, the first two epochs
/// without improvement are ignored, and the rate falls after the third".
#[test]
fn the_rate_falls_after_patience_bad_epochs() {
    let rule = || ReduceLrOnPlateau::new().factor(0.5).patience(2);
    close(
        &rates(rule(), 1.0, &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        &[1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25],
    );
    // An improvement restarts the count.
    close(
        &rates(rule(), 1.0, &[1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5]),
        &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5],
    );
    // By default, the factor is 0.1 and the rate falls after eleven bad epochs.
    let wanted: Vec<f64> = (0..13).map(|i| if i < 11 { 1.0 } else { 0.1 }).collect();
    close(&rates(ReduceLrOnPlateau::new(), 1.0, &[2.0; 13]), &wanted);
    // With patience 0, every bad epoch lowers the rate.
    let eager = ReduceLrOnPlateau::new().factor(0.5).patience(0);
    close(&rates(eager, 1.0, &[1.0, 2.0, 0.5, 0.5]), &[1.0, 0.5, 0.5, 0.25]);
}

/// A change that is smaller than the threshold is not an improvement.
#[test]
fn a_change_below_the_threshold_is_no_improvement() {
    let rule = || ReduceLrOnPlateau::new().factor(0.5).patience(0);
    // The threshold is 1 % of the best measure: 0.995 is not an improvement, 0.98 is.
    close(&rates(rule().threshold(0.01), 1.0, &[1.0, 0.995, 0.98]), &[1.0, 0.5, 0.5]);
    // A change that equals the threshold is not an improvement.
    close(&rates(rule().absolute_threshold(0.25), 1.0, &[1.0, 0.75, 0.5]), &[1.0, 0.5, 0.5]);
    let large = || rule().maximize();
    close(&rates(large().threshold(0.5), 1.0, &[1.0, 1.5, 1.6]), &[1.0, 0.5, 0.5]);
    close(&rates(large().absolute_threshold(1.0), 1.0, &[5.0, 6.0, 6.5]), &[1.0, 0.5, 0.5]);
    // For a negative best measure, PyTorch's bound lies above it: after -1, every measure below
    // -0.9 is an improvement.
    close(&rates(rule().threshold(0.1), 1.0, &[-1.0, -1.0, -0.95]), &[1.0, 1.0, 1.0]);
    // NaN is never an improvement.
    close(&rates(rule(), 1.0, &[f64::NAN, 1.0, f64::NAN]), &[0.5, 0.5, 0.25]);
}

#[test]
fn cooldown_and_smallest_rate_are_respected() {
    let rule = || ReduceLrOnPlateau::new().factor(0.5).patience(1);
    // The rate falls at the third measure of [1, 1, 1]. The two epochs of cooldown do not count;
    // two bad epochs follow.
    close(
        &rates(rule().cooldown(2), 1.0, &[1.0; 9]),
        &[1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25],
    );
    close(&rates(rule().min_lr(0.4), 1.0, &[1.0; 7]), &[1.0, 1.0, 0.5, 0.5, 0.4, 0.4, 0.4]);
    // A change of the rate by at most eps is not applied.
    close(&rates(rule().eps(0.25), 1.0, &[1.0; 7]), &[1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5]);
}

/// Compares with a transcription of PyTorch's `step`, on many random series of measures.
#[test]
fn random_series_agree_with_pytorchs_algorithm() {
    let mut seed = 1u64;
    let mut random = |n: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % n
    };
    for _ in 0..300 {
        let (maximize, absolute) = (random(2) == 1, random(2) == 1);
        let (patience, cooldown) = (random(4), random(4));
        let threshold = [0.0, 0.05, 0.5][random(3) as usize];
        let measures: Vec<f64> = (0..40).map(|_| random(12) as f64 / 4.0 - 0.5).collect();
        let mut rule = ReduceLrOnPlateau::new().factor(0.5).patience(patience).cooldown(cooldown);
        rule =
            if absolute { rule.absolute_threshold(threshold) } else { rule.threshold(threshold) };
        rule = if maximize { rule.maximize() } else { rule };

        let (mut lr, mut best) = (8.0, if maximize { -f64::INFINITY } else { f64::INFINITY });
        let (mut bad, mut cooling) = (0, 0);
        let wanted: Vec<f64> = measures
            .iter()
            .map(|&a| {
                let better = match (maximize, absolute) {
                    (false, false) => a < best * (1.0 - threshold),
                    (false, true) => a < best - threshold,
                    (true, false) => a > best * (threshold + 1.0),
                    (true, true) => a > best + threshold,
                };
                if better {
                    best = a;
                    bad = 0;
                } else {
                    bad += 1;
                }
                if cooling > 0 {
                    cooling -= 1;
                    bad = 0;
                }
                if bad > patience {
                    let new: f64 = f64::max(lr * 0.5, 0.0);
                    if lr - new > 1e-8 {
                        lr = new;
                    }
                    cooling = cooldown;
                    bad = 0;
                }
                lr
            })
            .collect();
        assert_eq!(rates(rule, 8.0, &measures), wanted);
    }
}

/// A rule that loads a state continues like an uninterrupted rule. The learning rates of groups
/// fall in proportion.
#[test]
fn a_loaded_state_continues_and_group_rates_fall_in_proportion() {
    let rule = || ReduceLrOnPlateau::new().factor(0.5).patience(1).cooldown(1);
    let measures: Vec<f64> = (0..12).map(|i| 1.0 / f64::from(1 + i / 5)).collect();
    let whole = rates(rule(), 1.0, &measures);
    for cut in 0..12 {
        let mut optimizer: Sgd = Sgd::new(1.0).group(Group::matching("0").learning_rate(0.125));
        let (mut first, mut second) = (rule(), rule());
        for &measure in &measures[..cut] {
            first.step(measure, &mut optimizer);
        }
        second.set_state(first.state().map(|(_, x)| x));
        assert_eq!(second, first);
        for &measure in &measures[cut..] {
            second.step(measure, &mut optimizer);
        }
        assert_eq!(optimizer.learning_rate(), whole[11]);
    }
}

#[test]
#[should_panic(expected = "ReduceLrOnPlateau: factor must be at least 0 and below 1, got 1.0")]
fn a_factor_of_1_panics() {
    let _ = ReduceLrOnPlateau::new().factor(1.0);
}
