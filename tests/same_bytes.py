#!/usr/bin/env python3
"""Proves that a change of the code left every stored byte as it was: the stores of a base commit and of this tree.

    make same-bytes BASE=<commit>          or  python3 tests/same_bytes.py <commit>

Both sides are built from their own sources and make the same stores with a fixed clock and fixed profile ids: the demo,
every vector, and, where the shared data is there (`$SHARED`, else ../shared), the retail orders and the clickstream. The
inputs are those of the base. Then every table is compared row by row in the order of its key, with the schema, the
fingerprint and the answers of all calls. Exit code 1 names each store and table that differs and the key of the first
row that does; the comparison first proves on a copy of a store that it sees a single changed cell. `--tables-only`
leaves the answers out, for a change that rewords an answer by intention; `--whole` takes all rows of the shared files
instead of the first 100,000. The base is kept below build/same-bytes, so
that a second run builds and fills this tree's side alone. Standard library only.
"""

import argparse
import gzip
import hashlib
import io
import itertools
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
WORK = ROOT / "build/same-bytes"
WORKER = "tests/src/bin/same_bytes_worker.rs"
SHARED_INPUTS = {"retail": "retail/online_retail.csv.gz", "clickstream": "clickstream/retentioneering_ecom.csv.gz"}
# Enough for several runs, compactions and a second open, in a tenth of the time.
FIRST_ROWS = 100_000
SHOWN_DIFFERENCES = 20


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def git(*arguments):
    return run("git", "-C", ROOT, *arguments, stdout=subprocess.PIPE).stdout


def tree_of(commit):
    """The sources of a commit, with the present worker among them."""
    tree = WORK / commit[:12] / "tree"
    if not tree.exists():
        partial = tree.with_name("tree.partial")
        shutil.rmtree(partial, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(git("archive", commit))) as archive:
            archive.extractall(partial)
        partial.rename(tree)
    worker = (ROOT / WORKER).read_bytes()
    if not (tree / WORKER).exists() or (tree / WORKER).read_bytes() != worker:
        (tree / WORKER).write_bytes(worker)
    return tree


def build(tree, programs):
    """Builds the worker and the demo of a tree; both sides share a target folder, so the dependencies are built once."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    options = {"cwd": tree, "env": {**os.environ, "CARGO_TARGET_DIR": str(target)}}
    # In one call, so that both are of one state of the sources.
    programs_of = ("--package", "cdp-tests", "--bin", "same_bytes_worker", "--package", "cdp-examples", "--example", "demo")
    run("cargo", "build", "--quiet", "--locked", *programs_of, **options)
    programs.mkdir(parents=True, exist_ok=True)
    for built in ("same_bytes_worker", "examples/demo"):
        shutil.copy2(target / "debug" / built, programs)


def inputs(whole):
    """The files of the shared data that are there: all of each, or its first rows as a file of their own."""
    shared = pathlib.Path(os.environ.get("SHARED", ROOT / "../shared")).resolve() / "data"
    found = {name: shared / path for name, path in SHARED_INPUTS.items() if (shared / path).exists()}
    for name in SHARED_INPUTS.keys() - found.keys():
        print(f"same-bytes: SKIPPED {name}: {SHARED_INPUTS[name]} is not there; set SHARED to the shared data's folder")
    if whole:
        return found
    first = {}
    for name, path in found.items():
        first[name] = WORK / f"{name}-{FIRST_ROWS}.csv"
        WORK.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "rt", newline="") as source, open(first[name], "w", newline="") as target:
            target.writelines(itertools.islice(source, FIRST_ROWS + 1))
    return first


def fill(programs, data, stores, found):
    shutil.rmtree(stores, ignore_errors=True)
    stores.mkdir(parents=True)
    demo = run(programs / "demo", stores / "demo", stdout=subprocess.PIPE).stdout
    (stores / "demo/shop.answers").write_bytes(demo)
    # Vectors may write exports: in the folder of the stores, where they are compared too.
    options = {"cwd": stores, "stdout": subprocess.DEVNULL}
    run(programs / "same_bytes_worker", "vectors", data, stores, **options)
    for name, path in found.items():
        run(programs / "same_bytes_worker", name, data, stores, path, **options)


def side(name, tree, data, folder, found):
    """The stores of one side, made again unless program and inputs are those that made them."""
    build(tree, folder / "programs")
    made_by = hashlib.sha256(repr(sorted(found.items())).encode())
    for program in ("same_bytes_worker", "demo"):
        made_by.update((folder / "programs" / program).read_bytes())
    mark = folder / "made-by"
    if not mark.exists() or mark.read_text() != made_by.hexdigest():
        mark.unlink(missing_ok=True)
        print(f"same-bytes: the stores of {name} are being made", flush=True)
        fill(folder / "programs", data, folder / "stores", found)
        mark.write_text(made_by.hexdigest())
    return folder / "stores"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def rows(store, table):
    """The names of a table's key columns and its rows in their order; without a key, in the order of all columns."""
    columns = [(row[1], row[5]) for row in store.execute(f"PRAGMA table_info({quoted(table)})")]
    names = [name for name, _ in columns]
    key = [name for name, place in sorted(columns, key=lambda column: column[1]) if place]
    order = ", ".join(quoted(name) for name in key or names)
    return key, names, store.execute(f"SELECT * FROM {quoted(table)} ORDER BY {order}")


def difference_of_tables(left, right, table):
    """None, or where a table of two stores differs first. A cell's value is never printed: it may be personal."""
    key, names, left_rows = rows(left, table)
    _, _, right_rows = rows(right, table)
    for number, (one, other) in enumerate(itertools.zip_longest(left_rows, right_rows)):
        # By type as well: 1 and 1.0 are two values in a file, and no NaN equals itself.
        if one == other and repr(one) == repr(other):
            continue
        if one is None or other is None:
            return f"row {number + 1} is {'missing' if other is None else 'new'}"
        changed = [name for name, a, b in zip(names, one, other) if repr(a) != repr(b)]
        at = ", ".join(f"{name} {one[names.index(name)]!r}" for name in key)
        return f"row {number + 1} ({at}): column {', '.join(changed)}"
    return None


def compare_stores(left_path, right_path):
    """What differs between two store files."""
    found = []
    left, right = (sqlite3.connect(f"file:{path}?mode=ro", uri=True) for path in (left_path, right_path))
    try:
        for pragma in ("user_version", "application_id", "page_size", "auto_vacuum"):
            if left.execute(f"PRAGMA {pragma}").fetchone() != right.execute(f"PRAGMA {pragma}").fetchone():
                found.append(f"pragma {pragma}")
        schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
        if left.execute(schema).fetchall() != right.execute(schema).fetchall():
            return [*found, "the schema"]
        tables = [name for (name,) in left.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        for table in tables:
            difference = difference_of_tables(left, right, table)
            if difference:
                found.append(f"table {table}: {difference}")
        return found
    finally:
        left.close()
        right.close()


def compare_files(left_path, right_path):
    left, right = left_path.read_bytes().splitlines(), right_path.read_bytes().splitlines()
    for number, (one, other) in enumerate(itertools.zip_longest(left, right)):
        if one != other:
            return [f"line {number + 1}"]
    return []


def files_of(folder):
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in found if not path.name.endswith(("-wal", "-shm"))}


def compare(base, ours, tables_only):
    """Compares all files of two folders: stores by their tables, the rest by bytes."""
    found = []
    n_stores = 0
    left, right = files_of(base), files_of(ours)
    found += [f"{name}: missing" for name in sorted(left - right)] + [f"{name}: new" for name in sorted(right - left)]
    for name in sorted(left & right):
        if name.suffix == ".db":
            found += [f"{name}: {what}" for what in compare_stores(base / name, ours / name)]
            n_stores += 1
        elif not tables_only:
            found += [f"{name}: {what}" for what in compare_files(base / name, ours / name)]
    return n_stores, found


def prove_that_a_change_is_seen(store):
    """One cell of a copy is changed; a comparison that does not see it proves nothing."""
    with tempfile.TemporaryDirectory() as folder:
        planted = pathlib.Path(folder) / "planted.db"
        shutil.copy(store, planted)
        changed = sqlite3.connect(planted)
        changed.execute("UPDATE messages SET recorded_at = recorded_at + 1 WHERE sequence = 1")
        assert changed.total_changes == 1, f"{store} has no message"
        changed.commit()
        changed.close()
        expected = ["table messages: row 1 (sequence 1): column recorded_at"]
        found = compare_stores(store, planted)
        assert found == expected, f"a planted difference was reported as {found}"
        assert compare_stores(store, store) == [], "a store differs from itself"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("base", help="the commit to compare with")
    arguments.add_argument("--tables-only", action="store_true", help="compare stores and exports, not the answers")
    arguments.add_argument("--whole", action="store_true", help="take in every row of the shared files")
    arguments = arguments.parse_args()
    commit = git("rev-parse", "--verify", arguments.base + "^{commit}").decode().strip()
    found = inputs(arguments.whole)
    base_tree = tree_of(commit)
    base = side(f"the base {commit[:12]}", base_tree, base_tree, WORK / commit[:12], found)
    ours = side("this tree", ROOT, base_tree, WORK / "this-tree", found)
    prove_that_a_change_is_seen(base / "demo/shop.db")
    n_stores, differences = compare(base, ours, arguments.tables_only)
    for difference in differences[:SHOWN_DIFFERENCES]:
        print(f"same-bytes: DIFFERS {difference}")
    if differences:
        print(f"same-bytes: {len(differences)} differences from {commit[:12]}, the first {SHOWN_DIFFERENCES} shown")
        sys.exit(1)
    print(f"same-bytes: {n_stores} stores are equal to those of {commit[:12]}, table by table")


if __name__ == "__main__":
    main()
