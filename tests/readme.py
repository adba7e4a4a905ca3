"""Runs every example of README.md, each in an empty folder, and compares what it prints with the block that follows it.

A fenced block in `python`, `js` or `rust` is a whole program; a `text` block right after it is its output. The languages to
run are the arguments (all without any); Python runs with this interpreter, which must have the wheel; Node finds the package
in the folder given by $CDP_NODE; Rust builds a crate that depends on cdp-core by path.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(python|js|rust)\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?", re.M | re.S)


def run(language: str, program: str, folder: Path) -> str:
    if language == "python":
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
        sys.exit(f"README: the {language} example fails:\n{finished.stderr}")
    return finished.stdout


def main() -> None:
    wanted = sys.argv[1:] or ["python", "js", "rust"]
    n_run = 0
    for language, program, expected in BLOCK.findall((ROOT / "README.md").read_text()):
        if language not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            printed = run(language, program, Path(folder))
        if expected and printed != expected:
            sys.exit(f"README: the {language} example prints\n{printed}and the README says\n{expected}")
        n_run += 1
    if n_run < len(wanted):
        sys.exit(f"README: {n_run} examples found for {', '.join(wanted)}")
    print(f"README: {n_run} examples ran ({', '.join(wanted)})")


main()
