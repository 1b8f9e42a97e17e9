"""Benchmark: what the τ-ARGUS engine, as packaged in pytauargus, withholds of a table.

No part of the test run or of any build; run by hand, to stand beside `sdc protect`:

    pip install pytauargus==0.6.0
    python peers.py IN.csv [--method hitas|opt] [--out OUT.csv] [--time-limit SECONDS]

IN.csv: finest cells, every combination; omrade, dimensions, one tid, one matt, counts.
OUT.csv: all cells and all margins (TOT, total area 00), withheld ones with status x.
Prints | table | tool, method | cells | small | secondary | seconds in the engine |.

The count is response and frequency; FREQ(4,30) makes 1 to 3 unsafe; with no ZERO rule,
zeros are published. The margin has no default: 30 % is the package's own example, and the
engine makes it a protection level of 1 for counts of 1 to 3. A cell costs its value.
hitas is MOD with all three singleton protections, opt is OPT; those and the time limits
(1 minute a subtable for hitas, 10 for opt) are the τ-ARGUS program's defaults. Bare MOD(1)
and OPT(1) have none in the package: a limit of 0 stops at the first pattern found. Limits
are whole minutes, rounded up, and the engine looks at its clock seldom: it may overrun.
"""

import argparse
import contextlib
import csv
import itertools
import math
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from pytauargus import TableResult, __version__
from pytauargus.batch import BatchError
from pytauargus.engine import run_batch

MIN_COUNT = 4  # the batch's FREQ says it too
METHODS = {"hitas": ("HiTaS", "MOD(1,{},1,1,1)", 1), "opt": ("OPT", "OPT(1,{})", 10)}
TOTAL, TOTAL_AREA = "TOT", "00"  # the area's margin is TOT too until it is written
META = '<SEPARATOR> ";"\n{dimensions}value\n<NUMERIC>\n<DECIMALS> 0\ncount\n<FREQUENCY>\n'
BATCH = """\
<OPENTABLEDATA> "in.tab"
<OPENMETADATA> "in.rda"
<SPECIFYTABLE> "{names}"|value||
<SAFETYRULE> FREQ(4,30)
<READTABLE> 1
<SUPPRESS> {command}
<WRITETABLE> (1,5,SO+,"out.tab")
"""  # READTABLE 1: the engine computes the margins


def read_table(path):
    """The dimensions, the finest counts by codes, and the (tid, matt) of a strict file."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if len(header) < 4 or header[0] != "omrade" or header[-3:] != ["tid", "matt", "varde"]:
        raise ValueError("the columns must be omrade, dimensions, tid, matt, varde")
    counts, frames = {}, set()
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise ValueError(f"row {number}: {len(line)} fields, not {len(header)}")
        *codes, tid, matt, value = line
        if "" in codes or TOTAL in codes or codes[0] == TOTAL_AREA:
            raise ValueError(f"row {number}: an empty code or a margin, not a finest cell")
        if not (value.isascii() and value.isdigit()):
            raise ValueError(f"row {number}: varde is {value!r}, not a count")
        counts[tuple(codes)] = int(value)
        frames.add((tid, matt))
    if len(frames) != 1:
        raise ValueError(f"one tid and one matt are wanted, {len(frames)} pairs found")
    if {len(lines), math.prod(len(set(c)) for c in zip(*counts))} != {len(counts)}:
        raise ValueError("not every combination of its codes has one row")
    return header[:-3], counts, frames.pop()


def with_margins(counts):
    """Every cell of the table, finest and margins, in the order of the codes."""
    table = Counter()
    for codes, value in counts.items():
        for cell in itertools.product(*((code, TOTAL) for code in codes)):
            table[cell] += value
    return dict(sorted(table.items()))


def suppress(counts, command):
    """The engine's row for each cell, its seconds, and whether its time ran out."""
    # Names and codes go to the engine as numbers: its formats know no quoting.
    codes = [enumerate(sorted(set(column))) for column in zip(*counts)]
    numbered = [{code: f"{i:06}" for i, code in column} for column in codes]
    original = [{n: code for code, n in column.items()} | {TOTAL: TOTAL} for column in numbered]
    names = [f"d{i}" for i in range(len(codes))]
    meta = "".join(f'{name}\n<RECODEABLE>\n<TOTCODE> "{TOTAL}"\n' for name in names)
    with tempfile.TemporaryDirectory() as work, contextlib.chdir(work):  # it leaves logs
        with open("in.tab", "w", newline="") as file:
            writer = csv.writer(file, delimiter=";", lineterminator="\n")
            for cell, value in counts.items():
                writer.writerow([*(n[code] for n, code in zip(numbered, cell)), value, value])
        Path("in.rda").write_text(META.format(dimensions=meta))
        Path("run.arb").write_text(BATCH.format(names='""'.join(names), command=command))
        start = time.perf_counter()
        run_batch("run.arb")
        seconds = time.perf_counter() - start
        rows = TableResult(path="out.tab", exp_vars=names, response="value").rows
        log = Path("CSPlogfile.txt")
        late = log.exists() and "TIME LIMIT" in log.read_text(errors="replace")
    cells = {tuple(o[row[n]] for n, o in zip(names, original)): row for row in rows}
    return cells, seconds, late


def run(source, target, method, time_limit):
    dimensions, counts, (tid, matt) = read_table(source)
    table = with_margins(counts)
    small = {cell for cell, value in table.items() if 0 < value < MIN_COUNT}
    if not small:  # the engine may crash on such a table
        raise ValueError("no small count: nothing to protect")
    label, command, default = METHODS[method]
    minutes = default if time_limit is None else max(1, math.ceil(time_limit / 60))
    cells, seconds, late = suppress(counts, command.format(minutes))
    withheld = {cell for cell, row in cells.items() if row["status"] in "UM"}
    if {cell: row["value"] for cell, row in cells.items()} != table or small - withheld:
        raise ValueError("the engine's table is not the given one, or shows a small count")
    if target:
        with open(target, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*dimensions, "tid", "matt", "varde", "status"])
            for cell, value in table.items():
                area = TOTAL_AREA if cell[0] == TOTAL else cell[0]
                shown = ["", "x"] if cell in withheld else [value, ""]
                writer.writerow([area, *cell[1:], tid, matt, *shown])
    tool = f"pytauargus {__version__}, {label}" + (" (time limit reached)" if late else "")
    sizes = f"{len(table)} | {len(small)} | {len(withheld - small)}"
    print(f"| {source.stem} | {tool} | {sizes} | {seconds:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, metavar="IN.csv")
    parser.add_argument("--method", choices=METHODS, default="hitas")
    parser.add_argument("--out", type=Path, metavar="OUT.csv", dest="target")
    parser.add_argument("--time-limit", type=int, metavar="SECONDS")
    options = parser.parse_args()
    try:
        run(**vars(options))
    except (OSError, ValueError, BatchError) as error:
        sys.exit(f"{options.source}: {error}")


if __name__ == "__main__":
    main()
