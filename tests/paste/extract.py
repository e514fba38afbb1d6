"""Writes the project that tests/paste/run builds: extract.py REPOSITORY PROJECT.

- `Cargo.toml` as the README prints it; only the path of `wengert` is replaced.
- `src/main.rs`: the first program of the README, as it is printed.
- `src/bin/PAGE_LINE.rs`: a program for each other Rust block of README.md, of the pages in docs/ and of the front page.
- `src/bin/documentation/`: one program with a function for each Rust block in a doc comment of `src` and `crates`. The
  functions are not called, so that rustc checks them and generates no code. `cargo test --doc` runs these blocks.
"""

import pathlib
import re
import sys

root, project = map(pathlib.Path, sys.argv[1:])
FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^ *```$", re.M | re.S)
ATTRIBUTES = {"", "rust", "should_panic", "no_run"}


def blocks(text, default=None):
    """The (line, attributes, code) of each Rust block. `default` is the language of a block without one."""
    for match in FENCE.finditer(text):
        attributes = (match[2] or default or "").split(",")
        rust = attributes[0] == "rust" or default == "rust" and attributes[0] in ATTRIBUTES
        if rust and not {"ignore", "compile_fail"} & set(attributes):
            code = re.sub(f"^{match[1]}", "", match[3], flags=re.M)
            yield text[: match.start()].count("\n") + 1, attributes, code


def program(code, name="main"):
    """The block as a program, or as an item of the program if it has another name than main.

    Only lines that the page shows are pasted. Of the lines that begin with `#` and are hidden, the last one is kept if it
    is `Ok::<(), E>(())`: it lets the block use `?`, as in a documentation test.
    """
    lines = code.splitlines()
    result = re.match(r"\s*# (Ok::<\(\), (.*)>\(\(\)\))$", lines[-1]) if lines else None
    lines = [line for line in lines if not re.match(r"\s*#( |$)", line)] + ([result[1]] if result else [])
    if any(re.match(r"\s*fn main\b", line) for line in lines):
        body = "\n".join(lines) + "\n"
        return body if name == "main" else f"mod {name} {{\n{body}}}\n"
    head = f"fn {name}() -> Result<(), {result[2]}> {{" if result else f"fn {name}() {{"
    return "\n".join([head, *("    " + line for line in lines), "}"]) + "\n"


def doc_comments(path):
    """The doc comments of a source file as Markdown. Line numbers are kept: other lines are empty."""
    return "".join(
        (comment[1] if (comment := re.match(r"\s*//[/!](?!/) ?(.*)$", line)) else "") + "\n"
        for line in path.read_text().splitlines()
    )


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


readme = (root / "README.md").read_text()
manifest = next(m[3] for m in FENCE.finditer(readme) if m[2] == "toml" and "[package]" in m[3])
manifest, found = re.subn(r'(wengert = \{ path = )"[^"]*"', lambda m: f'{m[1]}"{root}"', manifest)
assert found == 1, "the Cargo.toml of the README depends on wengert by its path"
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
            write(bins / f"{name}_{line}.rs", note + program(code))

sources = [path for folder in ("src", "crates") for path in sorted((root / folder).rglob("*.rs"))]
sources = [path for path in sources if "src" in path.relative_to(root).parts[:3] and path != front]
modules, count = [], 0
for path in sources:
    found = list(blocks(doc_comments(path), "rust"))
    if not found:
        continue
    relative = path.relative_to(root)
    name = re.sub(r"\W", "_", str(relative.with_suffix("")))
    items = [f"// {relative}:{line}\n" + program(code, f"line_{line}") for line, _, code in found]
    write(bins / f"documentation/{name}.rs", "\n".join(items))
    modules.append(f"mod {name};\n")
    count += len(found)
head = "// The Rust blocks of the doc comments. None is called.\n#![allow(dead_code, unused)]\n\n"
write(bins / "documentation/main.rs", head + "".join(modules) + "\nfn main() {}\n")
print(f"{count} blocks of doc comments in {len(modules)} files")
