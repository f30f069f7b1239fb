"""No-op jobs from submit to recorded result, against bare SQL on the same PostgreSQL.

The limit is bench_claim: one transaction that records the results of 50 rows and claims the next
50, on four connections, with no bus, submission or events. Prints both rates and their ratio.
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
PSQL = "/usr/lib/postgresql/17/bin/psql"  # what lies on the path is a wrapper in Perl, and slow
where = ["-h", os.path.join(args.var, "pg.sock"), "-U", "postgres"]


def sql(query):
    return subprocess.run(drop + [PSQL, *where, "-d", "valion", "-qAtc", query], check=True,
                          text=True, stdout=subprocess.PIPE).stdout.strip()


def bare_rate():
    database = "host=%s user=postgres dbname=valion" % os.path.join(args.var, "pg.sock")
    out = subprocess.run(drop + [os.path.join(args.bin, "bench_claim"), database, "4"], check=True,
                         text=True, stdout=subprocess.PIPE).stdout
    sql("DROP TABLE bare; CHECKPOINT")
    return float(out)


def suite_rate(env):
    workers = [subprocess.Popen([os.path.join(args.bin, "effect_worker"), env["VALION_BUS"],
                                 env["VALION_KEYS"], "128"], stderr=subprocess.DEVNULL)
               for _ in range(args.workers)]
    try:
        start = time.monotonic()
        out = subprocess.run([os.path.join(args.bin, "bench_submit"), "tcp://" + env["VALION_BUS"],
                              env["VALION_KEYS"], str(args.jobs)], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
        while int(sql("SELECT count(*) FROM pipeline.task WHERE state < 4")):
            time.sleep(0.2)
        return args.jobs / (time.monotonic() - start), int(out[0]) / float(out[1])
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()


subprocess.run([suite, "down", args.var, "--purge"], check=True)
subprocess.run([suite, "up", args.var, "--bin", args.bin, "--port", "22001", "--log-level", "error",
                "--scale", "trainer=0", "--scale", "validator=0", "--scale", "deployer=0",
              "--scale", "runner=0"],
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
