//! Text: vocabularies and windows, compared with plain strings.

use crate::common::real;
use wengert_data::{DataLoader, Dataset, SequenceWindows, Vocabulary, split_sequence};
use wengert_tensor::Tensor;

#[test]
fn characters_there_and_back() {
    for text in ["", "hello", "Grüße, 東京! 🦀\n\ttabs", "aaa"] {
        let letters = Vocabulary::of_characters(text);
        let ids = letters.encode(text).unwrap();
        assert_eq!(ids.numel(), text.chars().count());
        assert_eq!(letters.decode(&ids), text);
        assert!(letters.units().windows(2).all(|pair| pair[0] < pair[1]));
    }
    let error = Vocabulary::of_characters("abc").encode("abxc").unwrap_err();
    assert_eq!((error.unit.as_str(), error.position, error.size), ("x", 2, 3));
    assert!(error.to_string().contains("does not contain \"x\", which is unit 2 of the text"));
}

#[test]
fn words_and_marks() {
    let text = "Don't stop (now), said the 'old' man: 3 men didn't.";
    let words = Vocabulary::of_words(text);
    let ids = words.encode(text).unwrap();
    let units: Vec<&str> =
        ids.to_vec().iter().map(|&id| words.units()[id as usize].as_str()).collect();
    assert_eq!(
        units,
        [
            "Don't", "stop", "(", "now", ")", ",", "said", "the", "'", "old", "'", "man", ":", "3",
            "men", "didn't", "."
        ]
    );
    assert_eq!(words.decode(&ids), "Don't stop (now), said the ' old ' man: 3 men didn't.");
    // The most frequent word is first.
    let words = Vocabulary::of_words("b a b c b a");
    assert_eq!(words.units(), ["b", "a", "c"]);
    let small = words.most_frequent(1).with_unknown().with_unknown();
    assert_eq!((small.len(), small.id("a"), small.id("b")), (2, None, Some(0)));
    assert_eq!(small.encode("a b d").unwrap().to_vec(), [1, 0, 1]);
}

#[test]
fn windows_are_shifted_by_one() {
    let sequence = Tensor::<i64>::from_fn(&[10], |i| (i * i) as i64);
    let windows = SequenceWindows::new(sequence.clone(), 4);
    assert_eq!(windows.len(), 6);
    let (x, y) = windows.batch(&[5, 0]);
    assert_eq!(x, Tensor::from([[25i64, 36, 49, 64], [0, 1, 4, 9]]));
    assert_eq!(y, Tensor::from([[36i64, 49, 64, 81], [1, 4, 9, 16]]));
    let apart = SequenceWindows::new(sequence.clone(), 4).step(4).last_only(true);
    assert_eq!(apart.len(), 2);
    let (x, y) = apart.batch(&[1]);
    assert_eq!((x.to_vec(), y.to_vec()), (vec![16, 25, 36, 49], vec![64]));
    for (length, expected) in [(9, 1), (10, 0), (20, 0)] {
        assert_eq!(SequenceWindows::new(sequence.clone(), length).len(), expected);
    }
    // Each example once in an epoch.
    let mut starts: Vec<i64> = DataLoader::new(windows, 4)
        .shuffle(1)
        .epoch(0)
        .flat_map(|(x, _)| x.narrow(1, 0, 1).to_vec())
        .collect();
    starts.sort_unstable();
    assert_eq!(starts, [0, 1, 4, 9, 16, 25]);
}

#[test]
#[should_panic(expected = "batch: index 6 is out of range for a data set of 6 examples")]
fn no_such_window() {
    SequenceWindows::new(Tensor::<i64>::from_fn(&[10], |i| i as i64), 4).batch(&[6]);
}

#[test]
fn parts_do_not_overlap() {
    let sequence = Tensor::<i64>::from_fn(&[10], |i| i as i64);
    let [train, valid] = split_sequence(&sequence, [0.9, 0.1]);
    assert_eq!((train.numel(), valid.to_vec()), (9, vec![9]));
    let [a, b, c] = split_sequence(&sequence, [2, 3, 5]);
    assert_eq!([a.to_vec(), b.to_vec(), c.to_vec()].concat(), sequence.to_vec());
}

#[test]
#[should_panic(expected = "split_sequence: the lengths [3, 3] must add up to the 10 examples")]
fn parts_that_do_not_add_up() {
    split_sequence(&Tensor::<i64>::from_fn(&[10], |i| i as i64), [3, 3]);
}

#[test]
fn the_real_text() {
    let Some(folder) = real("tinyshakespeare") else { return };
    let text = std::fs::read_to_string(folder.join("input.txt")).unwrap();
    let letters = Vocabulary::of_characters(&text);
    assert_eq!(letters.len(), 65);
    let ids = letters.encode(&text).unwrap();
    assert_eq!(ids.numel(), 1_115_394);
    assert_eq!(letters.decode(&ids), text);
    let words = Vocabulary::of_words(&text).most_frequent(1000).with_unknown();
    assert_eq!(words.units()[0], ",");
    assert!(words.encode(&text).is_ok());
}
