"""Runs the examples of README.md and of the pages in cdp-core/docs, and compares what they print with the block that follows.

A fenced block in `python` or `js` is a whole program, and so is one in `rust,no_run`; each runs in an empty folder. A `text`
block right after it is its output. A `json` block is a definition, or a list of them, that `define` must accept. Other Rust blocks
are left to `cargo test --doc`, which runs them as parts of the crate's documentation. The languages to run are the arguments (all
without any); Python, which also takes the definitions, runs with this interpreter, which must have the wheel; Node finds the
package in the folder given by $CDP_NODE; Rust builds a crate that depends on cdp-core by path.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The page of definitions is made from the reference, whose examples `tests/tests/definitions_reference.rs` runs.
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "cdp-core/docs").glob("*.md") if page.name != "definitions.md")]
BLOCK = re.compile(r"^```(python|js|json|rust,no_run)\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?", re.M | re.S)
# Any other spelling would be skipped without a word: `javascript`, `py`, an indented fence.
UNKNOWN = re.compile(r"^[ \t]+```|^```(?!(?:python|js|rust|rust,no_run|json|text|console|)$)", re.M)


def run(page: str, language: str, program: str, folder: Path) -> str:
    if language == "json":
        program = f"import cdp, json\ncdp.open().define(json.loads({program!r}))\n"
    if language in ("python", "json"):
        command = [sys.executable, "-W", "error", "example.py"]
        (folder / "example.py").write_text(program)
    elif language == "js":
        modules = folder / "node_modules"
        modules.mkdir()
        package = Path(os.environ.get("CDP_NODE", ROOT / "cdp-node")).resolve()
        (modules / "embedded-cdp").symlink_to(package, target_is_directory=True)
        (folder / "example.js").write_text(program)
        command = ["node", "example.js"]
    else:
        (folder / "src").mkdir()
        (folder / "src/main.rs").write_text(program)
        manifest = (ROOT / "tests/consumer.toml").read_text().replace("@ROOT@", str(ROOT))
        (folder / "Cargo.toml").write_text(manifest)
        # The versions that the repository was tested with.
        (folder / "Cargo.lock").write_bytes((ROOT / "Cargo.lock").read_bytes())
        command = ["cargo", "run", "--quiet"]
        os.environ.setdefault("CARGO_TARGET_DIR", str(ROOT / "target"))
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{page}: the {language} example fails:\n{finished.stderr}")
    return finished.stdout


def main() -> None:
    wanted = sys.argv[1:] or ["python", "js", "rust"]
    counts = dict.fromkeys(wanted, 0)
    for path in PAGES:
        page, text = path.relative_to(ROOT).as_posix(), path.read_text()
        if unknown := UNKNOWN.search(text):
            line = text.count("\n", 0, unknown.start()) + 1
            sys.exit(f"{page}:{line}: a fence that no test reads; use python, js, rust, json, text or console at the margin")
        for fence, program, expected in BLOCK.findall(text):
            language = fence.removesuffix(",no_run")
            if (language if language != "json" else "python") not in wanted:
                continue
            with tempfile.TemporaryDirectory() as folder:
                printed = run(page, language, program, Path(folder))
            if expected and printed != expected:
                sys.exit(f"{page}: the {language} example prints\n{printed}and the page says\n{expected}")
            counts[language] = counts.get(language, 0) + 1
    if missing := [language for language, count in counts.items() if count == 0]:
        sys.exit(f"no example found for {', '.join(missing)}")
    print("examples ran:", ", ".join(f"{count} {language}" for language, count in counts.items()))


main()
