"""Runs a notebook in its own folder and fails if a cell fails: python run_notebook.py notebook.ipynb"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

path = Path(sys.argv[1])
notebook = nbformat.read(path, as_version=4)
NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
print(f"{path.name}: {len(cells)} cells ran")
