"""Artifacts up and down, through the command line, a bus and CURVE, against the same file copied.

    bench_artifacts.py --root CHECKOUT --bin PROGRAMS --python BUILD/python --var FOLDER [--size MIB]

The limit is `cp`, `sync` and `sha256sum` of the same file on the same disk, measured before each
round. A host takes free memory of a virtual machine back, and a page's first use then costs ten
times its copy, so each step begins with pages that were just used. One file of bytes that nothing compresses, one of text. Prints rates, ratios and the largest
resident size that any process of ours had. Exit 1 if a ratio or a size misses its goal.
"""
import argparse, glob, mmap, os, random, statistics, subprocess, sys, time

GOAL_RATIO, GOAL_RSS_MIB = 0.3, 64

parser = argparse.ArgumentParser()
for name in ("root", "bin", "python", "var"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--size", type=int, default=1024, help="MiB of each file")
parser.add_argument("--rounds", type=int, default=3)
args = parser.parse_args()
suite = os.path.join(args.root, "scripts", "suite")
files = os.path.join(args.var, "files")
MIB = 1024 * 1024


def write_random(file):
    for _ in range(args.size):
        file.write(os.urandom(MIB))


def write_text(file):
    """Records as a log of predictions has them; a piece never sees that 32 MiB repeat."""
    some, lines, held = random.Random(7), [], 0
    while held < min(args.size, 32) * MIB:
        lines.append('{"id": %d, "price": %.2f, "area": %d, "city": "%s", "sold": %s}\n' % (
            held, some.lognormvariate(12, 0.5), some.randrange(30, 400),
            some.choice(("Porto", "Braga", "Lisboa", "Faro", "Coimbra")),
            some.choice(("true", "false"))))
        held += len(lines[-1])
    block = "".join(lines).encode()[:min(args.size, 32) * MIB]
    for at in range(0, args.size * MIB, len(block)):
        file.write(block[:args.size * MIB - at])


def make_new(path):
    """Another content each round: what is stored already would not be sent."""
    with open(path, "r+b") as file:
        file.write(os.urandom(16))
    os.sync()


def warm():
    """As many free pages as a step's files take, each used once."""
    child = os.fork()
    if child == 0:
        mmap.mmap(-1, 4 * args.size * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
        os._exit(0)
    os.waitpid(child, 0)


def size_of(pid):
    """Largest resident size so far, in MiB; 0 once it has ended."""
    with open("/proc/%d/status" % pid) as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields.get("VmHWM", "0").split()[0]) / 1024


def timed(*words):
    """Seconds, standard output and the process's largest resident size in MiB. What the kernel says
    of it at its end begins with the size of the Python that it was forked from."""
    begin, size = time.monotonic(), 0.0
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    while child.poll() is None:
        size = max(size, size_of(child.pid))
        try:
            child.wait(0.02)
        except subprocess.TimeoutExpired:
            pass
    seconds, out = time.monotonic() - begin, child.stdout.read().strip()
    if child.returncode != 0:
        sys.exit("%s ended with status %d" % (" ".join(words), child.returncode))
    return seconds, out, size


def copy(path):
    to = path + ".copy"
    warm()
    seconds = sum(timed(*words)[0] for words in (("cp", path, to), ("sync", to), ("sha256sum", to)))
    os.unlink(to)
    return seconds


def service_sizes():
    """Largest resident sizes since their start, in MiB, by name of the program."""
    sizes = {}
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            program = os.readlink(folder + "/exe")
            size = size_of(int(os.path.basename(folder)))
        except OSError:
            continue  # it has ended
        if os.path.dirname(program) == os.path.abspath(args.bin):
            name = os.path.basename(program)
            sizes[name] = max(sizes.get(name, 0), size)
    return sizes


def run_round(path, cli):
    make_new(path)
    copied = copy(path)
    warm()
    up, digest, up_size = timed(*cli, "artifact", "put", path)
    warm()
    down, _, down_size = timed(*cli, "artifact", "get", digest, path + ".back")
    subprocess.run(["cmp", path, path + ".back"], check=True)
    os.unlink(path + ".back")
    shown = subprocess.run([*cli, "-o", "json", "artifact", "show", digest], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    for blob in glob.glob(os.path.join(args.var, "registry/blobs/*", digest + "*")):
        os.unlink(blob)  # nobody asks for it again, and the disk may be small
    return copied, up, down, max(up_size, down_size), shown


subprocess.run([suite, "down", args.var, "--purge"], check=True)
subprocess.run([suite, "up", args.var, "--bin", args.bin, "--port", "22001", "--log-level", "error",
                "--scale", "trainer=0", "--scale", "validator=0", "--scale", "deployer=0",
                "--scale", "runner=0", "--scale", "orchestrator=0"], check=True)
text = subprocess.run([suite, "env", args.var], check=True, text=True, stdout=subprocess.PIPE).stdout
env = dict(line.replace("export ", "").split("=", 1) for line in text.splitlines())
cli = (os.path.join(args.bin, "valion"), "--bus", env["VALION_BUS"], "--keys", env["VALION_KEYS"])
os.makedirs(files, exist_ok=True)
good, cli_size = True, 0.0
try:
    for name, write in (("random bytes", write_random), ("text", write_text)):
        path = os.path.join(files, name.split()[0])
        with open(path, "wb") as file:
            write(file)
        rounds = [run_round(path, cli) for _ in range(args.rounds)]
        os.unlink(path)
        copied, up, down, sizes, shown = zip(*rounds)
        cli_size = max(cli_size, *sizes)
        base = args.size / statistics.median(copied)
        print("%s, %d MiB: cp + sync + sha256sum      %7.0f MiB/s" % (name, args.size, base))
        for what, seconds in (("up", up), ("down", down)):
            rate = args.size / statistics.median(seconds)
            good = good and rate / base >= GOAL_RATIO
            print("    %-4s                               %7.0f MiB/s  ratio %.2f (goal %.1f)" % (
                what, rate, rate / base, GOAL_RATIO), flush=True)
        print("    as the registry shows the last one: " + " ".join(shown[-1].split()), flush=True)
    sizes = {**service_sizes(), "valion": cli_size}
finally:
    subprocess.run([suite, "down", args.var, "--purge"], check=True)
for name, size in sorted(sizes.items()):
    good = good and size < GOAL_RSS_MIB
    print("largest resident size of %-16s %5.1f MiB (goal %d)" % (name, size, GOAL_RSS_MIB))
sys.exit(0 if good else 1)
