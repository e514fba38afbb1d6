//! Random changes of images: their effect, and the values that determine them.

use rayon::ThreadPoolBuilder;
use wengert_data::{
    DataLoader, Dataset, Digits, Labeled, RandomAffine, RandomCrop, RandomHorizontalFlip, Subset,
    TensorDataset, stratified_split,
};
use wengert_tensor::{Philox, Tensor};

/// Returns `n` images of random bytes, with labels of zeros.
fn noise(n: usize, shape: [usize; 3]) -> TensorDataset<u8> {
    let [c, h, w] = shape;
    let random = Tensor::<f32>::uniform(&[n, c, h, w], 0.0, 256.0, &mut Philox::new(1));
    TensorDataset::new(random.cast(), Tensor::<i64>::zeros_of(&[n]))
}

fn one(image: &Tensor) -> TensorDataset {
    TensorDataset::new(image.unsqueeze(0), Tensor::<i64>::zeros_of(&[1]))
}

/// Returns the image after an affine change whose ranges have one value each.
fn changed(image: &Tensor, affine: RandomAffine) -> Tensor {
    one(image).augment(affine, 0).batch(&[0]).0.squeeze(0)
}

fn image(shape: &[usize]) -> Tensor {
    Tensor::uniform(shape, -1.0, 1.0, &mut Philox::new(2))
}

fn always(x: f64) -> std::ops::RangeInclusive<f64> {
    x..=x
}

#[test]
fn augmentation_without_changes_returns_the_same_images() {
    let set = noise(20, [2, 5, 7]).normalize_channels(&[0.1, 0.3], &[0.2, 0.7]);
    let all: Vec<usize> = (0..20).collect();
    let augmented = set.clone().augment(RandomAffine::new(), 3);
    let augmented = augmented.then(RandomCrop::padding(0)).then(RandomHorizontalFlip::new(0.0));
    for epoch in 0..3 {
        assert_eq!(augmented.batch_in_epoch(&all, epoch), set.batch(&all));
    }
}

#[test]
fn a_translation_shifts_the_image_and_fills_the_border() {
    // An image of 5 × 8 pixels moves two pixels to the right and one pixel up.
    let x = image(&[1, 5, 8]);
    let affine = RandomAffine::new().translate(always(2.0 / 8.0), always(-1.0 / 5.0)).fill(0.25);
    let expected = x.narrow(1, 1, 4).narrow(2, 0, 6).pad(&[(0, 0), (0, 1), (2, 0)], 0.25);
    assert_close(&changed(&x, affine), &expected);
    // A shift by half a pixel gives the mean of two neighbours. The first pixel is half fill.
    let x = Tensor::from_vec(vec![1.0, 2.0, 4.0, 8.0], &[1, 4]);
    let y = changed(&x, RandomAffine::new().translate(always(0.125), 0.0).fill(-1.0));
    assert_eq!(y.to_vec(), [0.0, 1.5, 3.0, 6.0]);
    // A shift by the whole width leaves only the fill.
    let y = changed(&x, RandomAffine::new().translate(always(1.0), 0.0).fill(-1.0));
    assert_eq!(y.to_vec(), [-1.0; 4]);
}

fn assert_close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in a.to_vec().into_iter().zip(b.to_vec()) {
        assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    }
}

#[test]
fn quarter_turns_are_exact() {
    for side in [1, 2, 7, 28] {
        let x = image(&[3, side, side]);
        let turned = |degrees| changed(&x, RandomAffine::new().degrees(always(degrees)));
        // Clockwise: the first column, read upwards, becomes the first row.
        let right = x.transpose(1, 2).flip(2).contiguous();
        assert_eq!(turned(90.0), right);
        assert_eq!(turned(-270.0), right);
        assert_eq!(turned(180.0), x.flip(1).flip(2).contiguous());
        assert_eq!(turned(-90.0), x.transpose(1, 2).flip(1).contiguous());
        assert_eq!(turned(720.0), x);
    }
}

/// Compares each pixel with the formula of the documentation, computed in f64.
#[test]
fn the_affine_map_has_the_documented_formula() {
    let (h, w) = (9, 6);
    let x = image(&[h, w]);
    let (angle, s, phi, psi, tx, ty) = (23f64, 1.3, 12f64, -17f64, 0.11, -0.2);
    let affine = RandomAffine::new()
        .degrees(always(angle))
        .scale(always(s))
        .shear(always(phi))
        .shear_y(always(psi))
        .translate(always(tx), always(ty))
        .fill(0.5);
    let y = changed(&x, affine);
    let (sin, cos) = angle.to_radians().sin_cos();
    let (p, q) = (phi.to_radians().tan(), psi.to_radians().tan());
    // Rotation · shear along y · shear along x.
    let slant = [[1.0, -p], [-q, 1.0 + p * q]];
    let turn = [[cos, -sin], [sin, cos]];
    let m: Vec<f64> = (0..4)
        .map(|i| s * (turn[i / 2][0] * slant[0][i % 2] + turn[i / 2][1] * slant[1][i % 2]))
        .collect();
    let det = m[0] * m[3] - m[1] * m[2];
    let centre = [(w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0];
    let at = |u: i64, v: i64| {
        let inside = (0..w as i64).contains(&u) && (0..h as i64).contains(&v);
        if inside { f64::from(x.at(&[v as usize, u as usize])) } else { 0.5 }
    };
    for row in 0..h {
        for column in 0..w {
            let dx = column as f64 - centre[0] - tx * w as f64;
            let dy = row as f64 - centre[1] - ty * h as f64;
            let u = centre[0] + (m[3] * dx - m[1] * dy) / det;
            let v = centre[1] + (m[0] * dy - m[2] * dx) / det;
            let (i, j) = (u.floor() as i64, v.floor() as i64);
            let (right, down) = (u - u.floor(), v - v.floor());
            let expected = (1.0 - down) * ((1.0 - right) * at(i, j) + right * at(i + 1, j))
                + down * ((1.0 - right) * at(i, j + 1) + right * at(i + 1, j + 1));
            let found = f64::from(y.at(&[row, column]));
            assert!((found - expected).abs() < 1e-5, "{row} {column}: {found}, not {expected}");
        }
    }
}

#[test]
fn a_scale_enlarges_the_image_about_its_centre() {
    // Scale 2: the middle of the 4 × 4 image fills the whole image.
    let x = image(&[4, 4]);
    let y = changed(&x, RandomAffine::new().scale(always(2.0)));
    let expected = 0.75 * 0.75 * x.at(&[1, 1])
        + 0.75 * 0.25 * (x.at(&[1, 2]) + x.at(&[2, 1]))
        + 0.25 * 0.25 * x.at(&[2, 2]);
    assert!((y.at(&[1, 1]) - expected).abs() < 1e-6);
    // Scale 0.01: every pixel is fill.
    let y = changed(&x, RandomAffine::new().scale(always(0.01)).fill(9.0));
    assert_eq!(y.to_vec(), [9.0; 16]);
}

#[test]
fn the_background_is_normalised_like_the_image() {
    let set = noise(3, [2, 4, 4]).normalize_channels(&[0.1, 0.3], &[0.2, 0.7]);
    let out = RandomAffine::new().translate(always(1.0), 0.0);
    let all_fill = [-0.1f32 / 0.2, -0.3 / 0.7].map(|fill| [fill; 16]).concat();
    // The fill is also normalised if the set is behind an `Arc` or is a part of a split.
    let [_, part] = stratified_split(std::sync::Arc::new(set), [1, 2], 0);
    let (x, _) = (&part).augment(out, 0).batch(&[1]);
    assert_eq!(x.to_vec(), all_fill);
    let (x, _) = part.augment(RandomCrop::padding(50).fill(1.0), 5).batch(&[1]);
    let light = [(1.0f32 - 0.1) / 0.2, (1.0 - 0.3) / 0.7].map(|fill| [fill; 16]).concat();
    assert_eq!(x.to_vec(), light);
}

#[test]
fn random_crops_shift_by_every_whole_number_of_pixels() {
    let x = image(&[1, 3, 4]);
    let set = TensorDataset::new(Tensor::stack(&[&x; 400], 0), Tensor::<i64>::zeros_of(&[400]));
    let set = set.augment(RandomCrop::padding(1).fill(7.0), 0);
    let wide = x.pad(&[(0, 0), (1, 1), (1, 1)], 7.0);
    let mut seen = [0; 9];
    for (crop, _) in DataLoader::new(&set, 1).epoch(0) {
        let place = (0..9).find(|place| {
            let piece = wide.narrow(1, place / 3, 3).narrow(2, place % 3, 4);
            piece.contiguous() == crop.squeeze(0)
        });
        seen[place.expect("a piece of the padded image")] += 1;
    }
    assert!(seen.iter().all(|&n| n > 20), "{seen:?}");
}

#[test]
fn flips_have_the_given_probability() {
    let x = image(&[2, 3, 5]);
    let set = TensorDataset::new(Tensor::stack(&[&x; 1000], 0), Tensor::<i64>::zeros_of(&[1000]));
    let set = set.augment(RandomHorizontalFlip::new(0.3), 0);
    let mirrored = x.flip(2).contiguous();
    let loader = DataLoader::new(&set, 1);
    let flipped = loader.epoch(0).filter(|(y, _)| y.squeeze(0) == mirrored).count();
    assert!((240..360).contains(&flipped), "{flipped}");
}

#[test]
fn random_amounts_are_uniform_over_their_ranges() {
    // The images have one bright pixel. Its new position shows the shift.
    let mut dot = vec![0.0f32; 21 * 21];
    dot[10 * 21 + 10] = 1.0;
    let n = 3000;
    let dots = dot.repeat(n);
    let set =
        TensorDataset::new(Tensor::from_vec(dots, &[n, 21, 21]), Tensor::<i64>::zeros_of(&[n]));
    let set = set.augment(RandomAffine::new().translate(0.2, 0.1..=0.3), 9);
    let (images, _) = set.batch(&(0..n).collect::<Vec<_>>());
    let (mut sum, mut squares) = ([0.0; 2], [0.0; 2]);
    for image in images.to_vec().chunks(441) {
        let mass: f64 = image.iter().copied().map(f64::from).sum();
        assert!((mass - 1.0).abs() < 1e-5);
        for (axis, place) in [|i: usize| i % 21, |i: usize| i / 21].into_iter().enumerate() {
            let mean: f64 =
                image.iter().enumerate().map(|(i, &x)| place(i) as f64 * f64::from(x)).sum();
            let shift = (mean - 10.0) / 21.0;
            sum[axis] += shift;
            squares[axis] += shift * shift;
        }
    }
    for (axis, (middle, width)) in [(0.0, 0.4f64), (0.2, 0.2)].into_iter().enumerate() {
        let mean = sum[axis] / n as f64;
        let deviation = (squares[axis] / n as f64 - mean * mean).sqrt();
        assert!((mean - middle).abs() < 0.01, "{axis}: mean {mean}");
        assert!((deviation - width / 12f64.sqrt()).abs() < 0.01, "{axis}: deviation {deviation}");
    }
}

fn busy(seed: u64) -> impl Dataset<Batch = (Tensor<f32>, Tensor<i64>)> {
    let affine = RandomAffine::new().degrees(15.0).translate(0.1, 0.1).scale(0.8..=1.2).shear(10.0);
    noise(300, [2, 12, 10])
        .normalize(0.3, 0.4)
        .augment(affine, seed)
        .then(RandomCrop::padding(2))
        .then(RandomHorizontalFlip::new(0.5))
}

#[test]
fn a_change_depends_only_on_seed_epoch_and_index() {
    let set = busy(1);
    let all: Vec<usize> = (0..300).collect();
    let (whole, _) = set.batch_in_epoch(&all, 5);
    assert_eq!(whole, busy(1).batch_in_epoch(&all, 5).0);
    assert_ne!(whole, set.batch_in_epoch(&all, 6).0);
    assert_ne!(whole, busy(2).batch_in_epoch(&all, 5).0);
    assert_eq!(set.batch_in_epoch(&all, 0), set.batch(&all));
    // An image does not depend on the other images of the batch or on their order.
    for indices in [vec![17], vec![250, 17, 3], (0..300).rev().collect()] {
        let (some, _) = set.batch_in_epoch(&indices, 5);
        for (row, &index) in indices.iter().enumerate() {
            assert_eq!(some.narrow(0, row, 1), whole.narrow(0, index, 1));
        }
    }
    // A subset of an augmented set has the same images as the set.
    let part = Subset::new(&set, [40, 41]);
    assert_eq!(part.batch_in_epoch(&[1], 5).0, whole.narrow(0, 41, 1));
    // The number of threads does not matter.
    for threads in [1, 2, 5] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| set.batch_in_epoch(&all, 5).0), whole, "{threads} threads");
    }
    // Equal images at different indices get different changes.
    let same = noise(1, [1, 8, 8]);
    let same = Subset::new(same, [0, 0]).augment(RandomAffine::new().degrees(30.0), 0);
    let (x, _) = same.batch(&[0, 1]);
    assert_ne!(x.narrow(0, 0, 1), x.narrow(0, 1, 1));
}

#[test]
fn a_loader_passes_its_epoch_to_the_data_set() {
    let set = busy(4);
    let loader = DataLoader::new(&set, 64).shuffle(4);
    let epoch = |e| loader.epoch(e).map(|(x, _)| x).collect::<Vec<_>>();
    assert_eq!(epoch(2), epoch(2));
    let plain = DataLoader::new(&set, 300);
    let images = |e| plain.epoch(e).next().unwrap().0;
    assert_eq!(images(3), set.batch_in_epoch(&(0..300).collect::<Vec<_>>(), 3).0);
    assert_ne!(images(3), images(4));
    // A run that resumes in the middle of an epoch gets the same batches.
    assert_eq!(loader.epoch(2).skip(3).map(|(x, _)| x).collect::<Vec<_>>(), epoch(2)[3..]);
}

/// A change of these numbers would change the training runs of all users. A separate program computed
/// the expected numbers.
#[test]
fn random_changes_have_the_recorded_values() {
    let x = Tensor::from_vec((0..16).map(|i| i as f32 + 1.0).collect(), &[4, 4]);
    let affine = RandomAffine::new().degrees(20.0).translate(0.1, 0.1).scale(0.9..=1.1).shear(5.0);
    let set = one(&x).augment(affine, 42).then(RandomCrop::padding(1));
    let (y, _) = set.then(RandomHorizontalFlip::new(0.5)).batch_in_epoch(&[0], 7);
    let expected = [
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 0.34914532, 0.9939271, 1.8694028],
        [0.0, 1.9109926, 3.8977873, 5.358535],
        [0.0, 4.0216074, 7.78597, 9.246717],
    ];
    assert_eq!(y.to_vec(), expected.as_flattened());
}

#[test]
fn augmentation_keeps_the_labels() {
    let digits = Digits::load().dataset();
    let augmented = digits.clone().augment(RandomHorizontalFlip::new(1.0), 0);
    assert_eq!(augmented.labels(), digits.labels());
    assert_eq!(augmented.batch(&[3, 4]).1, digits.batch(&[3, 4]).1);
    assert_eq!(augmented.len(), 1797);
    assert!(augmented.varies() && !digits.varies());
}

#[test]
fn images_and_batches_without_elements_are_augmented() {
    let set = noise(3, [1, 0, 4]).augment(RandomAffine::new(), 0);
    assert_eq!(set.batch(&[0]).0.shape(), [1, 1, 0, 4]);
    let set = noise(3, [1, 2, 2]).augment(RandomCrop::padding(1), 0);
    assert_eq!(set.batch(&[]).0.shape(), [0, 1, 2, 2]);
}

#[test]
#[should_panic(expected = "the data set differs between epochs")]
fn a_loop_over_an_augmented_set_without_an_epoch_panics() {
    let _ = DataLoader::new(busy(0), 10).iter();
}

#[test]
#[should_panic(
    expected = "augment: expected batches [n, height, width] or [n, channels, height, width], got [1, 5]"
)]
fn augmentation_of_rows_instead_of_images_panics() {
    let set = TensorDataset::new(Tensor::<f32>::zeros(&[2, 5]), Tensor::<i64>::zeros_of(&[2]));
    let _ = set.augment(RandomAffine::new(), 0).batch(&[0]);
}

#[test]
#[should_panic(expected = "RandomAffine: scale must be a range within 0.001 to 1000, got 0 to 1")]
fn a_scale_of_zero_panics() {
    let _ = RandomAffine::new().scale(0.0..=1.0);
}

#[test]
#[should_panic(
    expected = "RandomAffine: degrees must be a range within -1000000 to 1000000, got 5 to -5"
)]
fn a_reversed_range_of_degrees_panics() {
    #[allow(clippy::reversed_empty_ranges)]
    let _ = RandomAffine::new().degrees(5.0..=-5.0);
}

#[test]
fn nested_augmented_sets_use_the_same_epoch() {
    let all: Vec<usize> = (0..20).collect();
    let inner = noise(20, [2, 5, 7]).augment(RandomHorizontalFlip::new(0.5), 3);
    let outer = inner.clone().augment(RandomHorizontalFlip::new(0.0), 4);
    let images: Vec<Vec<f32>> =
        (0..4).map(|epoch| inner.batch_in_epoch(&all, epoch).0.to_vec()).collect();
    assert_ne!(images[0], images[1]);
    for (epoch, images) in images.iter().enumerate() {
        assert_eq!(outer.batch_in_epoch(&all, epoch as u64).0.to_vec(), *images);
    }
}
