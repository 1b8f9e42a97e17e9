"""Groups a file of `--example intake make` over five columns with DuckDB, without harmonising: the peer of the benchmark.

    pip install duckdb            # measured with 2.0.0
    python duckdb_group.py FILE THREADS
"""

import sys
import time

import duckdb

path, threads = sys.argv[1], int(sys.argv[2])
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
started = time.perf_counter()
groups = connection.execute(
    "SELECT count(*) FROM (SELECT substr(Personnummer, 10, 1), substr(\"Inkom datum\", 1, 4), Typ, Orsak, Beslut, count(*) "
    "FROM read_csv(?, delim=';', header=true, encoding='latin-1', all_varchar=true) GROUP BY ALL)",
    [path],
).fetchone()[0]
print(f"{groups} groups; {time.perf_counter() - started:.2f} s with {threads} threads")
