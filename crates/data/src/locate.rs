//! The search for the files of a data set.

use crate::error::{DataError, SearchedFolder};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variable that names the user's folder of data sets.
pub(crate) const VARIABLE: &str = "WENGERT_DATA";

/// The remedy in messages about missing files. Each data set of several files has the method.
const FETCH: &str = if cfg!(feature = "download") {
    "To fetch them, call load_or_download instead of load."
} else {
    "To fetch them, enable the feature `download` and call load_or_download instead of load."
};

/// A data set of several files.
pub(crate) struct Files<const N: usize> {
    /// The name of the data set in messages.
    pub set: &'static str,
    /// The name of its sub-folder in a folder of data sets.
    pub folder: &'static str,
    /// A sentence that says where to get the files.
    pub source: &'static str,
    /// Names of the sub-folder that other libraries use.
    pub elsewhere: &'static [&'static str],
    /// Whether other data sets have files with the same names. If so, the folder that the environment
    /// variable names is accepted only if it is called `folder` or has a name of `elsewhere`.
    pub ambiguous: bool,
    /// The names of the files, as published.
    pub names: [&'static str; N],
}

/// The properties of the process that the search depends on. Tests set them.
pub(crate) struct Surroundings {
    pub variable: Option<OsString>,
    pub current_dir: Option<PathBuf>,
    pub workspace: Option<PathBuf>,
    pub cache: Option<PathBuf>,
}

impl Surroundings {
    pub fn of_process() -> Self {
        // In a clone of the repository (or cargo's checkout of it) the data folder is two folders above
        // this crate. A published crate has no such folder, and none is searched.
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        Surroundings {
            variable: env::var_os(VARIABLE).filter(|value| !value.is_empty()),
            current_dir: env::current_dir().ok(),
            workspace: workspace.map(Path::to_path_buf),
            cache: user_cache(),
        }
    }
}

#[cfg(feature = "download")]
impl Surroundings {
    /// Returns the folder into which a data set is fetched. `Files::find` finds it there.
    pub fn folder(&self, of_set: &str) -> PathBuf {
        let root = self.variable.as_ref().map(PathBuf::from).or_else(|| self.cache.clone());
        root.unwrap_or_else(|| "data".into()).join(of_set)
    }
}

/// Returns the folder `wengert` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`,
/// `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
fn user_cache() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    };
    cache.map(|cache| cache.join("wengert"))
}

impl<const N: usize> Files<N> {
    /// Finds the files in a folder or in its sub-folder for this data set.
    pub fn in_folder(&self, folder: &Path) -> Result<[PathBuf; N], DataError> {
        self.first_complete(self.in_or_under(folder), || "Check the folder's name.".into())
    }

    /// Finds the files in the first folder that contains all of them.
    ///
    /// If the environment variable is set, no other folder is searched. A mistake in it must be an error and
    /// must not silently load other data.
    pub fn find(&self, surroundings: &Surroundings) -> Result<[PathBuf; N], DataError> {
        if let Some(folder) = &surroundings.variable {
            let folder = Path::new(folder);
            let mut places = self.in_or_under(folder);
            let own = |name: &&str| folder.ends_with(name);
            if self.ambiguous && !std::iter::once(&self.folder).chain(self.elsewhere).any(own) {
                places[0] = folder.join(self.folder);
                places.dedup();
            }
            return self.first_complete(places, || {
                format!("These come from the environment variable {VARIABLE}: correct it, or unset it to search elsewhere.")
            });
        }
        let inside = Path::new("data").join(self.folder);
        let mut places: Vec<PathBuf> = Vec::new();
        if let Some(dir) = &surroundings.current_dir {
            places.push(dir.join(&inside));
            places.extend(
                dir.ancestors().skip(1).map(|dir| dir.join(&inside)).filter(|place| place.is_dir()),
            );
        }
        places.extend(
            surroundings
                .workspace
                .iter()
                .map(|dir| dir.join(&inside))
                .filter(|place| place.is_dir()),
        );
        places.extend(surroundings.cache.iter().map(|dir| dir.join(self.folder)));
        places.dedup();
        self.first_complete(places, || {
            let packed = plain(self.names[0]) != self.names[0];
            let or = if packed { "without" } else { "with" };
            format!(
                "Put {} (or the same {or} .gz) into one of these folders, or set {VARIABLE} to the folder that has them. {} {FETCH}",
                self.names.join(", "),
                self.source
            )
        })
    }

    fn in_or_under(&self, folder: &Path) -> Vec<PathBuf> {
        let under = std::iter::once(&self.folder).chain(self.elsewhere);
        let under = under.map(|name| folder.join(name)).filter(|place| place.is_dir());
        std::iter::once(folder.to_path_buf()).chain(under).collect()
    }

    fn first_complete(
        &self,
        places: Vec<PathBuf>,
        advice: impl Fn() -> String,
    ) -> Result<[PathBuf; N], DataError> {
        let mut looked = Vec::new();
        for folder in places {
            let found = self.names.map(|name| {
                spellings(name).map(|name| folder.join(name)).find(|path| path.is_file())
            });
            let missing = found.iter().zip(self.names).filter(|(path, _)| path.is_none());
            let missing: Vec<String> =
                missing.map(|(_, name)| format!("{}[.gz]", plain(name))).collect();
            if missing.is_empty() {
                return Ok(found.map(Option::unwrap_or_default));
            }
            let missing = if folder.is_dir() { missing } else { Vec::new() };
            looked.push(SearchedFolder { folder, missing });
        }
        Err(DataError::NotFound { set: self.set, looked, advice: advice() })
    }
}

/// Returns the name of the uncompressed file.
fn plain(name: &'static str) -> &'static str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// Returns the accepted names of a file: `train-images-idx3-ubyte`, `train-images.idx3-ubyte`, and both
/// with `.gz`.
fn spellings(name: &'static str) -> impl Iterator<Item = String> {
    ["", ".gz"].into_iter().flat_map(move |gz| {
        ["-idx", ".idx"].map(|idx| format!("{}{gz}", plain(name).replace("-idx", idx)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const PAIR: Files<2> = Files {
        set: "Pair",
        folder: "pair",
        source: "Ask a friend.",
        elsewhere: &[],
        ambiguous: false,
        names: ["a-idx.gz", "b-idx.gz"],
    };

    fn put(folder: PathBuf) -> PathBuf {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a-idx"), "").unwrap();
        fs::write(folder.join("b.idx.gz"), "").unwrap();
        folder
    }

    /// The search finds the variable's folder, folders above the current one, the workspace and the cache,
    /// in this order.
    #[test]
    fn the_search_tries_places_in_the_documented_order() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let mut around = Surroundings {
            variable: None,
            current_dir: Some(at("home/project/src/deep")),
            workspace: Some(at("clone")),
            cache: Some(at("cache/wengert")),
        };
        let found = |around: &Surroundings| {
            PAIR.find(around).map(|[a, _]| a.parent().map(Path::to_path_buf))
        };

        let error = found(&around).unwrap_err().to_string();
        for part in [
            "Pair not found",
            "deep/data/pair: no such folder",
            "cache/wengert/pair",
            "a-idx.gz, b-idx.gz (or the same without .gz)",
            "Ask a friend.",
            VARIABLE,
        ] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        assert!(
            !error.contains("clone"),
            "a folder that is not there is not worth a word: {error}"
        );

        let cache = put(at("cache/wengert/pair"));
        assert_eq!(found(&around).unwrap(), Some(cache));
        let clone = put(at("clone/data/pair"));
        assert_eq!(found(&around).unwrap(), Some(clone));
        let project = put(at("home/project/data/pair"));
        assert_eq!(found(&around).unwrap(), Some(project));
        let near = put(at("home/project/src/deep/data/pair"));
        assert_eq!(found(&around).unwrap(), Some(near));

        // If the variable is set, no other folder is searched, even if the variable's folder does not exist.
        around.variable = Some(at("mine").into());
        let error = found(&around).unwrap_err().to_string();
        assert!(
            error.contains("mine: no such folder") && error.contains("correct it, or unset it"),
            "{error}"
        );
        let under = put(at("mine/pair"));
        assert_eq!(found(&around).unwrap(), Some(under));
        let itself = put(at("mine"));
        assert_eq!(found(&around).unwrap(), Some(itself));
    }

    /// A data set is fetched into a folder in which the search finds it.
    #[cfg(feature = "download")]
    #[test]
    fn what_is_fetched_is_found() {
        for ambiguous in [false, true] {
            let pair = Files { ambiguous, ..PAIR };
            for variable in [false, true] {
                let root = tempfile::tempdir().unwrap();
                let place = root.path().to_path_buf();
                let around = Surroundings {
                    variable: variable.then(|| place.clone().into()),
                    current_dir: None,
                    workspace: None,
                    cache: (!variable).then_some(place),
                };
                let folder = put(around.folder(pair.folder));
                assert_eq!(pair.find(&around).unwrap()[0], folder.join("a-idx"));
            }
        }
        let nowhere =
            Surroundings { variable: None, current_dir: None, workspace: None, cache: None };
        assert_eq!(nowhere.folder("pair"), Path::new("data/pair"));
    }

    /// Files of another data set with the same names are not accepted.
    #[test]
    fn files_of_another_data_set_with_the_same_names_are_not_accepted() {
        let root = tempfile::tempdir().unwrap();
        let other = put(root.path().join("other"));
        let twin = Files { ambiguous: true, ..PAIR };
        let mut around = Surroundings {
            variable: Some(other.clone().into()),
            current_dir: None,
            workspace: None,
            cache: None,
        };
        let error = twin.find(&around).unwrap_err().to_string();
        assert!(error.contains("other/pair: no such folder"), "{error}");
        assert!(twin.in_folder(&other).is_ok(), "a folder given by hand is the user's word");
        let own = put(other.join("pair"));
        assert_eq!(twin.find(&around).unwrap()[0], own.join("a-idx"));
        around.variable = Some(own.clone().into());
        assert_eq!(twin.find(&around).unwrap()[0], own.join("a-idx"));
    }

    #[test]
    fn the_search_continues_after_an_incomplete_folder() {
        let root = tempfile::tempdir().unwrap();
        let part = put(root.path().join("data/pair"));
        fs::remove_file(part.join("a-idx")).unwrap();
        let cache = put(root.path().join("cache/pair"));
        let around = Surroundings {
            variable: None,
            current_dir: Some(root.path().into()),
            workspace: None,
            cache: Some(root.path().join("cache")),
        };
        assert_eq!(PAIR.find(&around).unwrap(), [cache.join("a-idx"), cache.join("b.idx.gz")]);
        fs::remove_dir_all(&cache).unwrap();
        let error = PAIR.find(&around).unwrap_err().to_string();
        assert!(error.contains("data/pair: lacks a-idx[.gz]\n"), "{error}");
    }
}
