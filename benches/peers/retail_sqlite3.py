"""The peer: what a careful person writes with Python's json and sqlite3 alone. Prints CPU seconds and rows as JSON.

It reads the same orders, keeps each as one JSON message with a unique message id, an index by customer, batches of 10,000 rows
in one durable transaction each, and the spend of every customer at the end. It unifies nobody and keeps no audience.
"""

import gzip
import json
import sqlite3
import sys
import time

source, target = sys.argv[1], sys.argv[2]
start = time.process_time()
db = sqlite3.connect(target)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE events (message_id TEXT PRIMARY KEY, user_id TEXT, occurred_at TEXT, message TEXT) WITHOUT ROWID")
db.execute("CREATE INDEX events_by_user ON events (user_id, occurred_at)")


def messages():
    with gzip.open(source, "rt") as lines:
        next(lines)
        for number, line in enumerate(lines, 1):
            customer, day, cds, dollars = line.split()
            message_id = f"{customer}-{number}"
            occurred_at = f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00.000Z"
            properties = {"cds": int(cds), "revenue": float(dollars)}
            message = {"type": "track", "event": "Order Completed", "userId": customer, "properties": properties}
            yield message_id, customer, occurred_at, json.dumps(message)


batch = []
for row in messages():
    batch.append(row)
    if len(batch) == 10_000:
        with db:
            db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", batch)
        batch.clear()
with db:
    db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", batch)
spend = {}
for user_id, message in db.execute("SELECT user_id, message FROM events"):
    spend[user_id] = spend.get(user_id, 0) + json.loads(message)["properties"]["revenue"]
(rows,) = db.execute("SELECT count(*) FROM events").fetchone()
db.close()
print(json.dumps({"cpu_seconds": time.process_time() - start, "rows": rows, "people": len(spend)}))
