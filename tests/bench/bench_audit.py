"""The log with 100,000 entries: how fast it is relayed, exported and verified, and whether each kind
of tampering is found there too.

Versions are made through the bus until the log has that many entries. Then a row is edited, one
deleted, two change places, and the tail is deleted together with its stored heads; after each the
log is exported and verified with the heads file that was kept elsewhere. Exit 1 if one is not found.
"""
import argparse, os, shutil, subprocess, sys, time

parser = argparse.ArgumentParser()
for name in ("root", "bin", "python", "var"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--entries", type=int, default=100_000)
args = parser.parse_args()
sys.path[:0] = [args.python, os.path.join(args.root, "tests", "integration")]

from suite_support import Suite  # noqa: E402

AT = args.entries // 2
suite = Suite(args.root, args.bin, args.var, 22301)
exported, heads = os.path.join(args.var, "export"), os.path.join(args.var, "heads.elsewhere")


def cli(*words):
    start = time.monotonic()
    done = subprocess.run([os.path.join(args.bin, "valion"), "--bus", suite.bus, "--keys", suite.keys,
                           *words], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip(), time.monotonic() - start


def fill():
    """Seconds until the last version was accepted, and until the log has its event."""
    suite.sql("INSERT INTO registry.model (name, description, tags, author, algorithm, framework)"
              " SELECT 'v' || i, '', '', 'admin', '', '' FROM generate_series(0, 999) i")
    start = time.monotonic()
    subprocess.run([os.path.join(args.bin, "bench_versions"), "create", "tcp://" + suite.bus,
                    suite.keys, "v", str(args.entries), "1000", "0", "200"], check=True,
                   stdout=subprocess.DEVNULL)
    accepted = time.monotonic() - start
    while suite.number("SELECT count(*) FROM event.outbox"):
        time.sleep(0.05)
    return accepted, time.monotonic() - start


def export_and_verify():
    code, said, took = cli("event", "export", "--file", exported)
    bad, why, verified = cli("audit", "verify", "--export", exported, "--head", heads, "--key",
                             os.path.join(suite.keys, "audit.pub"))
    return code == 0 and bad == 0, (why if bad else said).splitlines(), took, verified


TAMPERING = {
    "an edited row": (f"UPDATE event.log SET actor = 'somebody' WHERE position = {AT}",
                      f"entry {AT} is not"),
    "a deleted row": (f"DELETE FROM event.log WHERE position = {AT}", f"entry {AT} is missing"),
    "two rows that changed places": (
        f"UPDATE event.log SET position = CASE position WHEN {AT} THEN -{AT + 9} ELSE -{AT} END"
        f" WHERE position IN ({AT}, {AT + 9}); UPDATE event.log SET position = -position"
        " WHERE position < 0", f"entry {AT} is not"),
    "the tail and its stored heads deleted": (
        f"DELETE FROM event.log WHERE position > {AT}; DELETE FROM event.head"
        f" WHERE position > {AT}", f"but the log ends at {AT}"),
}


def main():
    suite.remove()
    suite.scale.update(orchestrator=0)
    suite.up()
    failed = 0
    try:
        accepted, relayed = fill()
        cli("event", "export", "--file", exported)  # signs a head over all of it
        shutil.copy(os.path.join(suite.folder, "registry", "heads"), heads)
        good, said, took, verified = export_and_verify()
        entries = suite.number("SELECT count(*) FROM event.log")
        print("%d entries, accepted at %.0f/s, in the log at %.0f/s" %
              (entries, args.entries / accepted, args.entries / relayed))
        print("exported at %.0f/s, verified at %.0f/s: %s" % (
            entries / took, entries / verified, "good" if good else said))
        failed += not good
        suite.sql("CREATE TABLE kept_log AS TABLE event.log; CREATE TABLE kept_head AS TABLE"
                  " event.head; CREATE INDEX ON kept_log (position)")
        for name, (query, wanted) in TAMPERING.items():
            suite.sql(query)
            good, said, _, _ = export_and_verify()
            found = not good and any(wanted in line for line in said)
            failed += not found
            print("%-40s %s" % (name, ("found: " if found else "NOT FOUND: ") + said[0][:100]))
            suite.sql("BEGIN; TRUNCATE event.log, event.head; INSERT INTO event.log TABLE kept_log;"
                      " INSERT INTO event.head TABLE kept_head; COMMIT")
        good, said, _, _ = export_and_verify()
        print("put back as it was: %s" % ("good" if good else said))
        failed += not good
    finally:
        suite.remove()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
