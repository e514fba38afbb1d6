//! Changed files: each loader reads 1,000 of them without a panic and with little memory.

use crate::common::{gzip, reference};
use rand::Rng;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use wengert_data::idx::{self, IdxArray, IdxData};
use wengert_data::{Cifar10, Cifar100, DataError, Emnist, EmnistSplit, Mnist, Zipcode, npy};
use wengert_tensor::Philox;

/// The number of changed files for each loader.
const FILES: usize = 1000;

/// Returns a number below `bound`.
fn below(rng: &mut Philox, bound: usize) -> usize {
    (rng.next_u64() % bound.max(1) as u64) as usize
}

/// Changes a file in up to four places.
fn mutate(sound: &[u8], rng: &mut Philox) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for _ in 0..=below(rng, 4) {
        let n = bytes.len();
        // Headers are at the beginning and at the end, so change them more often.
        let at = match below(rng, 3) {
            0 => below(rng, n.min(200)),
            1 => n.saturating_sub(1 + below(rng, n.min(200))),
            _ => below(rng, n),
        };
        let end = n.min(at + 1 + below(rng, 16));
        match below(rng, 9) {
            _ if n == 0 => bytes.push(rng.next_u64() as u8),
            0 => bytes[at] = rng.next_u64() as u8,
            1 => bytes[at] ^= 1 << below(rng, 8),
            // A size of 2³² - 1 or 2⁶⁴ - 1.
            2 => bytes[at..end].fill(0xff),
            3 => bytes[at..end].fill(0),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..end)),
            // The next number of a text becomes up to 10¹² times as large.
            6 => {
                let digit = bytes[at..n.min(at + 200)].iter().position(u8::is_ascii_digit);
                let at = at + digit.unwrap_or(0);
                let nines = 1 + below(rng, 12);
                drop(bytes.splice(at..at, (0..nines).map(|_| b'9')));
            }
            7 => drop(bytes.splice(at..at, (0..end - at).map(|i| b"0123456789,.\"\n-e()"[i % 17]))),
            _ => {
                let copy = bytes[at..end].to_vec();
                let to = below(rng, n);
                drop(bytes.splice(to..to, copy));
            }
        }
    }
    bytes
}

/// Reads changed files with a loader. Most give an error.
fn each(name: &str, sound: &[u8], read: impl Fn(&[u8]) -> Result<(), DataError>) {
    read(sound).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut rng = Philox::new(sound.len() as u64);
    let mut errors = 0;
    for _ in 0..FILES {
        if let Err(error) = read(&mutate(sound, &mut rng)) {
            errors += 1;
            assert!(!error.to_string().is_empty());
        }
    }
    assert!(errors > FILES / 20, "{name}: {errors} errors of {FILES}");
}

/// Writes a new file. File systems wait for the disk when a file is overwritten.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Reads one changed file of a set whose other files are sound.
fn in_set(
    name: &str,
    files: &[(&str, Vec<u8>)],
    changed: &str,
    load: impl Fn(&Path) -> Result<(), DataError>,
) {
    let folder = tempfile::tempdir().unwrap();
    for (file, bytes) in files {
        fs::write(folder.path().join(file), bytes).unwrap();
    }
    let (_, sound) = files.iter().find(|(file, _)| *file == changed).unwrap();
    each(&format!("{name}, {changed}"), sound, |bytes| {
        replace(&folder.path().join(changed), bytes);
        load(folder.path())
    });
}

fn images(n: usize) -> Vec<u8> {
    let pixels = (0..n * 784).map(|i| (i * 7 % 256) as u8).collect();
    IdxArray::new(IdxData::U8(pixels), &[n, 28, 28]).to_bytes()
}

fn labels(n: usize) -> Vec<u8> {
    IdxArray::new(IdxData::U8((0..n as u8).collect()), &[n]).to_bytes()
}

/// All loaders. The test below runs this one in a process whose memory is limited.
#[test]
#[ignore = "the test `every_loader` runs it with limited memory"]
fn with_limited_memory() {
    let array = IdxArray::new(IdxData::F64(vec![1.5; 60]), &[3, 4, 5]).to_bytes();
    each("idx", &array, |bytes| idx::parse(bytes, "x").map(drop));
    each("idx, gzip", &gzip(&array), |bytes| idx::parse(bytes, "x").map(drop));

    let names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    let files = [images(3), labels(3), images(2), labels(2)];
    let files: Vec<_> = names.into_iter().zip(files).collect();
    for changed in &names[..2] {
        in_set("MNIST", &files, changed, |folder| Mnist::from_folder(folder).map(drop));
    }
    let names = [
        "emnist-digits-train-images-idx3-ubyte",
        "emnist-digits-train-labels-idx1-ubyte",
        "emnist-digits-test-images-idx3-ubyte",
        "emnist-digits-test-labels-idx1-ubyte",
    ];
    let files: Vec<_> = names.into_iter().zip(files.into_iter().map(|(_, bytes)| bytes)).collect();
    in_set("EMNIST", &files, names[2], |folder| {
        Emnist::from_folder(EmnistSplit::Digits, folder).map(drop)
    });

    let row =
        |labels: &[u8]| [labels.to_vec(), (0..3072).map(|i| (i % 256) as u8).collect()].concat();
    let names = [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ];
    let binary: Vec<String> = names.iter().map(|name| format!("{name}.bin")).collect();
    let files: Vec<_> = binary.iter().map(|name| (name.as_str(), row(&[7]))).collect();
    in_set("CIFAR-10", &files, "data_batch_2.bin", |folder| Cifar10::from_folder(folder).map(drop));
    let pickle = fs::read(reference("cifar10_python2.pickle")).unwrap();
    let files: Vec<_> = names.iter().map(|name| (*name, pickle.clone())).collect();
    in_set("CIFAR-10", &files, "test_batch", |folder| Cifar10::from_folder(folder).map(drop));
    let files = [("train.bin", row(&[1, 2])), ("test.bin", row(&[19, 99]))];
    in_set("CIFAR-100", &files, "test.bin", |folder| Cifar100::from_folder(folder).map(drop));
    for protocol in [2, 4] {
        let name = format!("cifar100_protocol{protocol}.pickle");
        let pickle = fs::read(reference(&name)).unwrap();
        let files = [("train", pickle.clone()), ("test", pickle)];
        in_set(&name, &files, "train", |folder| Cifar100::from_folder(folder).map(drop));
    }

    let line = format!("3 {}\n", "-0.25 ".repeat(256)).repeat(3).into_bytes();
    let files = [("zip.train", line.clone()), ("zip.test", line)];
    in_set("Zipcode", &files, "zip.train", |folder| Zipcode::from_folder(folder).map(drop));

    for name in ["float64.npy", "fortran.npy", "version_2.npy", "bool.npy", "float16.npy"] {
        let sound = fs::read(reference(name)).unwrap();
        each(name, &sound, |bytes| npy::parse(bytes, "x").map(drop));
    }
    for name in ["stored.npz", "compressed.npz"] {
        let sound = fs::read(reference(name)).unwrap();
        each(name, &sound, |bytes| npy::parse_archive(bytes, "x").map(drop));
    }
    claims();
    #[cfg(feature = "csv")]
    tables();
    #[cfg(feature = "images")]
    pictures();
}

/// Headers that claim up to 2⁶⁰ elements.
fn claims() {
    for power in [30, 32, 40, 55, 60] {
        let header =
            format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},)}}", 1u64 << power);
        let length = (header.len() as u16).to_le_bytes();
        let bytes =
            [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), &[0; 64]].concat();
        assert!(npy::parse(&bytes, "x").is_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        for bytes in [bytes.clone(), gzip(&bytes)] {
            fs::write(&path, bytes).unwrap();
            assert!(npy::read(&path).is_err());
        }
        // [2^(power - 30), 2³⁰] elements of 8 bytes.
        let mut bytes = vec![0, 0, 0x0e, 2];
        bytes.extend((1u32 << (power - 30)).to_be_bytes());
        bytes.extend((1u32 << 30).to_be_bytes());
        bytes.extend([0; 64]);
        assert!(idx::parse(&bytes, "x").is_err() && idx::parse(&gzip(&bytes), "x").is_err());
    }
    // The directory of the archive claims files of 4 GiB.
    let mut bytes = fs::read(reference("stored.npz")).unwrap();
    for at in 0..bytes.len() - 28 {
        if bytes[at..].starts_with(b"PK\x01\x02") {
            bytes[at + 20..at + 28].fill(0xff);
        }
    }
    assert!(npy::parse_archive(&bytes, "x").is_err());
}

#[cfg(feature = "csv")]
fn tables() {
    use wengert_data::{Csv, Missing};
    let text = b"size,n,\"class, of it\"\nsmall,1.5,b\n\"lar\"\"ge\",2,a\n,3,b\nsmall,4e3,c\n";
    for missing in [Missing::DropLine, Missing::FillMean] {
        each("csv", text, |bytes| {
            let table = Csv::new().missing(missing).parse(bytes, "x")?;
            // What was read can be used.
            assert_eq!(table.inputs().shape()[0], table.len());
            table.classification(2).and(table.regression(1)).map(drop)
        });
    }
}

#[cfg(feature = "images")]
fn pictures() {
    use wengert_data::ImageFolder;
    for name in ["rgb.png", "palette.png", "rgba.png", "photo.jpg"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let sound = fs::read(reference(name)).unwrap();
        fs::write(&path, &sound).unwrap();
        let set = ImageFolder::unlabeled(folder.path()).unwrap().resize(16).center_crop(16);
        each(name, &sound, |bytes| {
            replace(&path, bytes);
            set.try_batch(&[0]).map(drop)
        });
    }
}

/// 1.5 GB of address space is less than a file with a claimed size of 2³² bytes would need, and enough for the
/// program and for pictures, whose limit is 512 MiB.
#[test]
fn every_loader() {
    let program = env::current_exe().unwrap();
    let mut command = if cfg!(target_os = "linux") {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -v 1500000 && exec \"$0\" \"$@\""]).arg(&program);
        shell
    } else {
        Command::new(&program)
    };
    command.args(["--exact", "mutated::with_limited_memory", "--include-ignored"]);
    let output = command.env("RAYON_NUM_THREADS", "2").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
