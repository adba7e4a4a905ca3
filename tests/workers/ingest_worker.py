"""The same as ../src/bin/ingest_worker.rs, through the Python package."""

import json
import pathlib
import sys

import cdp


def say(key, value):
    print(json.dumps({key: value}), flush=True)


def main(store, source, batch_rows):
    definitions = pathlib.Path(__file__).parents[2] / "examples/online_retail/definitions"
    db = cdp.open(store, clock="2012-01-01T00:00:00Z")
    say("ok", db.verify()["ok"])
    db.define(json.loads((definitions / "measures.json").read_text()) + [json.loads((definitions / "shop_csv.json").read_text())])
    say("begin", db.stats()["messages"])
    db.ingest(source, source="shop_csv", batch_rows=int(batch_rows), checkpoint="end")
    say("end", db.stats()["messages"])
    say("rejects", db.stats()["rejects"])
    say("ok", db.verify()["ok"])
    say("fingerprint", db.fingerprint())
    db.close()


main(*sys.argv[1:])
