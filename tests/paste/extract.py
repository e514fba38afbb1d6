"""Writes the project that tests/paste/run builds: extract.py REPOSITORY PROJECT.

- `Cargo.toml` as the README prints it, with another path of `wengert`. The feature `all` is added: with it, the program
  `documentation` is built, for which all features of `wengert` are enabled.
- `src/main.rs`: the first program of the README, as it is printed.
- `src/bin/lesson_NAME.rs`: the lessons of examples/. They have no options, and they need nothing but `wengert`. For those that need
  features that are disabled by default, all features are enabled.
- `src/bin/PAGE_LINE.rs`: a program for each other Rust block of README.md, of the pages in docs/ and of the front page.
- `src/bin/documentation/`: one program with a function for each Rust block in a doc comment, or in a page, of `src` and `crates`. The
  functions are not called, so that rustc checks them and generates no code. `cargo test --doc` runs these blocks.
"""

import pathlib
import re
import sys

root, project = map(pathlib.Path, sys.argv[1:])
FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^ *```$", re.M | re.S)
MORE_LESSONS = {"newton", "batch_or_stochastic"}
ATTRIBUTES = {"", "rust", "should_panic", "no_run"}


def blocks(text, default=None):
    """The (line, attributes, code) of each Rust block. `default` is the language of a block without one."""
    for match in FENCE.finditer(text):
        attributes = (match[2] or default or "").split(",")
        rust = attributes[0] == "rust" or default == "rust" and attributes[0] in ATTRIBUTES
        if rust and not {"ignore", "compile_fail"} & set(attributes):
            code = re.sub(f"^{match[1]}", "", match[3], flags=re.M)
            yield text[: match.start()].count("\n") + 1, attributes, code


def program(place, code, name="main"):
    """The block as a program, or as an item of the program if it has another name than main.

    A page does not show lines that begin with `#` and a space, so that a reader cannot paste them.
    """
    lines = code.splitlines()
    hidden = [line for line in lines if re.match(r"\s*#( |$)", line)]
    assert not hidden, f"{place}: the program needs the hidden line `{hidden[0].strip()}`: show it"
    if any(re.match(r"\s*fn main\b", line) for line in lines):
        body = "\n".join(lines) + "\n"
        return body if name == "main" else f"mod {name} {{\n{body}}}\n"
    return "\n".join([f"fn {name}() {{", *("    " + line for line in lines), "}"]) + "\n"


def doc_comments(path):
    """The doc comments of a source file as Markdown. Line numbers are kept: other lines are empty."""
    if path.suffix == ".md":
        return path.read_text()
    return "".join(
        (comment[1] if (comment := re.match(r"\s*//[/!](?!/) ?(.*)$", line)) else "") + "\n"
        for line in path.read_text().splitlines()
    )


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


examples = (root / "examples").glob("*.rs")
lessons = [path for path in sorted(examples) if re.match(r"\d\d_", path.name) or path.stem in MORE_LESSONS]
assert len(lessons) >= 9 + len(MORE_LESSONS), lessons
listed = re.findall(r'name = "(\w+)"\nrequired-features = \[(.*)\]', (root / "Cargo.toml").read_text())
needs = {name: set(re.findall(r"\w+", features)) - {"train", "plots"} for name, features in listed}

readme = (root / "README.md").read_text()
manifest = next(m[3] for m in FENCE.finditer(readme) if m[2] == "toml" and "[package]" in m[3])
manifest, found = re.subn(r'(wengert = \{ path = )"[^"]*"', lambda m: f'{m[1]}"{root}"', manifest)
assert found == 1, "the Cargo.toml of the README depends on wengert by its path"
# Doc comments also describe what is behind features that are disabled by default.
manifest += """
[features]
all = ["wengert/csv", "wengert/download", "wengert/images", "wengert/linalg", "wengert/random"]

[[bin]]
name = "documentation"
required-features = ["all"]
"""
for path in lessons:
    name = f"lesson_{path.stem}"
    write(project / f"src/bin/{name}.rs", path.read_text())
    if needs.get(path.stem):
        manifest += f'\n[[bin]]\nname = "{name}"\nrequired-features = ["all"]\n'
write(project / "Cargo.toml", manifest)

_, _, first = next(blocks(readme))
assert "fn main()" in first, "the first Rust block of the README is a whole program"
write(project / "src/main.rs", first)

bins = project / "src/bin"
front = root / "src/lib.rs"
pages = [("readme", readme, None), ("front_page", doc_comments(front), "rust")]
pages += [(path.stem, path.read_text(), None) for path in sorted((root / "docs").glob("*.md"))]
for name, text, default in pages:
    name = re.sub(r"\W", "_", name).lower()
    for line, attributes, code in blocks(text, default):
        if code != first:
            note = "// compiled only\n" if {"no_run", "should_panic"} & set(attributes) else ""
            write(bins / f"{name}_{line}.rs", note + program(f"{name}:{line}", code))

# Pages beside the sources are doc comments, too: `include_str!` reads them.
patterns = [(folder, pattern) for folder in ("src", "crates") for pattern in ("*.rs", "*.md")]
sources = [path for folder, pattern in patterns for path in sorted((root / folder).rglob(pattern))]
sources = [path for path in sources if "src" in path.relative_to(root).parts[:3] and path != front]
modules, count = [], 0
for path in sources:
    found = list(blocks(doc_comments(path), "rust"))
    if not found:
        continue
    relative = path.relative_to(root)
    name = re.sub(r"\W", "_", str(relative.with_suffix("")))
    items = [f"// {relative}:{line}\n" + program(f"{relative}:{line}", code, f"line_{line}") for line, _, code in found]
    write(bins / f"documentation/{name}.rs", "\n".join(items))
    modules.append(f"mod {name};\n")
    count += len(found)
head = "// The Rust blocks of the doc comments. None is called.\n#![allow(dead_code, unused)]\n\n"
write(bins / "documentation/main.rs", head + "".join(modules) + "\nfn main() {}\n")
print(f"{count} blocks of doc comments in {len(modules)} files")
