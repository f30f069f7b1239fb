"""How long reads of the registry take with ten thousand versions, and with a million.

Rows are copied into the tables as CreateVersion writes them, over 1,000 models, and a tenth of them
in one model more. Each read is called through the bus one at a time; prints the medians and their
ratio (goal: at most 2), and what does not hold it.
"""
import argparse, os, random, subprocess, sys, time

parser = argparse.ArgumentParser()
for name in ("root", "bin", "python", "var"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--few", type=int, default=10_000)
parser.add_argument("--many", type=int, default=1_000_000)
parser.add_argument("--calls", type=int, default=200)
args = parser.parse_args()
sys.path[:0] = [args.python, os.path.join(args.root, "tests", "integration")]

from services_support import Principal, request  # noqa: E402
from suite_support import Suite  # noqa: E402
from valion.v1 import common_pb2, registry_pb2  # noqa: E402

MODELS, HOT, RARE, GOAL = 1000, "hot", 10, 2.0
suite = Suite(args.root, args.bin, args.var, 22201)
psql = "/usr/lib/postgresql/17/bin/psql"  # what lies on the path is a wrapper in Perl, and slow
chance = random.Random(1)


def run_sql(query, data=None):
    words = suite.psql_words()
    words[words.index("psql")] = psql
    done = subprocess.run([*words, "-c", query], input=data, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout.strip()


def row(i):
    """Version i: every tenth in the one large model, the others over all."""
    model = HOT if i % 10 == 0 else f"m{i % MODELS}"
    number = i // 10 if model == HOT else i // MODELS
    version = f"1.{number // 100}.{number % 100}"
    common, rare = i % 10 == 3, i % (args.few // RARE) == 7 and i < args.few
    tags = ["bench"] + (["tenth"] if common else []) + (["seldom"] if rare else [])
    wire = registry_pb2.Version(
        model=model, version=version, author="admin", algorithm="XGBRegressor",
        description="prices of houses by size and age", tags=tags, digest=bytes(32), size_bytes=0,
        metrics=[common_pb2.KeyNumber(key="r2_score", value=0.8)])
    words = {model, "1", str(number // 100), str(number % 100), "admin", "xgbregressor", "prices",
             "of", "houses", "by", "size", "and", "age", *tags, "a:admin", "l:XGBRegressor",
             *("t:" + each for each in tags)}
    stage = 3 if number == 5 and model != HOT else 1
    return "\t".join([model, version, "1", str(number // 100), str(number % 100), "2", str(stage), "2",
                      "\\\\x" + "00" * 32, "\\\\x" + wire.SerializeToString().hex(),
                      " ".join("'%s'" % each for each in sorted(words))])


def fill(start, end):
    for at in range(start, end, 50_000):
        rows = "\n".join(row(i) for i in range(at, min(at + 50_000, end))) + "\n"
        run_sql("COPY registry.version (model, version, major, minor, patch, prerelease, stage,"
                " status, digest, record, words) FROM STDIN", rows)
    run_sql("UPDATE registry.model m SET versions = (SELECT count(*) FROM registry.version v"
            " WHERE v.model = m.name), latest = (SELECT version FROM registry.version v WHERE"
            " v.model = m.name ORDER BY major DESC, minor DESC, patch DESC, prerelease DESC LIMIT 1)")
    run_sql("VACUUM ANALYZE registry.version")
    run_sql("VACUUM ANALYZE registry.model")
    run_sql("CHECKPOINT")


def page(size=100, token=b""):
    return common_pb2.Page(size=size, token=token)


READS = {
    "get by name and version": lambda: ("GetVersion", {
        "model": f"m{chance.randrange(1, 9)}", "version": "1.0.5"}),
    "latest by semver": lambda: ("GetVersion", {"model": f"m{chance.randrange(1, 9)}"}),
    "latest by semver, large model": lambda: ("GetVersion", {"model": HOT}),
    "highest in ^1.2, large model": lambda: ("GetVersion", {"model": HOT, "range": "^1.2"}),
    "list page of a large model": lambda: ("ListVersions", {"model": HOT, "page": page()}),
    "list page amid a large model": lambda: ("ListVersions", {
        "model": HOT, "page": page(100, b"1.4.50")}),
    "list page of all, newest first": lambda: ("ListVersions", {"page": page()}),
    "list page amid all": lambda: ("ListVersions", {"page": page(100, b"5000")}),
    "list page in production": lambda: ("ListVersions", {
        "stage": registry_pb2.STAGE_PRODUCTION, "page": page()}),
    "search a rare word": lambda: ("ListVersions", {"text": "seldom", "page": page()}),
    "search a common word": lambda: ("ListVersions", {"text": "tenth hous", "page": page()}),
    "search a tag in a large model": lambda: ("ListVersions", {
        "model": HOT, "tag": "bench", "page": page()}),
    "search two words, none has both": lambda: ("ListVersions", {
        "text": "seldom tenth", "page": page()}),
    "list page of models": lambda: ("ListModels", {"page": page()}),
    "search models": lambda: ("ListModels", {"text": "m12", "page": page()}),
}


def measure(caller, name, make):
    took = []
    for i in range(args.calls + 20):
        method, fields = make()
        body = request(method, fields).SerializeToString()
        start = time.monotonic()
        answer = caller.ask(method, body=body)
        took.append(time.monotonic() - start)
        assert answer.status == "OK", answer.header.message
        assert len(answer.body) > 100 or "none" in name, f"{name}: nothing was found"
    return sorted(took[20:])[args.calls // 2]


def main():
    suite.remove()
    suite.scale.update(orchestrator=0)
    suite.up()
    try:
        run_sql("INSERT INTO registry.model (name, description, tags, author, algorithm, framework)"
                f" SELECT 'm' || i, '', '', 'admin', '', '' FROM generate_series(0, {MODELS - 1}) i"
                f" UNION ALL SELECT '{HOT}', '', '', 'admin', '', ''")
        caller, medians, done = Principal(suite, "admin"), [], 0
        for count in (args.few, args.many):
            start = time.monotonic()
            fill(done, count)
            done = count
            print("%d versions copied in %.0f s" % (count, time.monotonic() - start), flush=True)
            medians.append({name: measure(caller, name, make) for name, make in READS.items()})
        caller.close()
    finally:
        suite.remove()
    worst = 0.0
    print("%-34s %10s %10s %7s" % ("median ms of %d calls" % args.calls, args.few, args.many, "ratio"))
    for name in READS:
        few, many = medians[0][name], medians[1][name]
        worst = max(worst, many / few)
        print("%-34s %10.2f %10.2f %7.2f%s" % (name, few * 1e3, many * 1e3, many / few,
                                               "" if many <= GOAL * few else "  <-- above 2"))
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
