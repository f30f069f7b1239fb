#!/usr/bin/env python3
"""Writes the corpus of fuzz_profile: stored profiles, sound ones and some that are at odds.

usage: tests/fuzz/make_profile_seeds.py tests/fuzz/corpus/fuzz_profile

The bytes are put together by hand (proto/valion/v1/evidence.proto, common/stats/vln_sketch.h), so that
there can be any in them.
"""
import os
import struct
import sys

BOOL, INT64, FLOAT64, STRING = 1, 2, 4, 5


def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def whole(field, number):
    return varint(field << 3) + varint(number % 2**64)


def real(field, number):
    return varint(field << 3 | 1) + struct.pack("<d", number)


def some(field, raw):
    raw = raw.encode() if isinstance(raw, str) else raw
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def sketch(points, error=0, least=None, most=None, rows=None, version=1):
    least = points[0][0] if least is None else least
    most = points[-1][0] if most is None else most
    rows = sum(point[1] for point in points) if rows is None else rows
    return struct.pack("<BHQQdd", version, len(points), rows, error, least, most) + b"".join(
        struct.pack("<dQ", *point) for point in points)


def numbers(name, points, kind=FLOAT64, raw=None, count=None, edges=(2.5,), counts=None, more=b""):
    count = sum(point[1] for point in points) if count is None else count
    mean = sum(value * rows for value, rows in points) / max(count, 1)
    squares = sum(rows * (value - mean)**2 for value, rows in points)
    if counts is None:
        below = [sum(rows for value, rows in points if value <= edge) for edge in edges]
        counts = [b - a for a, b in zip([0] + below, below + [count])]
    return (some(1, name) + whole(2, kind) + whole(3, count) + whole(4, 1) +
            whole(5, len(points)) + real(7, points[0][0]) + real(8, points[-1][0]) +
            real(9, mean) + real(10, squares) +
            some(11, b"".join(struct.pack("<d", value) for value, _ in points)) + real(12, 0) +
            some(13, b"".join(struct.pack("<d", edge) for edge in edges)) +
            some(14, b"".join(varint(rows) for rows in counts)) +
            some(20, sketch(points) if raw is None else raw) + more)


def texts(name, top, other=0, count=None, distinct=None, more=b""):
    count = sum(rows for _, rows in top) + other if count is None else count
    return (some(1, name) + whole(2, STRING) + whole(3, count) +
            whole(5, len(top) + (other > 0) if distinct is None else distinct) + b"".join(
                some(15, some(1, text) + whole(2, rows)) for text, rows in top) +
            whole(16, other) + more)


def profile(*columns, rows=6, prediction=None):
    out = whole(1, rows) + b"".join(some(2, column) for column in columns) + whole(5, 1)
    return out + (some(6, prediction) if prediction is not None else b"")


FEW = [(1.0, 2), (2.0, 3), (4.5, 1)]
MANY = [(float(i), 3 + i % 4) for i in range(256)]
TOP = [("Rome", 4), ("Oslo", 1), ("", 1)]

SEEDS = {
    "numbers": profile(numbers("area", FEW), numbers("rooms", FEW, kind=INT64)),
    "texts": profile(texts("city", TOP), texts("street", TOP, other=9, more=whole(21, 3))),
    "many_points": profile(numbers("x", MANY, raw=sketch(MANY, error=2, least=-1.0, most=300.0),
                                   edges=[float(i) for i in range(10, 200, 10)])),
    "prediction": profile(numbers("x", FEW), prediction=numbers("price", FEW)),
    "empty_column": profile(some(1, "none") + whole(2, BOOL) + whole(4, 6)),
    "nothing": profile(rows=0),
    "no_sketch": profile(numbers("x", FEW, raw=b"")),
    "cut_sketch": profile(numbers("x", FEW, raw=sketch(FEW)[:-1])),
    "falling": profile(numbers("x", FEW, raw=sketch(FEW[::-1], least=1.0, most=4.5))),
    "not_a_number": profile(numbers("x", FEW, raw=sketch(FEW, most=float("nan")))),
    "rows_at_odds": profile(numbers("x", FEW, raw=sketch(FEW, rows=7))),
    "other_count": profile(numbers("x", FEW, count=5)),
    "other_version": profile(numbers("x", FEW, raw=sketch(FEW, version=2))),
    "histogram_at_odds": profile(numbers("x", FEW, counts=[9, 9])),
    "falling_edges": profile(numbers("x", FEW, edges=(2.5, 1.5), counts=[2, 2, 2])),
    "lowest": profile(numbers("x", [(-1.7976931348623157e308, 6)], edges=())),
    "huge": profile(numbers("x", [(1.7e308, 3), (1.79e308, 3)])),
    "texts_at_odds": profile(texts("city", TOP, count=7)),
    "texts_twice": profile(texts("city", TOP + TOP)),
    "negative": profile(texts("city", [("a", 2**64 - 1)], other=3, count=2)),
    "same_name": profile(numbers("x", FEW), texts("x", TOP)),
    "nameless": profile(whole(2, FLOAT64)),
    "rows": profile(numbers("x", FEW), rows=2**62),
}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, raw in SEEDS.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(raw)


if __name__ == "__main__":
    main()
