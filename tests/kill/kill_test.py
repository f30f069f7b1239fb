"""Kill every process of a suite at random moments under load, then check that nothing was lost.

Starts its own suite (two brokers, registries, orchestrators), submits jobs at a steady rate through
the bus, kills processes with SIGKILL, follows the event log meanwhile, and in the end looks at the
record by SQL and at the effects outside. Prints one table; exit 1 if a line of it is wrong.
"""
import argparse, os, random, signal, subprocess, sys, threading, time, uuid

parser = argparse.ArgumentParser()
for name in ("root", "bin", "python", "var"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--seconds", type=float, default=45)
parser.add_argument("--rate", type=float, default=40, help="jobs a second")
parser.add_argument("--workers", type=int, default=3)
parser.add_argument("--gap", type=float, help="seconds from kill to kill; default: 0.5 to 2.5 by "
                    "chance. Above 17 each kill's recovery is measured by itself, and judged")
parser.add_argument("--only", help="kill nothing but these, comma-separated: bus0,worker …")
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
sys.path.insert(0, args.python)

import zmq  # noqa: E402
import zmq.auth  # noqa: E402
from valion.v1 import common_pb2, header_pb2, orchestrator_pb2, registry_pb2  # noqa: E402

LEASE_S = 15
chance = random.Random(args.seed)
suite = os.path.join(args.root, "scripts", "suite")
effects = os.path.join(args.var, "effects")


def run_suite(*words):
    return subprocess.run([suite, *words], check=True, text=True, stdout=subprocess.PIPE).stdout


def sql(query):
    command = ["psql", "-h", os.path.join(args.var, "pg.sock"), "-U", "postgres", "-d", "valion",
               "-qAt", "-F", "\t", "-c", query]
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] + command
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [line.split("\t") for line in done.stdout.splitlines() if line]


class Caller:
    """A plain REQ socket with retries under the same request id, over every broker in turn."""

    def __init__(self, context, buses, keys, principal):
        self.context, self.buses = context, buses
        self.server = zmq.auth.load_certificate(os.path.join(keys, "bus.key"))[0]
        secret = os.path.join(keys, "secret", principal + ".key_secret")
        self.public, self.secret = zmq.auth.load_certificate(secret)
        self.turn, self.socket = chance.randrange(len(buses)), None

    def connect(self):
        if self.socket:
            self.socket.close(0)
        self.turn = (self.turn + 1) % len(self.buses)
        self.socket = self.context.socket(zmq.REQ)
        self.socket.curve_serverkey = self.server
        self.socket.curve_publickey, self.socket.curve_secretkey = self.public, self.secret
        self.socket.connect("tcp://" + self.buses[self.turn])

    def call(self, service, method, request, reply, until, wait_s=2.0):
        """The reply, or None when the time was over; only what may pass by itself is retried."""
        request_id, attempt = uuid.uuid4().bytes, 0
        body = request.SerializeToString()
        while time.monotonic() < until:
            attempt += 1
            if self.socket is None:
                self.connect()
            header = header_pb2.Header(request_id=request_id, service=service, method=method,
                                       remaining_ms=int(wait_s * 1000), attempt=attempt)
            self.socket.send_multipart([header.SerializeToString(), body])
            if not self.socket.poll(int(wait_s * 1000) + 500):
                self.socket.close(0)
                self.socket = None
                continue
            frames = self.socket.recv_multipart()
            header.ParseFromString(frames[0])
            if header.status == common_pb2.STATUS_OK:
                reply.ParseFromString(frames[1])
                return reply
            if header.status not in (common_pb2.STATUS_UNAVAILABLE, common_pb2.STATUS_RESOURCE_EXHAUSTED,
                                     common_pb2.STATUS_DEADLINE_EXCEEDED):
                raise RuntimeError("%s.%s: %s" % (service, method, header.message))
            time.sleep(0.1)
        return None


class Load(threading.Thread):
    """Submits jobs at a rate; remembers each that was accepted."""

    def __init__(self, caller, rate):
        super().__init__(daemon=True)
        self.caller, self.rate = caller, rate
        self.accepted, self.unknown, self.stop, self.failure = {}, 0, False, None

    def run(self):
        try:
            due = time.monotonic()
            while not self.stop:
                request = orchestrator_pb2.SubmitJobRequest(kind="test.effect", spec=b"soak",
                                                            deadline_ms=3600000)
                reply = self.caller.call("orchestrator", "SubmitJob", request,
                                         orchestrator_pb2.SubmitJobReply(), time.monotonic() + 60)
                if reply is None:
                    self.unknown += 1
                else:
                    self.accepted[reply.job_id] = time.monotonic()
                due = max(due + 1 / self.rate, time.monotonic() - 1)
                time.sleep(max(0, due - time.monotonic()))
        except Exception as failure:  # shown in the table
            self.failure = failure


class Follower(threading.Thread):
    """Follows the log through the bus: positions have to be 1, 2, 3 … with no gap."""

    def __init__(self, caller):
        super().__init__(daemon=True)
        self.caller, self.last, self.gaps, self.stop, self.failure = caller, 0, 0, False, None
        self.finished = {}

    def run(self):
        try:
            while not self.stop:
                request = registry_pb2.ReadEventsRequest(after=self.last, limit=400, wait_ms=1000)
                reply = self.caller.call("registry", "ReadEvents", request,
                                         registry_pb2.ReadEventsReply(), time.monotonic() + 120, 4.0)
                for event in reply.events if reply else []:
                    self.gaps += event.position != self.last + 1
                    self.last = event.position
                    if event.type == "job.finished":
                        self.finished.setdefault(event.subject, []).append(time.monotonic())
        except Exception as failure:
            self.failure = failure


def pids_of(name):
    """The process that s6 runs under this name."""
    out = subprocess.run(["s6-svstat", "-o", "pid", os.path.join(args.var, "s6", name)],
                         text=True, stdout=subprocess.PIPE).stdout.strip()
    return int(out) if out.isdigit() else 0


def start_worker(env):
    log = open(os.path.join(args.var, "log", "worker.log"), "ab")
    return subprocess.Popen([os.path.join(args.bin, "effect_worker"), env["VALION_BUS"],
                             env["VALION_KEYS"], "4", effects], stdout=log, stderr=log)


def delays(jobs):
    """Longest from submitted to ended, by how many leases ran out under the job. Other kills fall
    into the same time, so this is told, not judged."""
    longest = {}
    for submitted, finished, run_outs in jobs:
        longest[run_outs] = max(longest.get(run_outs, 0), finished - submitted)
    return [("longest to the end, %d leases lost, s" % lost, "%.1f" % longest[lost], True)
            for lost in sorted(longest)]


def recoveries(jobs, killed):
    """Longest time from a kill until a job that lived then, or came while it was felt, had ended."""
    longest = {}
    for at, name in killed:
        felt = [finished - max(submitted, at) for submitted, finished, _ in jobs
                if finished > at and submitted < at + LEASE_S + 2]
        name = name.rstrip("01")
        longest[name] = max([longest.get(name, 0), *felt])
    return [("longest recovery from a kill of %s, s" % name, "%.1f" % longest[name],
             longest[name] <= LEASE_S + 2) for name in sorted(longest)]


def main():
    run_suite("down", args.var, "--purge")
    subprocess.run(["rm", "-rf", effects])
    for byte in range(256):
        os.makedirs(os.path.join(effects, "%02x" % byte))
    run_suite("up", args.var, "--bin", args.bin, "--port", "20001", "--log-level", "warn",
              "--scale", "bus=2", "--scale", "registry=2", "--scale", "orchestrator=2",
              "--scale", "trainer=0", "--scale", "validator=0", "--scale", "deployer=0",
              "--scale", "runner=0")
    env = dict(line.replace("export ", "").split("=", 1)
               for line in run_suite("env", args.var).splitlines())
    context = zmq.Context()
    buses = env["VALION_BUS"].split(",")
    caller = lambda: Caller(context, buses, env["VALION_KEYS"], "admin")  # noqa: E731
    made = caller().call("registry", "CreateModel", registry_pb2.CreateModelRequest(name="soak"),
                         registry_pb2.CreateModelReply(), time.monotonic() + 30)
    assert made, "no model could be made"
    workers = [start_worker(env) for _ in range(args.workers)]
    load, follower = Load(caller(), args.rate), Follower(caller())
    load.start()
    follower.start()

    names = ["bus0", "bus1", "registry0", "registry1", "orchestrator0", "orchestrator1", "postgres",
             "redis", "worker"]
    names = args.only.split(",") if args.only else names
    kills = dict.fromkeys(names, 0)
    killed = []  # (wall clock, name): PostgreSQL on this machine has the same clock
    end = time.monotonic() + args.seconds
    while time.monotonic() < end:
        time.sleep(args.gap or chance.uniform(0.5, 2.5))
        name = names[len(killed) % len(names)] if args.gap else chance.choice(names)
        killed.append((time.time(), name))
        if name == "worker":
            at = chance.randrange(len(workers))
            workers[at].kill()
            workers[at].wait()
            workers[at] = start_worker(env)
            kills[name] += 1
        else:
            pid = pids_of(name)
            if pid:
                os.kill(pid, signal.SIGKILL)
                kills[name] += 1
    load.stop = True
    load.join(90)

    open_jobs, until = 1, time.monotonic() + 120
    while open_jobs and time.monotonic() < until:
        time.sleep(0.5)
        try:
            open_jobs = int(sql("SELECT count(*) FROM pipeline.task WHERE state < 4")[0][0])
        except RuntimeError:
            pass
    time.sleep(1.5)
    end_of_log = int(sql("SELECT coalesce(max(position), 0) FROM event.log")[0][0])
    until = time.monotonic() + 30
    while follower.last < end_of_log and time.monotonic() < until:
        time.sleep(0.2)
    follower.stop = True
    for worker in workers:
        worker.terminate()
        worker.wait()

    rows = {bytes.fromhex(task): (int(state), int(token))
            for task, state, token in sql("SELECT encode(id, 'hex'), state, token FROM pipeline.task")}
    versions = [bytes.fromhex(row[0]) for row in
                sql("SELECT encode(task_id, 'hex') FROM (SELECT substring(scope from 6)::uuid AS id,"
                    " decode(replace(substring(scope from 6), '-', ''), 'hex') AS task_id"
                    " FROM registry.request WHERE scope LIKE 'task:%') AS r")]
    made_versions = int(sql("SELECT count(*) FROM registry.version WHERE model = 'soak'")[0][0])
    outside = {}
    for folder, _, files in os.walk(effects):
        for name in files:
            if "." in name:
                task, token = name.split(".")
                outside.setdefault(uuid.UUID(task).bytes, []).append(int(token))
    done = {task for task, (state, _) in rows.items() if state == 4}
    dense = sql("SELECT count(*), coalesce(max(position), 0) FROM event.log")[0]
    finished = sql("SELECT count(*), count(DISTINCT subject) FROM event.log"
                   " WHERE type = 'job.finished'")[0]
    jobs = [(float(submitted), float(finished), int(run_outs)) for submitted, finished, run_outs in
            sql("SELECT extract(epoch FROM submitted), extract(epoch FROM finished), run_outs"
                " FROM pipeline.task WHERE finished IS NOT NULL")]
    exported = os.path.join(args.var, "export.jsonl")
    cli = [os.path.join(args.bin, "valion"), "--bus", env["VALION_BUS"], "--keys", env["VALION_KEYS"]]
    subprocess.run(cli + ["event", "export", "--file", exported], check=True,
                   stdout=subprocess.DEVNULL)
    audit = subprocess.run(cli + ["audit", "verify", "--export", exported, "--key",
                                  os.path.join(env["VALION_KEYS"], "audit.pub")],
                           text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lost = [task for task in load.accepted if task not in rows]
    checks = [
        ("kills", sum(kills.values()), sum(kills.values()) > 0),
        ("jobs accepted", len(load.accepted), len(load.accepted) > 0),
        ("submissions without an answer", load.unknown, True),
        ("accepted but not in the record (lost)", len(lost), not lost),
        ("jobs in the record", len(rows), len(rows) >= len(load.accepted)),
        ("not ended", open_jobs, open_jobs == 0),
        ("ended, but not done", len(rows) - len(done) - open_jobs, len(done) == len(rows)),
        ("done without an effect outside", len(done - outside.keys()), done <= outside.keys()),
        ("effects outside twice", sum(len(t) > 1 for t in outside.values()),
         all(len(t) == 1 for t in outside.values())),
        ("effects outside under a token above the last",
         sum(rows[t][1] < max(k) for t, k in outside.items() if t in rows),
         all(rows[t][1] >= max(k) for t, k in outside.items() if t in rows)),
        ("versions made", made_versions, made_versions == len(set(versions))),
        ("versions twice for a task", len(versions) - len(set(versions)),
         len(versions) == len(set(versions))),
        ("done without a version", len(done - set(versions)), done <= set(versions)),
        ("job.finished events, jobs", "%s, %s" % tuple(finished),
         finished[0] == finished[1] and int(finished[0]) == len(rows)),
        ("log entries, last position", "%s, %s" % tuple(dense), dense[0] == dense[1]),
        ("gaps that a follower saw", follower.gaps, follower.gaps == 0),
        ("entries that a follower read", follower.last, follower.last == int(dense[1])),
        ("audit verify of the export", audit.stdout.strip().splitlines()[-1:], audit.returncode == 0),
        ("load failed", load.failure, load.failure is None),
        ("follower failed", follower.failure, follower.failure is None),
        *delays(jobs),
    ]
    if args.gap and args.gap > LEASE_S + 2:
        checks += recoveries(jobs, killed)
    print("killed: " + ", ".join("%s %d" % item for item in kills.items()))
    for name, value, good in checks:
        print("%-48s %-20s %s" % (name, value, "" if good else "WRONG"))
    wrong = sum(not good for _, _, good in checks)
    context.destroy(0)
    run_suite("down", args.var)
    print("%d passed, %d failed" % (len(checks) - wrong, wrong))
    return 1 if wrong else 0


sys.exit(main())
