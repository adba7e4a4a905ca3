"""goldenmatch without configuration."""

import measure  # first: it binds the process

import contextlib
import io

import goldenmatch
import people
import pyarrow
import pyarrow.csv

meter = measure.Meter()
frame = pyarrow.csv.read_csv(measure.arguments.data)
frame = frame.cast(pyarrow.schema([(name, pyarrow.string()) for name in frame.column_names]))
truth = frame["cluster"].to_pylist()
with contextlib.redirect_stdout(io.StringIO()):
    result = goldenmatch.dedupe_df(frame.drop_columns(["cluster", "rec_id"]))
figures = meter.stop()
found = list(range(len(truth)))
for number, cluster in result.clusters.items():
    for row in cluster["members"]:
        found[row] = f"c{number}"
measure.say(rows=len(truth), **figures, **people.quality(found, truth))
