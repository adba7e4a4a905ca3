"""The same as ../src/bin/ingest_worker.rs, through the Python package."""

import json
import os
import pathlib
import sys

import cdp


def say(key, value):
    print(json.dumps({key: value}), flush=True)


def say_verified(db):
    if os.environ.get("CDP_VERIFY") != "0":
        say("ok", db.verify()["ok"])


def main(store, source, batch_rows):
    definitions = pathlib.Path(__file__).parents[2] / "examples/online_retail/definitions"
    db = cdp.open(store, clock="2012-01-01T00:00:00Z")
    say_verified(db)
    db.define(json.loads((definitions / "measures.json").read_text()) + [json.loads((definitions / "shop_csv.json").read_text())])
    say("begin", db.stats()["messages"])
    db.ingest(source, source="shop_csv", batch_rows=int(batch_rows), checkpoint="end")
    say("end", db.stats()["messages"])
    say("rejects", db.stats()["rejects"])
    say_verified(db)
    say("fingerprint", db.fingerprint())
    db.close()


main(*sys.argv[1:])
