//! Folders of pictures.

use crate::csv::{ColumnKey, Csv};
use crate::dataset::{Dataset, TensorDataset};
use crate::error::DataError;
use crate::stratified::Labeled;
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use wengert_tensor::Tensor;

mod picture;
use picture::Preparation;

/// A data set of the PNG and JPEG pictures in a folder. A picture is read and decoded when a batch needs it.
///
/// [`ImageFolder::open`] reads the layout of torchvision, one folder for each class:
///
/// ```text
/// train/cat/0001.jpg
/// train/cat/0002.jpg
/// train/dog/a.png
/// ```
///
/// [`ImageFolder::with_labels`] reads the layout of Kaggle, one folder and a table of names and labels;
/// [`ImageFolder::unlabeled`] reads one folder without labels, such as the test pictures of a competition.
///
/// A batch has images `[n, channels, height, width]` from 0 to 1, with channels red, green and blue or one channel of
/// grey, and labels `[n]`. A picture is turned as its camera recorded (EXIF). Its images must have the same size, so prepare them:
///
/// ```no_run
/// use wengert::data::{DataLoader, ImageFolder};
/// let train = ImageFolder::open("data/pets/train").unwrap().resize(256).center_crop(224);
/// assert_eq!(train.classes(), ["cat", "dog"]);
/// train.verify().unwrap(); // decodes all pictures once
/// for (images, labels) in DataLoader::new(&train, 32).shuffle(0).epoch(0) {
///     assert_eq!(images.shape()[1..], [3, 224, 224]);
/// }
/// ```
///
/// A picture that cannot be decoded is an error of [`try_batch`](ImageFolder::try_batch), [`verify`](ImageFolder::verify)
/// and [`load`](ImageFolder::load), which names the file. A batch of a loader has no place for an error: `batch`
/// panics with the message.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    files: Vec<PathBuf>,
    labels: Vec<i64>,
    classes: Vec<String>,
    preparation: Preparation,
}

impl ImageFolder {
    /// Opens a folder that has a sub-folder for each class. The classes are in the order of their names, and so are
    /// the files of a class. Pictures in folders below belong to the class. Other files, and files and folders
    /// whose names begin with a dot, are ignored.
    ///
    /// # Errors
    /// If the folder cannot be read, or a class has no picture.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        let folder = folder.as_ref();
        let (mut files, mut labels, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
            let before = files.len();
            pictures(&path, 0, &mut files)?;
            if files.len() == before {
                let expected = "expected PNG or JPEG pictures of a class, found none".into();
                return Err(DataError::Layout { path, expected });
            }
            labels.resize(files.len(), classes.len() as i64);
            classes.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        if classes.is_empty() {
            let expected = "expected a folder with a sub-folder for each class, found none".into();
            return Err(DataError::Layout { path: folder.into(), expected });
        }
        Ok(Self::of(files, labels, classes))
    }

    /// Opens a folder of pictures with a table of their names and labels, as on Kaggle. `name` and `label` are columns
    /// of the table: their headers, or their indices. The extension of a name may be missing. The labels are sorted
    /// in alphabetical order to give the classes. Pictures that the table does not name are ignored.
    ///
    /// ```no_run
    /// use wengert::data::ImageFolder;
    /// let train = ImageFolder::with_labels("dogs/train", "dogs/labels.csv", "id", "breed").unwrap();
    /// ```
    ///
    /// # Errors
    /// If the table cannot be read, or names a picture that the folder does not have.
    pub fn with_labels(
        folder: impl AsRef<Path>,
        table: impl AsRef<Path>,
        name: impl Into<ColumnKey>,
        label: impl Into<ColumnKey>,
    ) -> Result<Self, DataError> {
        let (folder, name, label) = (folder.as_ref(), name.into(), label.into());
        // A name such as NA or an empty one is not a missing value here.
        let options = Csv::new().missing_words([""; 0]);
        let table = options.category(name.clone()).category(label.clone()).read(table)?;
        let labels = table.column(label)?;
        let names = table.column(name)?;
        let mut files = Vec::new();
        for id in names.classes().to_vec() {
            files.push(file_of(folder, &names.categories()[id as usize])?);
        }
        Ok(Self::of(files, labels.classes().to_vec(), labels.categories().to_vec()))
    }

    /// Opens a folder of pictures without labels, in the order of their names. All labels of its batches are 0.
    ///
    /// # Errors
    /// If the folder cannot be read, or has no picture.
    pub fn unlabeled(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        let folder = folder.as_ref();
        let mut files = Vec::new();
        pictures(folder, 0, &mut files)?;
        if files.is_empty() {
            let expected = "expected PNG or JPEG pictures, found none".into();
            return Err(DataError::Layout { path: folder.into(), expected });
        }
        let n = files.len();
        Ok(Self::of(files, vec![0; n], vec![String::new()]))
    }

    fn of(files: Vec<PathBuf>, labels: Vec<i64>, classes: Vec<String>) -> Self {
        ImageFolder { files, labels, classes, preparation: Preparation::default() }
    }

    /// Resizes pictures so that the shorter side has this length, with the ratio of the sides unchanged. The filter is
    /// a triangle (bilinear, with smoothing when a picture becomes smaller). The picture is resized before it
    /// is cropped.
    ///
    /// # Panics
    /// If `shorter` is zero.
    #[track_caller]
    pub fn resize(mut self, shorter: usize) -> Self {
        assert!(shorter > 0, "resize: the length of the shorter side must be at least 1, got 0");
        self.preparation.resize = Some(picture::Resize::Shorter(shorter));
        self
    }

    /// Resizes pictures to this height and width.
    ///
    /// # Panics
    /// If a length is zero.
    #[track_caller]
    pub fn resize_to(mut self, height: usize, width: usize) -> Self {
        assert!(
            height > 0 && width > 0,
            "resize_to: height and width must be at least 1, got {height} and {width}"
        );
        self.preparation.resize = Some(picture::Resize::Exact(height, width));
        self
    }

    /// Cuts out the square of this size in the middle. A smaller picture gets a black border.
    ///
    /// # Panics
    /// If `size` is zero.
    #[track_caller]
    pub fn center_crop(mut self, size: usize) -> Self {
        assert!(size > 0, "center_crop: the size must be at least 1, got 0");
        self.preparation.crop = Some(size);
        self
    }

    /// Converts pictures to grey, with one channel (0.299 R + 0.587 G + 0.114 B, ITU-R BT.601). The default is
    /// red, green and blue; a transparent picture loses its transparency.
    pub fn gray(mut self) -> Self {
        self.preparation.gray = true;
        self
    }

    /// Returns the names of the classes, in the order of the labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Returns the files, in the order of the examples.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns a batch, as [`batch`](Dataset::batch) does, or an error that names the file.
    ///
    /// # Errors
    /// If a file cannot be read or decoded, or the prepared pictures differ in size.
    ///
    /// # Panics
    /// If an index is not below the number of examples.
    #[track_caller]
    pub fn try_batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor<i64>), DataError> {
        let (bytes, shape) = self.decode(indices)?;
        Ok((Tensor::from_vec(scaled(bytes), &shape), self.labels_of(indices)))
    }

    /// Reads one picture, which need not be in the folder, prepared as those of the folder: `[1, channels, height, width]`.
    /// This is what a trained model takes.
    ///
    /// ```no_run
    /// use wengert::data::ImageFolder;
    /// let train = ImageFolder::open("pets/train").unwrap().resize(256).center_crop(224);
    /// let mine = train.read("mine.jpg").unwrap();
    /// assert_eq!(mine.shape(), [1, 3, 224, 224]);
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read or decoded.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Tensor, DataError> {
        let (bytes, [height, width]) = self.preparation.read(path.as_ref())?;
        Ok(Tensor::from_vec(scaled(bytes), &[1, self.preparation.channels(), height, width]))
    }

    /// Decodes all pictures, one after the other, and forgets them. Call it before training, which a damaged picture
    /// would interrupt.
    ///
    /// # Errors
    /// If a file cannot be read or decoded, or the prepared pictures differ in size.
    pub fn verify(&self) -> Result<(), DataError> {
        let mut first = None;
        for start in (0..self.files.len()).step_by(64) {
            let end = self.files.len().min(start + 64);
            // The first picture again, so that all pictures are compared with it in size.
            let indices: Vec<usize> = first.into_iter().chain(start..end).collect();
            self.decode(&indices)?;
            first = Some(0);
        }
        Ok(())
    }

    /// Decodes all pictures now, and returns them as a data set in memory, as bytes.
    ///
    /// # Errors
    /// If a file cannot be read or decoded, or the prepared pictures differ in size.
    pub fn load(&self) -> Result<TensorDataset<u8>, DataError> {
        let all: Vec<usize> = (0..self.files.len()).collect();
        let (bytes, shape) = self.decode(&all)?;
        Ok(TensorDataset::new(Tensor::from_vec(bytes, &shape), self.labels_of(&all)))
    }

    fn labels_of(&self, indices: &[usize]) -> Tensor<i64> {
        Tensor::from_fn(&[indices.len()], |i| self.labels[indices[i]])
    }

    /// Decodes pictures. Returns their bytes and the shape.
    #[track_caller]
    fn decode(&self, indices: &[usize]) -> Result<(Vec<u8>, [usize; 4]), DataError> {
        let n = self.files.len();
        if let Some(index) = indices.iter().find(|&&index| index >= n) {
            panic!("batch: index {index} is out of range for a data set of {n} examples");
        }
        let decode = |&index: &usize| self.preparation.read(&self.files[index]);
        let pictures: Result<Vec<_>, DataError> = indices.par_iter().map(decode).collect();
        let pictures = pictures?;
        let Some((first, size)) = pictures.first().map(|(bytes, size)| (bytes.len(), *size)) else {
            return Ok((Vec::new(), [0, self.preparation.channels(), 0, 0]));
        };
        let other = pictures.iter().position(|(_, other)| *other != size);
        if let Some(other) = other {
            let ([height, width], [h, w]) = (pictures[other].1, size);
            return Err(DataError::Layout {
                path: self.files[indices[other]].clone(),
                expected: format!(
                    "expected a picture of {h}×{w} pixels as {}, found {height}×{width}: call \
                     resize_to, or resize and center_crop",
                    self.files[indices[0]].display()
                ),
            });
        }
        let mut bytes = Vec::with_capacity(first * pictures.len());
        for (picture, _) in pictures {
            bytes.extend(picture);
        }
        Ok((bytes, [indices.len(), self.preparation.channels(), size[0], size[1]]))
    }
}

impl Dataset for ImageFolder {
    type Batch = (Tensor, Tensor<i64>);

    fn len(&self) -> usize {
        self.files.len()
    }

    /// # Panics
    /// If a file cannot be read or decoded, or the prepared pictures differ in size. The message is that of the
    /// error of [`try_batch`](ImageFolder::try_batch).
    #[track_caller]
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        match self.try_batch(indices) {
            Ok(batch) => batch,
            Err(error) => panic!("ImageFolder: {error}"),
        }
    }
}

impl Labeled for ImageFolder {
    fn labels(&self) -> Vec<i64> {
        self.labels.clone()
    }
}

/// The extensions of pictures.
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];
/// The maximum number of folders that contain each other. Links can make circles.
const DEPTH: usize = 16;

/// Returns numbers from 0 to 1.
fn scaled(bytes: Vec<u8>) -> Vec<f32> {
    bytes.into_iter().map(|byte| f32::from(byte) / 255.0).collect()
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().map(|it| it.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|it| EXTENSIONS.contains(&it.as_str()))
}

/// Returns the files and folders of a folder in the order of their names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::Io { path: folder.into(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !path.file_name().unwrap_or_default().to_string_lossy().starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn pictures(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    for path in entries(folder)? {
        if path.is_dir() {
            if depth < DEPTH {
                pictures(&path, depth + 1, files)?;
            }
        } else if is_picture(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the path of a picture that a table names, with or without its extension.
fn file_of(folder: &Path, name: &str) -> Result<PathBuf, DataError> {
    let path = folder.join(name);
    let with = |extension: &str| folder.join(format!("{name}.{extension}"));
    let known =
        EXTENSIONS.map(with).into_iter().chain(EXTENSIONS.map(|it| with(&it.to_uppercase())));
    let found = std::iter::once(path.clone()).chain(known).find(|path| path.is_file());
    found.ok_or_else(|| DataError::Layout {
        path,
        expected: "the table names this picture, but there is no such file, also not with the \
                   extension png, jpg or jpeg"
            .into(),
    })
}
