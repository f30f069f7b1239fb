"""Ten times what a suite can take: how much of its work it still does, how soon it refuses the rest,
and what it grows to.

First the peak: submissions of no-op jobs accepted a second, in a closed loop with the best of a few
numbers of calls in flight, for as long as the overload will last: PostgreSQL's checkpoints and the
relay of events catch up with a shorter run. Then ten times that is offered, in an open loop, by many
connections of several principals (bench_overload.c, whose head says how the client keeps from being
the queue itself). A refusal's time is from the send of that call to its reply, in the client's
process, with all that lies between.

Each second the memory of each process is read; PostgreSQL's is the sum over its processes, shared
pages divided among them. `slope` is of the last half of the overload, by least squares. PostgreSQL's
caches fill as the tables grow; the others hold nothing that grows with what was accepted.

Everything runs on one machine: the clients take a part of the processors that they would not take
elsewhere. How much each process took is printed for that reason.
"""
import argparse, os, subprocess, sys, threading, time

parser = argparse.ArgumentParser()
for name in ("root", "bin", "python", "var"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--seconds", type=int, default=60, help="of overload; 8 for a quick look")
parser.add_argument("--principals", type=int, default=8)
parser.add_argument("--connections", type=int, default=64)
parser.add_argument("--pipeline", type=int, default=64, help="open calls of a connection")
parser.add_argument("--times", type=float, default=10, help="offered, in peaks")
args = parser.parse_args()
suite = os.path.join(args.root, "scripts", "suite")
SEARCH_S, PEAK_PIPELINES, REST_S = 3, (16, 32, 64), 5
GOODPUT_GOAL, REFUSAL_GOAL_MS = 0.8, 100
TICKS = os.sysconf("SC_CLK_TCK")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def field(path, name):
    """A number of a file such as /proc/PID/status, in KiB."""
    with open(path, encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))


def processor_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


class Watch(threading.Thread):
    """Reads memory and processor time of what s6 runs, each second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples, self.ended = [], threading.Event()
        folder = os.path.join(args.var, "s6")
        self.pids = {}
        for name in sorted(name for name in os.listdir(folder) if name[0] != "."):
            out = subprocess.run(["s6-svstat", "-o", "pid", os.path.join(folder, name)],
                                 text=True, stdout=subprocess.PIPE).stdout.strip()
            if out.isdigit():
                self.pids[name] = int(out)

    def look(self):
        """Name: KiB, seconds of processor."""
        seen = {}
        for name, pid in self.pids.items():
            family = [pid] + (children_of(pid) if name == "postgres" else [])
            kib = seconds = 0
            for each in family:
                try:
                    kib += (field(f"/proc/{each}/smaps_rollup", "Pss") if name == "postgres"
                            else field(f"/proc/{each}/status", "VmRSS"))
                    seconds += processor_s(each)
                except (OSError, StopIteration):
                    if each == pid:
                        raise  # a backend may have ended meanwhile; a process of ours may not
            seen[name] = kib, seconds
        return seen

    def run(self):
        while not self.ended.wait(1):
            self.samples.append((time.monotonic(), self.look()))

    def between(self, start, end):
        return [(at, seen) for at, seen in self.samples if start <= at <= end]


def slope_of(points):
    """KiB a second, by least squares."""
    if len(points) < 3:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def load(env, rate, connections, pipeline, seconds):
    names = ",".join(f"load{i}" for i in range(args.principals))
    out = subprocess.run([os.path.join(args.bin, "bench_overload"), "tcp://" + env["VALION_BUS"],
                          env["VALION_KEYS"], names, str(connections), str(rate), str(pipeline),
                          str(seconds)], check=True, text=True, stdout=subprocess.PIPE).stdout.split()
    return {name: float(value) for name, value in zip(out[::2], out[1::2])}


def find_pipeline(env):
    """With which most is accepted."""
    found = {each: load(env, 0, args.principals, each, SEARCH_S)["goodput"]
             for each in PEAK_PIPELINES}
    print("closed loop of %d s, calls in flight: accepted/s  " % SEARCH_S +
          ", ".join("%d: %.0f" % (args.principals * item[0], item[1]) for item in found.items()))
    return max(found, key=found.get)


def make_principals(env):
    for i in range(args.principals):
        subprocess.run([os.path.join(args.bin, "valion"), "--keys", env["VALION_KEYS"], "keys",
                        "new", f"load{i}", "--roles", "publisher"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # A connection with a key that the bus has not read yet would never come about.
    last = ["--keys", env["VALION_KEYS"], "--bus", env["VALION_BUS"], "--timeout", "1s", "--as",
            f"load{args.principals - 1}", "ping"]
    while subprocess.run([os.path.join(args.bin, "valion"), *last], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL).returncode != 0:
        pass


def show_calls(figures, peak):
    offered = figures["sent"] + figures["held"]
    print("\noffered %.0f/s for %d s: %.0f calls, of which %.0f were sent and %.0f were held at the"
          " socket" % (peak * args.times, args.seconds, offered, figures["sent"], figures["held"]))
    print("%-14s %10s %10s %10s %10s %12s" % ("", "calls", "p50 ms", "p99 ms", "max ms",
                                              "over 100 ms"))
    for name in ("accepted", "refused", "expired", "unavailable", "other", "unanswered"):
        print("%-14s %10.0f %10.2f %10.2f %10.2f %12.0f" % (
            (name,) + tuple(figures[name + key] for key in ("", "_p50", "_p99", "_max", "_late"))))
    answered = figures["sent"] / args.seconds
    print("at most %d calls open, %.0f answers a second: %.1f ms in the mean for any bus" % (
        args.connections * args.pipeline, answered,
        1000 * args.connections * args.pipeline / answered))
    print("longest round of the client %.1f ms, its processor time %.1f s" % (
        figures["round_max"], figures["cpu"]))


def show_processes(watch, start, end):
    before, during, after = (watch.between(*span) for span in
                             ((0, start), (start, end), (end, time.monotonic())))
    half = [each for each in during if each[0] >= (start + end) / 2]
    print("\n%-14s %10s %10s %10s %14s %12s" % ("MiB", "before", "max", "after", "slope MiB/min",
                                                "processors"))
    for name in watch.pids:
        last_before, last = before[-1][1][name], after[-1][1][name]
        busy = (during[-1][1][name][1] - during[0][1][name][1]) / (during[-1][0] - during[0][0])
        print("%-14s %10.1f %10.1f %10.1f %14.2f %12.2f" % (
            name, last_before[0] / 1024, max(seen[name][0] for _, seen in during) / 1024,
            last[0] / 1024, slope_of([(at, seen[name][0]) for at, seen in half]) * 60 / 1024, busy))


def main():
    text = subprocess.run([suite, "env", args.var], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    env = dict(line.replace("export ", "").split("=", 1) for line in text.splitlines())
    make_principals(env)
    watch = Watch()
    watch.start()
    best = find_pipeline(env)
    peak = load(env, 0, args.principals, best, args.seconds)["goodput"]
    time.sleep(REST_S)  # memory before: samples of a suite that does nothing
    start = time.monotonic()
    figures = load(env, int(peak * args.times), args.connections, args.pipeline, args.seconds)
    end = start + args.seconds
    time.sleep(REST_S)
    watch.ended.set()
    watch.join()
    again = load(env, 0, args.principals, best, SEARCH_S)["goodput"]
    show_calls(figures, peak)
    show_processes(watch, start, end)
    refused_late = figures["refused_late"] / max(1, figures["refused"])
    print("\npeak over %d s %.0f/s, %d s after the overload %.0f/s; goodput under overload %.0f/s" % (
        args.seconds, peak, SEARCH_S, again, figures["goodput"]))
    print("goodput / peak %.2f (goal %.2f)" % (figures["goodput"] / peak, GOODPUT_GOAL))
    print("refusals: longest %.1f ms, %.2f %% over %d ms (goal: none)" % (
        figures["refused_max"], 100 * refused_late, REFUSAL_GOAL_MS))


subprocess.run([suite, "down", args.var, "--purge"], check=True)
# Nobody works on the jobs: the bound of tasks that wait for workers is out of the way.
subprocess.run([suite, "up", args.var, "--bin", args.bin, "--port", "24401", "--log-level", "error",
                "--scale", "trainer=0", "--scale", "validator=0", "--scale", "deployer=0",
              "--scale", "runner=0"],
               check=True, env=dict(os.environ, VALION_MAX_READY="100000000"))
try:
    main()
finally:
    subprocess.run([suite, "down", args.var], check=True)
sys.exit(0)
