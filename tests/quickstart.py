"""Runs a quickstart and compares its output with the golden: python quickstart.py command [argument ...]"""

import difflib
import subprocess
import sys
from pathlib import Path

golden = Path(__file__).resolve().parent.parent / "examples/quickstart.golden.txt"
finished = subprocess.run(sys.argv[1:], capture_output=True, text=True)
if finished.returncode != 0:
    sys.exit(f"the quickstart fails:\n{finished.stderr}")
expected = golden.read_text().splitlines()
differences = list(difflib.unified_diff(expected, finished.stdout.splitlines(), "golden", "printed", lineterm=""))
if differences:
    sys.exit("\n".join(differences))
print(f"quickstart: {len(expected)} lines as in the golden ({sys.argv[1]})")
