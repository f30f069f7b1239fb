"""The registry through the bus and CURVE, against bare SQL on the same PostgreSQL in the same run.

Prints each rate, its limit and their ratio: versions made by one client with 100 calls in flight
and two registries, over 1,000 models and on one; the same with an artifact of 10 KB; versions read.
The limits are pgbench's: one prepared statement that writes the rows which a CreateVersion writes,
the best of 1, 16 and 64 clients; bare inserts of 10 KB in batches of 64; bare prepared SELECTs.
"""
import argparse, os, subprocess, sys, tempfile

parser = argparse.ArgumentParser()
for name in ("root", "bin", "python", "var"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--seconds", type=int, default=5, help="of each run of pgbench")
parser.add_argument("--count", type=int, default=40000, help="calls of each run")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--only", default="create,hot,artifact,get", help="of these, comma-separated")
args = parser.parse_args()
sys.path[:0] = [args.python, os.path.join(args.root, "tests", "integration")]

from suite_support import Suite  # noqa: E402

POSTGRES = "/usr/lib/postgresql/17/bin/"  # what lies on the path is a wrapper in Perl, and slow
suite = Suite(args.root, args.bin, args.var, 22101, registry=2, orchestrator=0)
MODELS, EACH, BYTES, BATCH = 1000, 5, 10240, 64


def sql(query):
    rows = suite.sql(query)
    return rows[0][0] if rows else ""


def pgbench(script, clients):
    """Transactions a second."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run([POSTGRES + "pgbench", "-h", os.path.join(args.var, "pg.sock"), "-U",
                               "postgres", "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
                               "-T", str(args.seconds), "-f", file.name, "valion"], text=True,
                              capture_output=True)
    if done.returncode != 0:
        sys.exit("pgbench: " + done.stderr[-1000:])
    out = done.stdout
    return float([line for line in out.splitlines() if line.startswith("tps")][0].split()[2])


def valion(what, prefix, count, models, number, in_flight=100):
    """Calls a second, and the times of one in microseconds: p50, p99, longest."""
    words = [os.path.join(args.bin, "bench_versions"), what, "tcp://" + suite.bus, suite.keys, prefix,
             str(count), str(models), str(number), str(in_flight)]
    out = subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE).stdout.split()
    return int(out[0]) / float(out[1]), [int(each) for each in out[2:]]


def one_statement(model):
    """What CreateVersion writes, with the bytes that it wrote once."""
    record, words, payload, reply, length = sql(
        "SELECT encode(v.record, 'hex') || '|' || v.words::text || '|' || encode(e.payload, 'hex')"
        " || '|' || encode(r.reply, 'hex') || '|' || length(r.body_hash)"
        " FROM registry.version v, event.log e, registry.request r"
        " WHERE v.model = 'sample0' AND e.subject = 'sample0@1.0.0' AND r.method = 'CreateVersion'"
        " LIMIT 1").split("|")
    return f"""\\set m {model}
WITH m AS (UPDATE registry.model SET versions = versions + 1, latest = '1.0.' || versions,
                  updated = now(), revision = revision + 1
            WHERE name = 'p' || :m RETURNING name, versions - 1 AS patch),
     v AS (INSERT INTO registry.version (model, version, major, minor, patch, prerelease, stage,
                  status, digest, record, words)
           SELECT name, '1.0.' || patch, 1, 0, patch, '2', 1, 1, '\\x{'00' * 32}'::bytea,
                  '\\x{record}'::bytea, registry.words(E'p' || :m || E'\\nxgbregressor\\nbench\\nregression'
                  '\\nprices\\nof\\nhouses\\nby\\nsize\\nage\\nand\\nplace\\nadmin',
                  E't.bench\\nt.regression\\nl.XGBRegressor\\na.admin')
             FROM m),
     e AS (INSERT INTO event.outbox (type, subject, actor, payload)
           SELECT 'version.created', name || '@1.0.' || patch, 'admin', '\\x{payload}'::bytea FROM m)
INSERT INTO registry.request (scope, request_id, method, body_hash, reply)
SELECT 'bench', uuid_send(gen_random_uuid()), 'CreateVersion', '\\x{'00' * int(length)}'::bytea,
       '\\x{reply}'::bytea FROM m;
"""


def prepare():
    for prefix in ("v", "h", "a", "p"):
        sql(f"INSERT INTO registry.model (name, description, tags, author, algorithm, framework)"
            f" SELECT '{prefix}' || i, '', '', 'admin', '', '' FROM generate_series(0, {MODELS - 1})"
            " AS i")
    sql("INSERT INTO registry.model (name, description, tags, author, algorithm, framework)"
        " VALUES ('sample0', '', '', 'admin', '', '')")
    valion("create", "sample", 1, 1, 0)
    sql("CREATE TABLE public.bare (id uuid PRIMARY KEY, bytes bytea);"
        "ALTER TABLE public.bare ALTER bytes SET STORAGE EXTERNAL;"
        f"CREATE TABLE public.seed AS SELECT (SELECT string_agg(uuid_send(gen_random_uuid()), '')"
        f" FROM generate_series(1, {BYTES // 16} + 0 * i)) AS bytes FROM generate_series(1, {BATCH}) i;"
        "ALTER TABLE public.seed ALTER bytes SET STORAGE EXTERNAL")


def best(script, clients):
    return max((pgbench(script, each), each) for each in clients)


def median(values):
    return sorted(values)[len(values) // 2]


def create(out):
    spread = one_statement(f"random(0, {MODELS - 1})")
    out["create", "limit"] = best(spread, (1, 16, 64))[0]
    out["create", "rate"], out["create", "times"] = valion("create", "v", args.count,
                                                           MODELS, 0)


def hot(out):
    statement = one_statement("0")
    out["hot", "limit"] = pgbench(statement, 1)
    out["hot", "many"] = best(statement, (16, 64))[0]
    out["hot", "rate"], out["hot", "times"] = valion("create", "h", args.count, 1, 0)


def artifact(out):
    insert = "INSERT INTO public.bare SELECT gen_random_uuid(), bytes FROM public.seed;"
    out["artifact", "limit"] = BATCH * best(insert, (1, 4, 16))[0]
    sql("TRUNCATE public.bare; CHECKPOINT")  # or who comes next writes its pages to the disk
    out["artifact", "rate"], out["artifact", "times"] = valion("create", "a",
                                                               args.count // 4, MODELS, BYTES)
    sql("CHECKPOINT")


def get(out):
    """Of versions that `create` made."""
    select = (f"\\set m random(0, {MODELS - 1})\n\\set n random(0, {EACH - 1})\n"
              "SELECT version, stage, status, revision, created, updated, digest, record, signature,"
              " samples, profile, status_reason, description, tags, open_grants"
              " FROM registry.version WHERE model = 'v' || :m AND version = '1.0.' || :n;")
    out["get", "limit"] = best(select, (16, 64, 100))[0]
    out["get", "rate"], out["get", "times"] = valion("get", "v", 3 * args.count, MODELS,
                                                     EACH)


def one_round():
    out = {}
    for name, measure in (("create", create), ("hot", hot), ("artifact", artifact), ("get", get)):
        if name in args.only.split(","):
            measure(out)
    return out


suite.remove()
suite.up()
try:
    prepare()
    rounds = [one_round() for _ in range(args.rounds)]
finally:
    suite.remove()

missed = 0
for name, what, bare, goal in (
        ("create", "versions made, 100 in flight, 1,000 models", "pgbench, best of 1, 16, 64", 1.2),
        ("hot", "versions made on one model", "pgbench on one model, one by one", 3.0),
        ("artifact", "versions made with 10 KB each", "10 KB inserts in batches of 64", 0.25),
        ("get", "versions read, 100 in flight", "prepared SELECTs, best of 16, 64, 100", 0.5)):
    if name not in args.only.split(","):
        continue
    ratios = [each[name, "rate"] / each[name, "limit"] for each in rounds]
    ratio = median(ratios)
    missed += ratio < goal
    print("%-44s %8.0f/s" % (what, median([each[name, "rate"] for each in rounds])))
    print("  %-42s %8.0f/s" % (bare, median([each[name, "limit"] for each in rounds])))
    print("  ratio %.2f of %s (goal %.2f)" % (ratio, " ".join("%.2f" % each for each in
                                                             sorted(ratios)), goal))
    p50, p99, longest = [median([each[name, "times"][i] for each in rounds]) for i in range(3)]
    print("  p50 %.2f ms, p99 %.2f ms, longest %.2f ms" % (p50 / 1e3, p99 / 1e3, longest / 1e3))
    if name == "hot":
        print("  of pgbench's best of 16, 64 on one model: %.2f" %
              median([each["hot", "rate"] / each["hot", "many"] for each in rounds]))
    if name == "get":
        missed += p99 >= 10 * p50
        print("  p99 / p50 %.1f (goal below 10)" % (p99 / p50))
sys.exit(1 if missed else 0)
