//! Text as numbers: by characters or by words.

use crate::dataset::Dataset;
use crate::stratified::Share;
use std::collections::HashMap;
use wengert_tensor::Tensor;

/// The units of a text, each with its number: its characters, or its words and punctuation marks.
///
/// ```
/// use wengert::data::{DataLoader, Vocabulary, SequenceWindows, split_sequence};
///
/// fn main() -> Result<(), wengert::data::UnknownUnit> {
///     let text = "to be, or not to be: that is the question";
///     let letters = Vocabulary::of_characters(text);
///     let ids = letters.encode(text)?;
///     assert_eq!(ids.numel(), 41);
///     assert_eq!(letters.decode(&ids), text);
///
///     // Sequences of 8 characters, and for each character the next one.
///     let [train, valid] = split_sequence(&ids, [0.75, 0.25]);
///     let loader = DataLoader::new(SequenceWindows::new(train, 8), 4).shuffle(0);
///     for (x, y) in loader.epoch(0) {
///         assert_eq!(x.shape()[1..], [8]);
///         assert_eq!(x.at(&[0, 1]), y.at(&[0, 0]));
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    units: Vec<String>,
    ids: HashMap<String, i64>,
    words: bool,
    /// The number of the unit that stands for all others.
    unknown: Option<i64>,
}

/// The name of the unit that stands for all that are not in the vocabulary.
const UNKNOWN: &str = "<unk>";

/// The error for a text with a unit that the vocabulary does not have.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the vocabulary of {size} units does not contain {unit:?}, which is unit {position} of the text: make \
     the vocabulary of the whole text, or add a unit for all others with `with_unknown`"
)]
#[non_exhaustive]
pub struct UnknownUnit {
    /// The beginning of the unit.
    pub unit: String,
    /// The index of the unit in the text, counted from 0.
    pub position: usize,
    /// The number of units of the vocabulary.
    pub size: usize,
}

wengert_tensor::debug_is_display!(UnknownUnit);

impl Vocabulary {
    /// Creates the vocabulary of the characters of a text, in the order of their code points.
    pub fn of_characters(text: &str) -> Self {
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        Self::from_units(characters.into_iter().map(String::from), false)
    }

    /// Creates the vocabulary of the words of a text, the most frequent first, and of equally frequent ones the
    /// smaller string.
    ///
    /// A word is a sequence of letters and digits, with apostrophes inside. Each other character that is not
    /// white space is a unit of its own.
    ///
    /// ```
    /// use wengert::data::Vocabulary;
    /// let words = Vocabulary::of_words("the cat and the dog");
    /// assert_eq!(words.units(), ["the", "and", "cat", "dog"]);
    /// let words = words.most_frequent(2).with_unknown();
    /// let ids = words.encode("the cow and the hen").unwrap();
    /// assert_eq!(ids.to_vec(), [0, 2, 1, 0, 2]);
    /// assert_eq!(words.decode(&ids), "the <unk> and the <unk>");
    /// ```
    pub fn of_words(text: &str) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for word in words(text) {
            *counts.entry(word).or_default() += 1;
        }
        let mut found: Vec<(&str, usize)> = counts.into_iter().collect();
        found.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
        Self::from_units(found.into_iter().map(|(word, _)| word.to_string()), true)
    }

    fn from_units(units: impl Iterator<Item = String>, words: bool) -> Self {
        let units: Vec<String> = units.collect();
        let ids = units.iter().cloned().zip(0..).collect();
        Vocabulary { units, ids, words, unknown: None }
    }

    /// Returns a vocabulary of the first `count` units. Those of words are the most frequent ones.
    pub fn most_frequent(self, count: usize) -> Self {
        Self::from_units(self.units.into_iter().take(count), self.words)
    }

    /// Adds the unit `<unk>` at the end, which stands for all units that are not in the vocabulary.
    pub fn with_unknown(mut self) -> Self {
        if self.unknown.is_none() {
            let id = self.units.len() as i64;
            self.unknown = Some(id);
            self.units.push(UNKNOWN.into());
        }
        self
    }

    /// Returns the number of units.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Returns whether there are no units.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Returns the units, in the order of their numbers.
    pub fn units(&self) -> &[String] {
        &self.units
    }

    /// Returns the number of a unit, or `None` if it is not in the vocabulary.
    pub fn id(&self, unit: &str) -> Option<i64> {
        self.ids.get(unit).copied()
    }

    /// Returns the numbers of the units of a text, `[units]`.
    ///
    /// # Errors
    /// If a unit is not in the vocabulary, and it has no unit for all others.
    pub fn encode(&self, text: &str) -> Result<Tensor<i64>, UnknownUnit> {
        let mut ids = Vec::new();
        let mut add = |unit: &str| match self.id(unit).or(self.unknown) {
            Some(id) => {
                ids.push(id);
                Ok(())
            }
            None => Err(UnknownUnit {
                unit: unit.chars().take(40).collect(),
                position: ids.len(),
                size: self.len(),
            }),
        };
        if self.words {
            words(text).try_for_each(&mut add)?;
        } else {
            let mut buffer = [0; 4];
            text.chars().try_for_each(|c| add(c.encode_utf8(&mut buffer)))?;
        }
        let n = ids.len();
        Ok(Tensor::from_vec(ids, &[n]))
    }

    /// Returns the text of these numbers. Between words there are blanks, except before `.`, `,`, `;`, `:`, `!`,
    /// `?` and closing brackets, and after opening ones; the white space of the original text is not restored.
    ///
    /// # Panics
    /// If a number is not that of a unit.
    #[track_caller]
    pub fn decode(&self, ids: &Tensor<i64>) -> String {
        let mut text = String::new();
        for id in ids.to_vec() {
            let unit = usize::try_from(id).ok().and_then(|id| self.units.get(id));
            let Some(unit) = unit else {
                panic!("decode: expected numbers from 0 to {}, got {id}", self.len() as i64 - 1)
            };
            let joined = unit.starts_with(['.', ',', ';', ':', '!', '?', ')', ']', '}'])
                || text.ends_with(['(', '[', '{']);
            if self.words && !text.is_empty() && !joined {
                text.push(' ');
            }
            text.push_str(unit);
        }
        text
    }
}

/// Returns the words and the other characters of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '\'' || c == '’';
        let end = if first.is_alphanumeric() {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            // A quotation mark behind a word is no part of it.
            rest[..end].trim_end_matches(['\'', '’']).len()
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Splits a sequence into consecutive parts: lengths (`usize`) that add up to its length, or fractions (`f64`) that
/// add up to 1. Unlike a random split of windows, no part contains numbers of another.
///
/// # Panics
/// If `sequence` does not have one axis, or the shares do not add up.
#[track_caller]
pub fn split_sequence<S: Share, const N: usize>(
    sequence: &Tensor<i64>,
    shares: [S; N],
) -> [Tensor<i64>; N] {
    let shape = sequence.shape();
    assert!(shape.len() == 1, "split_sequence: expected a sequence [n], got {shape}");
    let lengths = match S::lengths(shares, shape[0]) {
        Ok(lengths) => lengths,
        Err(why) => panic!("split_sequence: {why}"),
    };
    let mut start = 0;
    lengths.map(|length| {
        start += length;
        sequence.narrow(0, start - length, length).contiguous()
    })
}

/// A data set of the windows of a sequence: `length` consecutive numbers as the input, and as the target the number
/// that follows each of them.
///
/// A batch is a pair of `[n, length]` and `[n, length]`, where the target is the input shifted by one. With
/// [`last_only`](SequenceWindows::last_only), the target is `[n]`, the number that follows the window.
#[derive(Debug, Clone)]
pub struct SequenceWindows {
    sequence: Vec<i64>,
    length: usize,
    step: usize,
    last_only: bool,
}

impl SequenceWindows {
    /// Creates the data set of all windows of this length of a sequence `[n]`.
    ///
    /// # Panics
    /// If `sequence` does not have one axis, or `length` is zero.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // the data set owns its numbers
    pub fn new(sequence: Tensor<i64>, length: usize) -> Self {
        let shape = sequence.shape();
        assert!(shape.len() == 1, "SequenceWindows::new: expected a sequence [n], got {shape}");
        assert!(length > 0, "SequenceWindows::new: length must be at least 1, got 0");
        SequenceWindows { sequence: sequence.to_vec(), length, step: 1, last_only: false }
    }

    /// Sets the distance of the starts of two windows. The default is 1. With `length`, windows do not overlap.
    ///
    /// # Panics
    /// If `step` is zero.
    #[track_caller]
    pub fn step(mut self, step: usize) -> Self {
        assert!(step > 0, "SequenceWindows::step: step must be at least 1, got 0");
        self.step = step;
        self
    }

    /// Sets whether the target is only the number that follows the window. The default is `false`.
    pub fn last_only(mut self, last_only: bool) -> Self {
        self.last_only = last_only;
        self
    }
}

impl Dataset for SequenceWindows {
    type Batch = (Tensor<i64>, Tensor<i64>);

    fn len(&self) -> usize {
        // A window and the number after it.
        match self.sequence.len().checked_sub(self.length + 1) {
            Some(rest) => rest / self.step + 1,
            None => 0,
        }
    }

    #[track_caller]
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        let n = self.len();
        if let Some(index) = indices.iter().find(|&&index| index >= n) {
            panic!("batch: index {index} is out of range for a data set of {n} examples");
        }
        let starts = || indices.iter().map(|index| index * self.step);
        let (count, length) = (indices.len(), self.length);
        let windows = |offset: usize| {
            let numbers = starts().flat_map(|start| &self.sequence[start + offset..][..length]);
            Tensor::from_vec(numbers.copied().collect(), &[count, length])
        };
        let targets = if self.last_only {
            Tensor::from_vec(
                starts().map(|start| self.sequence[start + length]).collect(),
                &[count],
            )
        } else {
            windows(1)
        };
        (windows(0), targets)
    }
}
