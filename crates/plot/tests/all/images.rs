//! Plots of images and of confusion matrices. `PICTURES=folder cargo test -p wengert-plot` keeps the files
//! in `folder`.

use crate::common::Folder;
use wengert_plot::{self as plot, Colours, GridOptions};
use wengert_tensor::Tensor;

#[test]
fn a_confusion_matrix_has_the_names_and_colours() {
    let folder = Folder::new();
    let names = ["T-shirt", "trouser", "ankle boot", "<bag>"];
    let rows =
        [[98, 0, 1, 0, 1], [2, 97, 1, 0, 0], [3, 0, 97, 0, 0], [3, 0, 0, 97, 0], [0, 0, 0, 0, 0]];
    plot::confusion(rows, &names, folder.file("names.svg")).unwrap();
    assert!(folder.svg("names.svg").contains("&lt;bag&gt;"));

    let colours = Tensor::from_fn(&[4, 3, 5, 7], |i| {
        (i % 35) as f32 * if i / 35 % 3 == 1 { 0.5 } else { 1.0 }
    });
    let path = folder.file("colours.png");
    plot::grid(&colours, &GridOptions::new().scale(5).gap(2).columns(3).each(), path).unwrap();
    assert_eq!(folder.png("colours.png"), (3 * 37 + 2, 2 * 27 + 2));
    let signed = GridOptions::new().colours(Colours::Signed).scale(8);
    let weights = Tensor::from_fn(&[3, 4, 4], |i| i as f32 / 24.0 - 1.0);
    plot::grid(&weights, &signed, folder.file("signed.png")).unwrap();
    // NaN and infinity, and no images.
    let odd = Tensor::from_vec(vec![f32::NAN, f32::INFINITY, 0.0, 1.0], &[1, 2, 2]);
    plot::grid(&odd, &GridOptions::new(), folder.file("odd.png")).unwrap();
    plot::grid(&Tensor::zeros(&[0, 2, 2]), &GridOptions::new(), folder.file("empty.png")).unwrap();
    plot::captioned::<f32, &str>([], folder.file("none.svg")).unwrap();
    plot::confusion::<[u64; 0]>([], &[], folder.file("nothing.svg")).unwrap();
}

#[test]
fn images_of_any_numbers_can_be_drawn() {
    let folder = Folder::new();
    let (tiny, most) = (f32::from_bits(1), f32::MAX);
    for numbers in [[-most, most, 0.0, 1.0], [tiny, 0.0, 0.0, -tiny], [f32::NAN; 4], [most; 4]] {
        let images = Tensor::from_vec(numbers.to_vec(), &[1, 2, 2]);
        for colours in [Colours::Ink, Colours::Light, Colours::Signed] {
            let options = GridOptions::new().colours(colours).scale(1);
            plot::grid(&images, &options, folder.file("any.png")).unwrap();
            assert_eq!(folder.png("any.png"), (10, 10));
        }
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.path).unwrap();
    std::fs::write(folder.file("file"), "").unwrap();
    let path = folder.file("file/picture.png");
    let error = plot::grid(&Tensor::zeros(&[1, 2, 2]), &GridOptions::new(), &path).unwrap_err();
    assert_eq!(error.path, path);
}

#[test]
#[should_panic(
    expected = "grid: expected images of 1 channel (grey) or 3 channels (red, green, blue), got 6 \
         channels, shape [1, 6, 4, 4]: flatten(0, 1)"
)]
fn images_with_six_channels_panic() {
    let folder = Folder::new();
    let _ = plot::grid(&Tensor::zeros(&[1, 6, 4, 4]), &GridOptions::new(), folder.file("x.png"));
}

/// The SVG text shows each count, the names and the accuracy, 17 of 20.
#[test]
fn a_confusion_matrix_shows_its_counts() {
    let folder = Folder::new();
    plot::confusion([[10, 2], [1, 7]], &["cat", "dog"], folder.file("pets.svg")).unwrap();
    let svg = folder.svg("pets.svg");
    for word in ["10", "2", "1", "7", "cat", "dog", "true class", "predicted class"] {
        assert!(svg.contains(&format!("\n{word}\n")), "{word}");
    }
    assert!(svg.contains("accuracy 85.00 %: 17 of 20"));
}

#[test]
fn captions_are_below_images_of_any_size() {
    let folder = Folder::new();
    let images = [
        (Tensor::zeros(&[4, 6]), "small & grey"),
        (Tensor::ones(&[1, 20, 9]), "with a channel"),
        (Tensor::ones(&[3, 5, 30]), "in colour"),
    ];
    plot::captioned(images, folder.file("captioned.svg")).unwrap();
    let svg = folder.svg("captioned.svg");
    assert_eq!(svg.matches("<image").count(), 3);
    assert!(svg.contains(">small &amp; grey</text>") && svg.contains(">in colour</text>"));
    // The larger side, 30, is magnified twice.
    assert!(
        svg.contains("width=\"12\" height=\"8\"") && svg.contains("width=\"60\" height=\"10\"")
    );
}

fn refused(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(f).unwrap_err();
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn refusals_name_what_was_given_and_what_is_allowed() {
    let messages = [
        (
            refused(|| drop(plot::confusion(vec![vec![1, 2], vec![3]], &[], "x.svg"))),
            "confusion: expected a square matrix, got 2 rows and 1 counts in row 1",
        ),
        (
            refused(|| drop(plot::captioned([(Tensor::zeros(&[9]), "")], "x.svg"))),
            "captioned: expected an image [h, w], [1, h, w] or [3, h, w], got shape [9]: convert \
             a row of numbers to an image with `reshape`",
        ),
        (
            refused(|| drop(plot::grid(&Tensor::zeros(&[9]), &GridOptions::new(), "x.png"))),
            "grid: expected images [n, h, w] or [n, c, h, w], got shape [9]",
        ),
        (
            refused(|| drop(plot::filters(&Tensor::zeros(&[4, 9]), "x.png"))),
            "filters: expected the weights [out, in, kh, kw] of a convolution, got shape [4, 9]",
        ),
        (
            refused(|| drop(plot::feature_maps(&Tensor::zeros(&[2, 3, 4, 5]), "x.png"))),
            "feature_maps: expected the output [c, h, w] or [1, c, h, w] for one image, got shape \
             [2, 3, 4, 5]: select image i of a batch with narrow(0, i, 1)",
        ),
        (
            refused(|| {
                let (a, b) = (Tensor::zeros(&[2, 4, 4]), Tensor::zeros(&[2, 16]));
                drop(plot::reconstructions(&a, &b, &GridOptions::new(), "x.png"));
            }),
            "reconstructions: inputs and outputs must have the same shape, got [2, 4, 4] and [2, \
             16]: convert the outputs to images with `reshape`",
        ),
        (
            refused(|| drop(GridOptions::new().columns(0))),
            "GridOptions::columns: columns must be at least 1, got 0",
        ),
        (
            refused(|| drop(GridOptions::new().scale(0))),
            "GridOptions::scale: scale must be at least 1, got 0",
        ),
    ];
    for (message, expected) in messages {
        assert_eq!(message, expected);
    }
}
