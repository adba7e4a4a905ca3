"""Runs an example and compares its output with a golden: python quickstart.py [--golden file] command [argument ...]

Without a file the golden is that of the quickstart, which is the same in every language.
"""

import difflib
import subprocess
import sys
from pathlib import Path

golden = Path(__file__).resolve().parent.parent / "examples/quickstart.golden.txt"
command = sys.argv[1:]
if command[0] == "--golden":
    golden, command = Path(command[1]), command[2:]
finished = subprocess.run(command, capture_output=True, text=True)
if finished.returncode != 0:
    sys.exit(f"the example fails:\n{finished.stderr}")
expected = golden.read_text().splitlines()
differences = list(difflib.unified_diff(expected, finished.stdout.splitlines(), "golden", "printed", lineterm=""))
if differences:
    sys.exit("\n".join(differences))
print(f"{golden.name}: {len(expected)} lines as in the golden ({command[-1]})")
