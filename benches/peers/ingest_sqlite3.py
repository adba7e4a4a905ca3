"""What a careful person writes with Python's json and sqlite3: durable batches of 10,000, dedupe, ids and running aggregates.

A person is the user id if there is one, else the device: nobody is merged, and nothing looks back over a window.
"""

import measure  # first: it binds the process
import itertools
import json
import sqlite3

BATCH_ROWS = 10_000

folder = measure.arguments.store
folder.mkdir(parents=True)
rows = measure.count_lines()
store = folder / "events.db"
meter = measure.Meter()
db = sqlite3.connect(store, isolation_level=None)
db.executescript("""
    PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -262144;
    CREATE TABLE events (sequence INTEGER PRIMARY KEY, message_id TEXT UNIQUE, person INTEGER, event TEXT, occurred_at TEXT, message TEXT);
    CREATE TABLE people (person INTEGER PRIMARY KEY, identifier TEXT UNIQUE, spend REAL, carts INTEGER, views INTEGER,
        last_search_at TEXT, largest_checkout REAL);
""")
known = {}
source = measure.lines()
while batch := list(itertools.islice(source, BATCH_ROWS)):
    messages = {}
    for line in batch:
        message = json.loads(line)
        messages.setdefault(message["messageId"], (message, line))
    old = db.execute("SELECT message_id FROM events WHERE message_id IN (SELECT value FROM json_each(?))", [json.dumps(list(messages))])
    for (message_id,) in old.fetchall():
        del messages[message_id]
    people, events, changes = [], [], {}
    for message_id, (message, line) in messages.items():
        identifier = message.get("userId") or message["anonymousId"]
        person = known.get(identifier)
        if person is None:
            person = known[identifier] = len(known) + 1
            people.append((person, identifier))
        event, time, properties = message["event"], message["timestamp"], message["properties"]
        events.append((message_id, person, event, time, line))
        change = changes.setdefault(person, [0, 0, 0, "", 0])
        if event == "Order Completed":
            change[0] += properties["revenue"]
        elif event == "cart.add":
            change[1] += 1
        elif event == "Product Viewed":
            change[2] += 1
        elif event == "Products Searched":
            change[3] = max(change[3], time)
        elif event == "Checkout Started":
            change[4] = max(change[4], properties["value"])
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO people VALUES (?, ?, 0, 0, 0, '', 0)", people)
    db.executemany("INSERT INTO events (message_id, person, event, occurred_at, message) VALUES (?, ?, ?, ?, ?)", events)
    db.executemany(
        "UPDATE people SET spend = spend + ?, carts = carts + ?, views = views + ?, last_search_at = max(last_search_at, ?), "
        "largest_checkout = max(largest_checkout, ?) WHERE person = ?",
        [(*change, person) for person, change in changes.items()],
    )
    db.execute("COMMIT")
db.close()
used = meter.stop()

file_bytes = measure.stored_bytes(store)
db = sqlite3.connect(store)
(messages,) = db.execute("SELECT count(*) FROM events").fetchone()
(revenue,) = db.execute("SELECT sum(spend) FROM people").fetchone()
measure.say(rows=rows, messages=messages, revenue_cents=round(revenue * 100), file_bytes=file_bytes, **used)
