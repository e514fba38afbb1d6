//! Checks the pages in Markdown: links, titles and the index of terms.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The pages of the repository, with paths relative to its root.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from).into();
    pages.extend(["benches/README.md", "benches/peers/README.md"].map(PathBuf::from));
    pages.extend(["tests/mutants/README.md", "tests/reference/README.md"].map(PathBuf::from));
    for folder in ["docs", "docs/adr"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = Path::new(folder).join(entry.unwrap().file_name());
            if is_page(&path) {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 25, "{pages:?}");
    pages
}

/// The text without blocks of code.
fn prose(page: &str) -> String {
    let parts = page.split("\n```").enumerate().filter(|(i, _)| i % 2 == 0);
    parts.map(|(_, part)| part).collect()
}

/// The links `[text](target)` of a page, and the definitions `[text]: target`.
fn links(page: &str) -> Vec<(String, String)> {
    let prose = prose(page);
    let mut found = Vec::new();
    for (i, _) in prose.match_indices("](") {
        let text = &prose[..i];
        let text = &text[text.rfind('[').map_or(0, |at| at + 1)..];
        let target = prose[i + 2..].split(')').next().unwrap();
        found.push((text.replace('\n', " "), target.to_string()));
    }
    for line in prose.lines() {
        if let Some((text, target)) = line.strip_prefix('[').and_then(|it| it.split_once("]: ")) {
            found.push((text.to_string(), target.to_string()));
        }
    }
    found
}

/// The anchors of the headings of a page, as GitHub and rustdoc make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let text = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

fn title(page: &str) -> &str {
    page.lines().next().unwrap().trim_start_matches("# ")
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        for (text, target) in links(&read(&page)) {
            if target.contains("://") {
                continue;
            }
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            let exists = root().join(&path).exists();
            if !exists || !anchor.is_empty() && !anchors(&read(&path)).contains(anchor) {
                wrong.push(format!("{}: [{text}]({target})", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links without a target:\n{}", wrong.join("\n"));
    assert!(count > 100, "{count}");
}

/// A path in the text leads to a file, and not only a link.
#[test]
fn every_path_in_backticks_exists() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in ["README.md", "CONTRIBUTING.md", "docs/how-it-works.md", "docs/from-pytorch.md"] {
        let text = read(page);
        for word in prose(&text).split('`').skip(1).step_by(2) {
            let folders = ["crates/", "examples/", "docs/", "data/mnist", "benches/"];
            let is_path = folders.iter().any(|folder| word.starts_with(folder))
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if is_path {
                count += 1;
                if !root().join(word).exists() {
                    wrong.push(format!("{page}: {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "paths without a file:\n{}", wrong.join("\n"));
    assert!(count > 30, "{count}");
}

/// The table of examples in the README has a row for each, which names the features that it needs.
#[test]
fn the_readme_lists_every_example_with_its_features() {
    let (readme, manifest) = (read("README.md"), read("Cargo.toml"));
    let (_, table) = readme.split_once("| example | content |").expect("a table of examples");
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let cell = format!("`{name}`");
        let row = rows.iter().find(|row| row.split('|').nth(1).unwrap().contains(&cell));
        let row = row.unwrap_or_else(|| panic!("no row of the table names {cell}"));
        let features = format!("name = \"{name}\"\nrequired-features = [");
        let needed = manifest.split_once(&features).map_or("", |(_, rest)| rest);
        let needed = needed.split(']').next().unwrap();
        for feature in needed.split('"').skip(1).step_by(2) {
            let is_default = ["train", "plots"].contains(&feature);
            assert!(
                is_default || row.contains(&format!("--features {feature}")),
                "{cell} needs the feature `{feature}`: {row}"
            );
        }
    }
}

/// The lists of pages use the titles of the pages, so that a reader recognises them.
#[test]
fn the_lists_of_pages_use_their_titles() {
    let mut count = 0;
    for list in ["README.md", "docs/README.md"] {
        for (text, target) in links(&read(list)) {
            let path = Path::new(list).parent().unwrap().join(&target);
            let of_page = path.starts_with("docs") && is_page(&path);
            // Links to a whole folder of pages.
            if !of_page
                || target.starts_with("..")
                || ["docs", "decision records"].contains(&&*text)
            {
                continue;
            }
            let page = read(&path);
            let title = title(&page);
            // A record has its number in the title: `# 4. One backward walk`.
            let title = title.split_once(". ").map_or(title, |(_, title)| title);
            assert_eq!(text, title, "{list}: {target}");
            count += 1;
        }
    }
    assert!(count > 25, "{count}");
}

#[test]
fn the_list_of_documents_names_every_page_of_its_folder() {
    let list = links(&read("docs/README.md"));
    let listed: BTreeSet<PathBuf> =
        list.iter().map(|(_, target)| Path::new("docs").join(target)).collect();
    for page in pages().into_iter().filter(|page| page.starts_with("docs")) {
        assert!(page.ends_with("README.md") || listed.contains(&page), "{}", page.display());
    }
}

#[test]
fn readme_names_every_example() {
    let readme = read("README.md");
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(readme.contains(&format!("`{name}`")), "{name}");
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

/// The first cells of the index of terms, split at commas.
fn terms() -> Vec<String> {
    let page = read("docs/how-it-works.md");
    let (_, index) = page.split_once("| term | meaning |").expect("an index of terms");
    let rows = index.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').nth(1).unwrap().trim().to_string()).collect()
}

/// Removes plural and third-person endings: `binds`, `ends the history`.
fn stem(term: &str) -> String {
    let words = term.split(' ').map(|word| word.strip_suffix('s').unwrap_or(word));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_index_has_every_term() {
    let rows = terms();
    assert!(rows.is_sorted(), "the index is in alphabetical order: {rows:?}");
    let terms: BTreeSet<String> = rows.iter().flat_map(|row| row.split(", ")).map(stem).collect();
    let mut wanted = BTreeSet::new();
    // The page defines terms in bold. Bold text that begins with a capital letter is a heading.
    let page = read("docs/how-it-works.md");
    for (i, bold) in prose(&page).split("**").enumerate() {
        if i % 2 == 1 && bold.starts_with(char::is_lowercase) {
            wanted.insert(stem(bold));
        }
    }
    assert!(wanted.len() > 15, "{wanted:?}");
    // The states of a node are flags.
    let arena = read("crates/autograd/src/graph/arena.rs");
    let flags = arena.lines().filter_map(|line| line.strip_prefix("pub(crate) const "));
    wanted.extend(flags.map(|line| stem(&line.split(':').next().unwrap().to_lowercase())));
    // The engine lists its rules by name. A word of each name is a term.
    let engine = read("crates/autograd/src/engine/mod.rs");
    let words: BTreeSet<&str> = terms.iter().flat_map(|term| term.split(' ')).collect();
    for name in engine.lines().filter_map(|line| line.strip_prefix("//! - **")) {
        let name = name.split('.').next().unwrap().to_lowercase();
        let known = name.split(' ').any(|word| words.contains(&*stem(word)));
        assert!(known || name == "no borrow", "no term for the rule {name:?} of the engine");
    }
    // Words of the engine's documentation that are not in one of these lists.
    let further =
        ["region", "slot", "scratch", "walk", "rule input", "leaf", "reader", "alias", "hook"];
    wanted.extend(further.map(stem));
    let missing: Vec<&String> = wanted.difference(&terms).collect();
    assert!(missing.is_empty(), "not in the index of docs/how-it-works.md: {missing:?}");
}
