"""Kill registries, or what they work with, at random moments while versions are made, contents
uploaded and read and versions promoted; then let SQL and sha256 look for anything dangling, half or
twice, and say how long nobody was answered after each kill.

Starts a suite of its own. Prints one table; exit 1 if a line of it is wrong.
"""
import argparse
import os
import sys
import time

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
parser.add_argument("--kills", type=int, default=30)
parser.add_argument("--names", default="registry0,registry1", help="whom to kill")
parser.add_argument("--gap", type=float, help="seconds from kill to kill [up to 0.7 by chance]")
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
sys.path[:0] = [args.python, os.path.join(args.root, "tests", "integration")]

import bisect  # noqa: E402
import collections  # noqa: E402
import random  # noqa: E402
import statistics  # noqa: E402

from kill_support import audit, kill  # noqa: E402
from registry_load import Creator, Promoter, Reader, Uploader, sha256  # noqa: E402
from registry_record import Record  # noqa: E402
from services_support import what_logs_say  # noqa: E402
from suite_support import Suite  # noqa: E402
from valion.v1 import registry_pb2  # noqa: E402

PORT = 29001
MODELS = ("many-a", "many-b", "many-c")
PROMOTED = "promoted"
DATA = b"area,price\n50,210000\n60,250000\n"
DRAIN_S = 30

suite = Suite(args.root, args.bin, args.var, PORT, registry=2, orchestrator=1)


def prepare():
    caller = Creator(suite, 0, MODELS).caller
    for name in (*MODELS, PROMOTED, "data"):
        assert caller.call("registry.CreateModel", {"name": name}) is not None
    assert caller.call("registry.CreateVersion", {"model": "data", "artifacts": [
        registry_pb2.Artifact(role="data", inline_bytes=DATA)]}) is not None
    caller.close()


def kill_all(users):
    """As many kills as asked, mostly while the last one is still being recovered from."""
    chance, killed = random.Random(args.seed), []
    until = time.monotonic() + (3 + (args.gap or 0)) * args.kills + 60
    while len(killed) < args.kills and time.monotonic() < until:
        assert all(user.failure is None for user in users), [user.failure for user in users]
        time.sleep(args.gap or chance.uniform(0.05, 0.7))
        name = chance.choice(args.names.split(","))
        if kill(suite, name):
            killed.append((name, time.monotonic()))
    return killed


def recoveries(users, killed):
    """For each name the seconds from its kills until a creation that began after was answered."""
    spans = sorted(span for user in users if isinstance(user, Creator)
                   for span in user.caller.answered)
    begun = [each for each, _ in spans]
    out = {}
    for name, at in killed:
        later = [ended for _, ended in spans[bisect.bisect_left(begun, at):][:200]]
        if later:
            out.setdefault(name, []).append(min(later) - at)
    return [(f"seconds until creations go on after {name}, median", "%.2f" % statistics.median(each),
             True) for name, each in sorted(out.items())] + [
            (f"… longest of {len(each)}", "%.2f" % max(each), True)
            for name, each in sorted(out.items())]


def check_versions(users, record):
    told = {digest: of[:2] for user in users for digest, of in user.versions.items()}
    unknown = {digest for user in users for digest in user.unknown}
    found = record.versions()
    found.pop(sha256(DATA), None)
    lost = [digest for digest, of in told.items() if of not in found.get(digest, [])]
    twice = [digest for digest, of in found.items() if len(of) > 1]
    nobodys = [digest for digest in found if digest not in told and digest not in unknown]
    return [("versions accepted", len(told), len(told) > 0),
            ("creations without an answer", len(unknown), True),
            ("accepted, but not in the record (lost)", len(lost), not lost),
            ("made twice", len(twice), not twice),
            ("in the record and nobody's", len(nobodys), not nobodys)]


def check_promotions(promoter, record):
    came, hold = record.productions(PROMOTED)
    lost = [each for each in promoter.promoted if each not in came]
    more = [each for each in came if each not in promoter.promoted and each not in promoter.unsure]
    return [("promotions to production accepted", len(promoter.promoted), bool(promoter.promoted)),
            ("accepted, but not in the history", len(lost), not lost),
            ("in the history twice or nobody's", len(came) - len(set(came)) + len(more),
             len(came) == len(set(came)) and not more),
            ("versions that hold production", len(hold), len(hold) == 1 and hold[0] == came[-1]),
            ("in production without evidence for their bytes", record.without_evidence(),
             record.without_evidence() == 0)]


def check_record(uploaders, record):
    blobs, bad = record.damaged()
    stored = sum(len(user.stored) for user in uploaders)
    known = {bytes.fromhex(row[0]) for row in record.rows(
        "SELECT encode(digest, 'hex') FROM registry.blob")}
    missing = sum(digest not in known for user in uploaders for digest in user.stored)
    orphans = record.files_without_rows()
    opened, left = record.uploads_left()
    entries, gaps, waiting = record.log()
    broken, wrong, beside = (record.broken_histories(), record.wrong_models(),
                             record.events_beside())
    said, good = audit(suite)
    return [("contents checked by sha256", blobs, blobs > 0),
            ("contents missing or others", len(bad), not bad),
            ("uploads accepted", stored, stored > 0),
            ("accepted, but not in the record (lost)", missing, missing == 0),
            ("files that no row names", len(orphans), not orphans),
            ("uploads that are open still", opened, True),
            ("files of ended uploads, to be swept", len(left), True),
            ("rows that name what is not there", record.dangling(), record.dangling() == 0),
            ("models whose latest or count is wrong", len(wrong), not wrong),
            ("histories that do not follow", len(broken), not broken),
            *((f"changes without one event {kind}", count, count == 0)
              for kind, count in beside.items()),
            ("entries of the log", entries, entries > 0), ("gaps in it", gaps, gaps == 0),
            ("events that were not moved there", waiting, waiting == 0),
            (f"audit verify: {said}", "good" if good else "bad", good)]


def main():
    suite.remove()
    suite.up()
    record = Record(suite)
    prepare()
    uploaders = [Uploader(suite, 10 + i, MODELS) for i in range(2)]
    promoter = Promoter(suite, 20, PROMOTED)
    promoter.data = sha256(DATA)
    reader = Reader(suite, 30, uploaders)
    users = [*(Creator(suite, 1 + i, MODELS) for i in range(4)), *uploaders, promoter, reader]
    for user in users:
        user.start()
    start = time.monotonic()
    try:
        killed = kill_all(users)
    finally:
        for user in users:
            user.end()
    seconds = time.monotonic() - start
    until = time.monotonic() + DRAIN_S
    while record.log()[2] and time.monotonic() < until:
        time.sleep(0.2)
    calls, again = sum(user.calls for user in users), sum(user.caller.again for user in users)
    refusals = sum((user.caller.refusals for user in users), collections.Counter())
    lines = [("kills of " + args.names, len(killed), len(killed) == args.kills),
             *recoveries(users, killed),
             *((f"answers {status}, tried again", count, True)
               for status, count in refusals.items()),
             ("contents read whole", reader.read, reader.read > 0),
             ("of them wrong", len(reader.wrong), not reader.wrong),
             ("seconds", round(seconds), True), ("calls", calls, True),
             ("tries beyond the first", again, True),
             ("users that failed", sum(user.failure is not None for user in users),
              all(user.failure is None for user in users)),
             *check_versions(users, record), *check_promotions(promoter, record),
             *check_record(uploaders, record)]
    for user in users:
        if user.failure is not None:
            print(f"{type(user).__name__}: {user.failure!r}")
    suite.down()
    bugs = what_logs_say(suite.folder, ("Sanitizer", "runtime error", "valion: a bug"))
    lines.append(("lines of a bug in a log", len(bugs), not bugs))
    for name, value, good in lines:
        print("%-52s %10s%s" % (name, value, "" if good else "  <-- wrong"))
    for line in bugs[:10]:
        print("in a log: " + line)
    good = all(line[2] for line in lines)
    if good:
        suite.remove()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
