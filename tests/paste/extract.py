"""Writes a Cargo project with one program for each Rust code block: extract.py REPOSITORY PROJECT."""

import pathlib
import re
import sys

root, project = map(pathlib.Path, sys.argv[1:])
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.M | re.S)


def blocks(text, default=None):
    """The (line, attributes, code) of each Rust block. `default` is the language of a block without one."""
    for match in FENCE.finditer(text):
        attributes = (match[1] or default or "").split(",")
        rust = attributes[0] == "rust" or default == "rust" and attributes[0] in ("rust", "should_panic", "no_run")
        if rust and "ignore" not in attributes and "compile_fail" not in attributes:
            yield text[: match.start()].count("\n") + 1, attributes, match[2]


def program(code):
    """The block as a main.rs: shown lines only where possible, as a reader would paste them."""
    hidden = re.compile(r"^\s*# ?", re.M)
    lines = [hidden.sub("", line) if re.match(r"^\s*#( |$)", line) else line for line in code.splitlines()]
    if any(re.match(r"\s*fn main\b", line) for line in lines):
        return "\n".join(lines) + "\n"
    # As in a documentation test: a last line of `Ok::<(), E>(())` lets the block use `?`.
    result = re.match(r"Ok::<\(\), (.*)>\(\(\)\)$", lines[-1]) if lines else None
    head = f"fn main() -> Result<(), {result[1]}> {{" if result else "fn main() {"
    return "\n".join([head, *("    " + line for line in lines), "}"]) + "\n"


def front_page():
    """The documentation at the top of src/lib.rs, as Markdown."""
    lines = (root / "src/lib.rs").read_text().splitlines()
    return "\n".join(re.sub(r"^//! ?", "", line) for line in lines if line.startswith("//!")) + "\n"


readme = (root / "README.md").read_text()
manifest = next(m[2] for m in FENCE.finditer(readme) if m[1] == "toml" and "[package]" in m[2])
manifest, found = re.subn(r'(wengert = \{ path = )"[^"]*"', lambda m: f'{m[1]}"{root}"', manifest)
assert found == 1, "the Cargo.toml of the README depends on wengert by its path"
(project / "Cargo.toml").write_text(manifest)

bins = project / "src/bin"
bins.mkdir(parents=True)
pages = [("readme", readme, None), ("front_page", front_page(), "rust")]
pages += [(path.stem, path.read_text(), None) for path in sorted((root / "docs").glob("*.md"))]
for name, text, default in pages:
    for line, attributes, code in blocks(text, default):
        note = "// compiled only\n" if {"no_run", "should_panic"} & set(attributes) else ""
        name = re.sub(r"\W", "_", name).lower()
        (bins / f"{name}_{line}.rs").write_text(note + program(code))
