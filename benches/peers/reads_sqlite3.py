"""One person's answers from sqlite3 on a covering index, as a careful person would lay it out; made once, kept beside the data."""

import measure  # first: it binds the process
import json
import sqlite3

import numpy

COMPARED = 200
AS_OF, DAY = measure.AS_OF_MS, measure.DAY_MS
CART, VIEW, SEARCH, CHECKOUT, ORDER = 2, 0, 3, 5, 6

sample = json.load(open(measure.arguments.sample, encoding="utf-8"))


def prepare(path):
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    db = sqlite3.connect(part)
    db.executescript("""
        PRAGMA page_size = 16384;
        CREATE TABLE event (pid INTEGER, kind INTEGER, ts INTEGER, cents INTEGER);
        CREATE TABLE identifier (value TEXT PRIMARY KEY, pid INTEGER) WITHOUT ROWID;
        CREATE TABLE trait (pid INTEGER PRIMARY KEY, traits TEXT);
        CREATE TABLE membership (pid INTEGER, audience TEXT, PRIMARY KEY (pid, audience)) WITHOUT ROWID;
    """)
    names = [("pid.u32", "<u4"), ("kind.u8", "u1"), ("ts.i64", "<i8"), ("cents.i64", "<i8")]
    columns = [numpy.fromfile(f"{measure.arguments.data}/{name}", kind) for name, kind in names]
    for start in range(0, len(columns[0]), 100_000):
        db.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", zip(*(column[start : start + 100_000].tolist() for column in columns)))
    db.execute("CREATE INDEX event_by_person ON event (pid, kind, ts, cents)")
    db.executemany("INSERT OR IGNORE INTO identifier VALUES (?, ?)", [(value, pid) for _, value, pid in sample])
    with open(measure.arguments.traits, encoding="utf-8") as traits:
        messages = map(json.loads, traits)
        db.executemany(
            "INSERT INTO trait VALUES (?, ?)",
            ((int(message["userId"].removeprefix("user-")) * 4, json.dumps(message["traits"])) for message in messages),
        )
    audiences = {
        "four_conditions": f"""sum(CASE WHEN kind = {ORDER} THEN cents END) >= 10000 AND max(ts) > {AS_OF - 30 * DAY}
            AND sum(kind = {CART} AND cents > 2000 AND ts > {AS_OF - 7 * DAY}) >= 2 AND sum(kind = {ORDER} AND ts > {AS_OF - 14 * DAY}) = 0""",
        "engaged": f"sum(kind = {VIEW} AND ts > {AS_OF - 30 * DAY}) >= 5",
        "buyers": f"sum(kind = {ORDER}) > 0",
        "filling_cart": f"sum(kind = {CART} AND ts > {AS_OF - 7 * DAY}) >= 1",
        "lapsed": f"sum(kind = {ORDER}) >= 1 AND sum(kind = {ORDER} AND ts > {AS_OF - 30 * DAY}) = 0",
    }
    for name, having in audiences.items():
        db.execute(f"INSERT INTO membership SELECT pid, ? FROM event GROUP BY pid HAVING {having}", [name])
    db.commit()
    db.close()
    part.rename(path)


path = measure.arguments.store
if not path.exists():
    prepare(path)
db = sqlite3.connect(path)

FIVE_FEATURES = f"""SELECT sum(cents) FILTER (WHERE kind = {ORDER}), sum(cents) FILTER (WHERE kind = {CART} AND ts > {AS_OF - 7 * DAY}),
    count(*) FILTER (WHERE kind = {VIEW} AND ts > {AS_OF - 30 * DAY}), max(ts) FILTER (WHERE kind = {SEARCH}),
    max(cents) FILTER (WHERE kind = {CHECKOUT}), min(ts), max(ts) FROM event WHERE pid = ?"""
WINDOWS = [AS_OF - span for span in (DAY // 24, DAY, 7 * DAY, 30 * DAY)] + [0]
AGGREGATES = ("count(*)", "sum(cents)", "min(cents)", "max(cents)", "max(ts)")
WINDOW_FEATURES = "SELECT {} FROM event WHERE pid = ? AND kind = {}".format(
    ", ".join(f"{aggregate} FILTER (WHERE ts > {since})" for since in WINDOWS for aggregate in AGGREGATES), CART
)


def profile(person):
    (pid,) = db.execute("SELECT pid FROM identifier WHERE value = ?", [person[1]]).fetchone()
    traits = db.execute("SELECT traits FROM trait WHERE pid = ?", [pid]).fetchone()
    audiences = [name for (name,) in db.execute("SELECT audience FROM membership WHERE pid = ?", [pid])]
    features = db.execute(FIVE_FEATURES, [pid]).fetchone()
    return json.loads(traits[0]) if traits else {}, features, audiences


def features(person):
    return db.execute(WINDOW_FEATURES, [person[2]]).fetchone()


def comparable(row):
    return [(value or 0) * (100 if place % 5 == 0 else 1) for place, value in enumerate(row)]


read = profile if measure.arguments.variant == "profiles" else features
latencies = measure.read_latencies(read, sample)
if read is profile:
    answers = [profile(person) for person in sample]
    check = [sum(len(found[2]) for found in answers), sum(found[1][2] for found in answers), sum(len(found[0]) for found in answers)]
else:
    check = [comparable(features(person)) for person in sample[:COMPARED]]
measure.say(check=check, **latencies)
