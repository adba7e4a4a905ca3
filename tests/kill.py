#!/usr/bin/env python3
"""Kills a process that ingests, again and again, and checks that every store it leaves is whole.

For each language: undisturbed runs give the duration and the fingerprint; then the worker is killed (SIGKILL; on Windows
TerminateProcess) at instants uniform over that duration. After each kill the store must open, and the same call, repeated, must end
with the same fingerprint; every fifth store also verifies itself, before and after. Of 20 kills or more, at least 80 % must fall between the first
and the last commit; of fewer, the share is chance and only printed.

    cargo build -p cdp-tests --bin ingest_worker
    python3 tests/kill.py --kills 5 --rows 20000 --languages rust

A kill tests atomicity, recovery and locks; what a power cut takes is another test. Standard library only.
"""

import argparse
import csv
import gzip
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The shortest of these counts: other load on the machine stretches a run, and a kill after the end would prove nothing.
UNDISTURBED_RUNS = 3
COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]


def synthetic_rows(chance):
    """Order lines in the form of the UCI Online Retail file, for where that file is not."""
    for number in itertools.count():
        customer = "" if chance.random() < 0.25 else str(12_000 + chance.randrange(4_000))
        invoice = ("C" if chance.random() < 0.02 else "") + str(536_365 + number // 20)
        day, minute = divmod(number // 20 * 11, 1_440)
        date = f"2011-{day // 28 % 12 + 1:02}-{day % 28 + 1:02} {minute // 60:02}:{minute % 60:02}:00"
        price = f"{chance.randrange(10, 2_000) / 100:.2f}"
        yield [invoice, str(chance.randrange(20_000, 24_000)), "THING", str(chance.randrange(1, 24)), date, price, customer, "France"]


def write_input(path, rows, chance):
    """The first `rows` rows of the real file, or as many made ones."""
    shared = pathlib.Path(os.environ.get("SHARED", ROOT / "../shared"))
    real = shared / "data/retail/online_retail.csv.gz"
    with open(path, "w", newline="") as output:
        if real.exists():
            with gzip.open(real, "rt", newline="") as source:
                output.writelines(itertools.islice(source, rows + 1))
            return "real rows"
        writer = csv.writer(output)
        writer.writerow(COLUMNS)
        writer.writerows(itertools.islice(synthetic_rows(chance), rows))
        return "synthetic rows (the real file is not there; set SHARED to the folder of the shared data)"


class Worker:
    """One run of a worker; `verify` costs as much again as the ingest itself."""

    def __init__(self, command, store, source, batch_rows, verify=True):
        environment = {**os.environ, "CDP_VERIFY": "1" if verify else "0"}
        arguments = [*command, store, source, str(batch_rows)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)

    def read(self, wanted):
        """The next value said under this key."""
        for line in self.process.stdout:
            said = json.loads(line)
            if said.get("ok") is False:
                raise SystemExit("FAILED: the store does not verify")
            if wanted in said:
                return said[wanted]
        raise SystemExit(f"FAILED: the worker ended before it said `{wanted}` (exit {self.process.wait()})")

    def finish(self):
        """The end state: messages, rejects, fingerprint."""
        state = tuple(self.read(key) for key in ("end", "rejects", "fingerprint"))
        if self.process.wait() != 0:
            raise SystemExit(f"FAILED: the worker exited with {self.process.returncode}")
        return state


def loop(language, command, options, source, folder, chance):
    """Kills one language's worker; gives its line of figures."""
    durations, expected = [], None
    for number in range(UNDISTURBED_RUNS):
        worker = Worker(command, folder / f"{language}-whole-{number}.db", source, options.batch_rows)
        worker.read("begin")
        started = time.monotonic()
        messages = worker.read("end")
        durations.append(time.monotonic() - started)
        state = (messages, worker.read("rejects"), worker.read("fingerprint"))
        worker.process.wait()
        if state != (expected or state):
            raise SystemExit(f"FAILED: {language}: two undisturbed runs differ: {state} and {expected}")
        expected = state
    duration = min(durations)
    amid = 0
    for number in range(options.kills):
        store = folder / f"{language}-{number}.db"
        worker = Worker(command, store, source, options.batch_rows, verify=False)
        worker.read("begin")
        time.sleep(chance.uniform(0, duration))
        worker.process.kill()
        worker.process.wait()
        again = Worker(command, store, source, options.batch_rows, verify=number % options.verify_each == 0)
        found = again.read("begin")
        amid += 0 < found < messages
        state = again.finish()
        if state != expected:
            raise SystemExit(f"FAILED: {language}, kill {number} (seed {options.seed}): {state} instead of {expected}")
        for name in folder.glob(f"{store.name}*"):
            name.unlink()
    share = amid / options.kills if options.kills else 1.0
    print(f"{language}: {options.kills} kills over {duration:.2f} s, {amid} between the first and the last commit ({share:.0%}), 0 differences")
    return share, expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=int(os.environ.get("CDP_KILLS", 50)), help="for each language")
    parser.add_argument("--rows", type=int, default=int(os.environ.get("CDP_KILL_ROWS", 541_909)))
    parser.add_argument("--batch-rows", type=int, default=1_000)
    parser.add_argument("--verify-each", type=int, default=5, help="verify() the store after every so many kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--languages", default="rust,python,node")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has the package `cdp`")
    parser.add_argument("--worker", help="the Rust worker; default: debug/ingest_worker of the target folder")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    commands = {
        "rust": [options.worker or str(target / "debug/ingest_worker")],
        "python": [options.python, str(ROOT / "tests/workers/ingest_worker.py")],
        "node": [shutil.which("node") or "node", str(ROOT / "tests/workers/ingest_worker.js")],
    }
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "input.csv"
        kind = write_input(source, options.rows, chance)
        print(f"{options.rows} {kind}, batches of {options.batch_rows}, seed {options.seed}")
        results = {language: loop(language, commands[language], options, source, folder, chance) for language in options.languages.split(",")}
    if len({expected for _, expected in results.values()}) > 1:
        raise SystemExit(f"FAILED: the languages differ: {results}")
    if options.kills >= 20 and min(share for share, _ in results.values()) < 0.8:
        raise SystemExit("FAILED: fewer than 80 % of the kills fell between the first and the last commit")


if __name__ == "__main__":
    main()
