"""DuckDB's best at one bulk load: read_json with declared columns, different rows, five aggregates per person.

A redelivery has the same bytes here, so DISTINCT over the row may stand for one over the message id, which costs more. The
variant `bare` leaves the context of the messages out, so that it keeps about a third of them.
"""

import measure  # first: it binds the process

import duckdb

folder = measure.arguments.store
folder.mkdir(parents=True)
rows = measure.count_lines()
store = folder / "events.duckdb"
meter = measure.Meter()
db = duckdb.connect(str(store))
db.execute(f"SET threads = {measure.arguments.threads}")
db.execute("SET preserve_insertion_order = false")
context, context_type = ("", "") if measure.arguments.variant == "bare" else ("context, ", "'context': 'JSON', ")
db.execute(f"""CREATE TABLE events AS SELECT DISTINCT
    messageId AS message_id, anonymousId AS anonymous_id, userId AS user_id, event, timestamp AS occurred_at, {context}properties
    FROM read_json('{measure.arguments.data}', format = 'newline_delimited', columns = {{'type': 'VARCHAR', 'messageId': 'UUID',
        'anonymousId': 'UUID', 'userId': 'VARCHAR', 'event': 'VARCHAR', 'timestamp': 'TIMESTAMP', {context_type}
        'properties': 'JSON'}})""")
db.execute(f"""CREATE TABLE people AS SELECT coalesce(user_id, anonymous_id::VARCHAR) AS person,
    sum(CAST(properties->>'revenue' AS DECIMAL(18, 2))) FILTER (WHERE event = 'Order Completed') AS spend,
    sum(CAST(properties->>'price' AS DECIMAL(18, 2))) FILTER
        (WHERE event = 'cart.add' AND occurred_at > epoch_ms({measure.AS_OF_MS - 7 * measure.DAY_MS})) AS cart_value_7d,
    count(*) FILTER (WHERE event = 'Product Viewed' AND occurred_at > epoch_ms({measure.AS_OF_MS - 30 * measure.DAY_MS})) AS views_30d,
    max(occurred_at) FILTER (WHERE event = 'Products Searched') AS last_search_at,
    max(CAST(properties->>'value' AS DECIMAL(18, 2))) FILTER (WHERE event = 'Checkout Started') AS largest_checkout
    FROM events GROUP BY person""")
db.close()
used = meter.stop()

file_bytes = measure.stored_bytes(store)
db = duckdb.connect(str(store))
(messages,) = db.execute("SELECT count(*) FROM events").fetchone()
(revenue,) = db.execute("SELECT CAST(sum(spend) * 100 AS BIGINT) FROM people").fetchone()
measure.say(rows=rows, messages=messages, revenue_cents=revenue, file_bytes=file_bytes, **used)
