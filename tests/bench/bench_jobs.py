"""No-op jobs from submit to recorded result, against bare SQL on the same PostgreSQL.

The limit is one transaction that records 50 finished rows and claims the next 50, by pgbench with
four clients. Prints both rates and their ratio.
"""
import argparse, os, subprocess, sys, time

parser = argparse.ArgumentParser()
for name in ("root", "bin", "python", "var"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--jobs", type=int, default=40000)
parser.add_argument("--workers", type=int, default=4)
args = parser.parse_args()
suite = os.path.join(args.root, "scripts", "suite")
drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []
where = ["-h", os.path.join(args.var, "pg.sock"), "-U", "postgres"]


def sql(query):
    return subprocess.run(drop + ["psql", *where, "-d", "valion", "-qAtc", query], check=True,
                          text=True, stdout=subprocess.PIPE).stdout.strip()


def bare_rate():
    sql("DROP TABLE IF EXISTS bare; CREATE UNLOGGED TABLE gone (); DROP TABLE gone;"
        "CREATE TABLE bare (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), seq bigserial,"
        " state smallint NOT NULL DEFAULT 1, token bigint NOT NULL DEFAULT 0, worker int,"
        " spec bytea NOT NULL DEFAULT '', lease_until timestamptz) WITH (fillfactor = 80);"
        "CREATE INDEX ON bare (seq) WHERE state = 1; CREATE INDEX ON bare (worker) WHERE state = 2;"
        "INSERT INTO bare SELECT FROM generate_series(1, 400000); ANALYZE bare")
    script = os.path.join(args.var, "bare.sql")
    with open(script, "w") as file:
        file.write("BEGIN;\nUPDATE bare SET state = 4 WHERE worker = :client_id AND state = 2;\n"
                   "WITH c AS MATERIALIZED (SELECT id FROM bare WHERE state = 1 ORDER BY seq"
                   " LIMIT 50 FOR UPDATE SKIP LOCKED) UPDATE bare b SET state = 2, token = token + 1,"
                   " worker = :client_id, lease_until = now() + interval '15 s'"
                   " FROM c WHERE b.id = c.id;\nCOMMIT;\n")
    out = subprocess.run(drop + ["/usr/lib/postgresql/17/bin/pgbench", *where, "-n", "-c", "4", "-T",
                                 "5", "-M", "prepared", "-f", script, "valion"],
                         check=True, text=True, stdout=subprocess.PIPE).stdout
    tps = [float(line.split()[2]) for line in out.splitlines() if line.startswith("tps")][0]
    return tps * 50


def suite_rate(env):
    workers = [subprocess.Popen([os.path.join(args.bin, "effect_worker"), env["VALION_BUS"],
                                 env["VALION_KEYS"], "64"], stderr=subprocess.DEVNULL)
               for _ in range(args.workers)]
    try:
        start = time.monotonic()
        out = subprocess.run([os.path.join(args.bin, "bench_submit"), "tcp://" + env["VALION_BUS"],
                              env["VALION_KEYS"], str(args.jobs)], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
        while int(sql("SELECT count(*) FROM pipeline.task WHERE state < 4")):
            time.sleep(0.05)
        return args.jobs / (time.monotonic() - start), int(out[0]) / float(out[1])
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()


subprocess.run([suite, "down", args.var, "--purge"], check=True)
subprocess.run([suite, "up", args.var, "--bin", args.bin, "--port", "22001", "--log-level", "error"],
               check=True)
text = subprocess.run([suite, "env", args.var], check=True, text=True, stdout=subprocess.PIPE).stdout
environment = dict(line.replace("export ", "").split("=", 1) for line in text.splitlines())
try:
    rates = [(bare_rate(), *suite_rate(environment)) for _ in range(3)]
finally:
    subprocess.run([suite, "down", args.var], check=True)
bare, jobs, accepted = (sorted(column)[1] for column in zip(*rates))
print("bare claim + complete, batches of 50     %8.0f jobs/s" % bare)
print("submit -> recorded result, %d workers     %8.0f jobs/s" % (args.workers, jobs))
print("submissions accepted meanwhile           %8.0f jobs/s" % accepted)
print("ratio %.2f (goal 0.25)" % (jobs / bare))
sys.exit(0)
