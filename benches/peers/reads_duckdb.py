"""25 window features of one person in DuckDB with an index on the person: a column store asked for one row at a time."""

import measure  # first: it binds the process
import json

import duckdb
import numpy
import pyarrow as pa

COMPARED = 200
AS_OF, DAY, CART = measure.AS_OF_MS, measure.DAY_MS, 2

sample = json.load(open(measure.arguments.sample, encoding="utf-8"))
path = measure.arguments.store
if not path.exists():
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    db = duckdb.connect(str(part))
    names = [("pid.u32", "<u4"), ("kind.u8", "u1"), ("ts.i64", "<i8"), ("cents.i64", "<i8")]
    columns = {name.split(".")[0]: numpy.fromfile(f"{measure.arguments.data}/{name}", kind) for name, kind in names}
    arrow = pa.table(columns)
    db.execute("CREATE TABLE event AS SELECT * FROM arrow")
    db.execute("CREATE INDEX event_by_person ON event (pid)")
    db.close()
    part.rename(path)
db = duckdb.connect(str(path), read_only=True)
db.execute(f"SET threads = {measure.arguments.threads}")

WINDOWS = [AS_OF - span for span in (DAY // 24, DAY, 7 * DAY, 30 * DAY)] + [0]
AGGREGATES = ("count(*)", "sum(cents)", "min(cents)", "max(cents)", "max(ts)")
QUERY = "SELECT {} FROM event WHERE pid = ? AND kind = {}".format(
    ", ".join(f"{aggregate} FILTER (WHERE ts > {since})" for since in WINDOWS for aggregate in AGGREGATES), CART
)


def features(person):
    return db.execute(QUERY, [person[2]]).fetchone()


def comparable(row):
    return [int(value or 0) * (100 if place % 5 == 0 else 1) for place, value in enumerate(row)]


first, everybody, again = measure.Latencies(), measure.Latencies(), measure.Latencies()
for person in sample[-20:]:
    first.measure(features, person)
check = [comparable(everybody.measure(features, person)) for person in sample[:COMPARED]]
for person in sample[:COMPARED]:
    again.measure(features, person)
measure.say(first=first.summary(), everybody=everybody.summary(), again=again.summary(), check=check)
