"""The four-condition audience in DuckDB, from its own table in order of time or sorted by person; made once, kept."""

import measure  # first: it binds the process

import audience
import duckdb
import pyarrow as pa

path = measure.arguments.store
if not path.exists():
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    db = duckdb.connect(str(part))
    arrow = pa.table(audience.columns())
    order = "ORDER BY pid, ts" if measure.arguments.variant == "person" else ""
    db.execute(f"CREATE TABLE event AS SELECT * FROM arrow {order}")
    db.close()
    part.rename(path)
db = duckdb.connect(str(path), read_only=True)
db.execute(f"SET threads = {measure.arguments.threads}")
QUERY = f"""SELECT pid FROM event GROUP BY pid HAVING
    sum(cents) FILTER (WHERE kind = {audience.ORDER}) >= {audience.MIN_SPEND_CENTS}
    AND max(ts) > {audience.AS_OF - 30 * audience.DAY}
    AND count(*) FILTER (WHERE kind = {audience.CART} AND cents > {audience.MIN_PRICE_CENTS}
        AND ts > {audience.AS_OF - 7 * audience.DAY}) >= {audience.MIN_CARTS}
    AND count(*) FILTER (WHERE kind = {audience.ORDER} AND ts > {audience.AS_OF - 14 * audience.DAY}) = 0"""

audience.run(lambda: [pid for (pid,) in db.execute(QUERY).fetchall()])
