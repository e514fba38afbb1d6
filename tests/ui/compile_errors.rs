//! Tests rustc's messages for common mistakes. Each program is in `tests/ui/cases`, with the
//! expected message in a file next to it.
//!
//! `docs/what-rustc-says.md` explains the messages. They depend on the version of rustc
//! (`tests/ui/rustc-version`); with another version, the test compiles nothing. To renew the messages:
//!
//! ```sh
//! rustc --version > tests/ui/rustc-version
//! TRYBUILD=overwrite cargo test -p wengert-ui-tests -- --ignored
//! ```

use std::process::Command;

/// Compiles the library again in a separate folder. `.ci/run` runs this test.
#[test]
#[ignore = "checks the library a second time: half a minute of a processor"]
fn the_first_mistakes() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    let (found, recorded) = (String::from_utf8(version).unwrap(), include_str!("rustc-version"));
    if found != recorded {
        println!("not compared: the texts are of {recorded}, this is {found}");
        return;
    }
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}

/// The page contains every tested program and quotes rustc's message, except for names of types.
#[test]
fn the_page_explains_every_mistake() {
    let page = include_str!("../../docs/what-rustc-says.md");
    let mut cases = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        cases += 1;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path.with_extension("stderr")).unwrap();
        let first = text.lines().find(|line| line.starts_with("error")).unwrap();
        assert!(page.contains(&format!("tests/ui/cases/{name}.rs")), "{name} is not on the page");
        let quoted = page.lines().any(|line| without_names(line) == without_names(first));
        assert!(quoted, "the page does not quote {name}: {first}");
    }
    assert_eq!(cases, 14);
}

/// Returns a message without the text between backticks.
fn without_names(message: &str) -> String {
    message.split('`').step_by(2).collect::<Vec<_>>().join("`")
}
