"""How artifacts are kept and read: compressed where that pays, each piece proved before it leaves,
damage noted once, refused from then on and mended; by one registry and by two."""
import hashlib
import os
import random
import signal
import socket
import subprocess
import uuid

from services_case import ServicesTest, args, facts_of, read_events, suite, wait_for_event
from services_support import request, wait_until
from suite_support import Answer, run_to_end
from valion.v1 import registry_pb2

CHUNK = 256 * 1024


def random_bytes(size, seed):
    return random.Random(seed).randbytes(size)


def text_bytes(size, seed):
    """Records that compress to less than half."""
    some, lines, held = random.Random(seed), [], 0
    while held < size:
        lines.append('{"price": %d, "city": "%s"}\n' % (
            some.randrange(10**6), some.choice(("Porto", "Braga", "Faro"))))
        held += len(lines[-1])
    return "".join(lines).encode()[:size]


def blob_file(digest, framed=False):
    name = digest.hex()
    return os.path.join(suite.folder, "registry", "blobs", name[:2],
                        name + (".zst" if framed else ""))


def flip(path, offset):
    """One bit, as a disk that fails does."""
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 4]))


def events_of(digest, kind):
    return [each for each in read_events(subject=digest.hex()).events if each.type == kind]


def column(digest, name):
    return suite.sql(f"SELECT {name} FROM registry.blob WHERE digest = '\\x{digest.hex()}'")[0][0]


class Artifacts(ServicesTest):
    def begin(self, content):
        return self.alice.get("BeginUpload", {"digest": hashlib.sha256(content).digest(),
                                              "size_bytes": len(content)})

    def put_chunks(self, upload_id, content):
        for at in range(0, len(content), CHUNK):
            body = request("PutChunk", {"upload_id": upload_id, "offset": at}).SerializeToString()
            answer = self.alice.send(self.alice.header("PutChunk"), body, content[at:at + CHUNK])
            self.assertEqual(answer.status, "OK", answer.header.message)

    def commit(self, upload_id, content):
        digest = hashlib.sha256(content).digest()
        message = {"upload_id": upload_id, "digest": digest}
        self.alice.get("CommitUpload", message)
        return digest

    def store(self, content):
        upload_id = self.begin(content).upload_id
        self.assertTrue(upload_id)
        self.put_chunks(upload_id, content)
        return self.commit(upload_id, content)

    def keep_inline(self, content, version="1.0.0"):
        return self.make_version(version, artifacts=[
            {"role": "model", "inline_bytes": content}]).artifacts[0].digest

    def ask_chunk(self, digest, offset=0, **fields):
        return self.vera.ask("GetChunk", {"digest": digest, "offset": offset, **fields})

    def read(self, digest, size):
        got = b""
        while len(got) < size:
            answer = self.ask_chunk(digest, len(got))
            self.assertEqual(answer.status, "OK", answer.header.message)
            got += answer.raw
        return got

    def info(self, digest):
        return self.vera.get("GetArtifactInfo", {"digest": digest})

    def expect_corrupt(self, answer):
        self.expect(answer, "DATA_LOSS", "CORRUPT")

    def expect_damage(self, digest, where, chunk, offset=0):
        """A read finds it, the record says so once, and whatever needs it is refused."""
        self.expect_corrupt(self.ask_chunk(digest, offset))
        event = wait_for_event(digest.hex(), "artifact.corrupt")
        facts = facts_of(event)
        self.assertEqual((facts["where"], facts["chunk"]), (where, str(chunk)))
        self.assertEqual(facts["size_bytes"], str(self.info(digest).size_bytes))
        self.assertGreater(self.info(digest).corrupt_us, 0)
        for at in (0, offset):
            self.expect_corrupt(self.ask_chunk(digest, at))
        self.assertEqual(len(events_of(digest, "artifact.corrupt")), 1)

    # ---- how they are kept ----

    def test_text_is_kept_compressed_in_frames_that_zstd_reads(self):
        content = text_bytes(5 * CHUNK + 777, 1)
        uploads = os.path.join(suite.folder, "registry", "uploads")
        before = os.listdir(uploads)
        digest = self.store(content)
        path = blob_file(digest, framed=True)
        self.assertFalse(os.path.exists(blob_file(digest)))
        plain = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout
        self.assertEqual(plain, content)
        info = self.info(digest)
        self.assertEqual((info.size_bytes, info.stored_bytes), (len(content),
                                                                os.path.getsize(path)))
        self.assertLess(info.stored_bytes, len(content) / 2)
        self.assertEqual(self.read(digest, len(content)), content)
        facts = facts_of(wait_for_event(digest.hex(), "artifact.stored"))
        self.assertEqual(facts["stored_bytes"], str(info.stored_bytes))
        self.assertEqual(os.listdir(uploads), before)

    def test_what_does_not_compress_is_kept_as_it_is(self):
        content = random_bytes(3 * CHUNK + 1, 2)
        digest = self.store(content)
        with open(blob_file(digest), "rb") as file:
            self.assertEqual(file.read(), content)
        self.assertFalse(os.path.exists(blob_file(digest, framed=True)))
        self.assertEqual(self.info(digest).stored_bytes, len(content))

    def test_a_text_that_turns_into_noise_is_kept_as_it_is(self):
        """The probe looks at eight pieces; the whole saves less than a tenth."""
        pieces = [random_bytes(CHUNK, 100 + i) for i in range(96)]
        for i in range(8):
            pieces[i * 95 // 7] = text_bytes(CHUNK, 200 + i)
        content = b"".join(pieces)
        digest = self.store(content)
        self.assertTrue(os.path.exists(blob_file(digest)))
        self.assertEqual(self.read(digest, len(content)), content)

    def test_ranges_from_anywhere(self):
        for content in (text_bytes(4 * CHUNK + 99, 3), random_bytes(4 * CHUNK + 99, 3)):
            digest = self.store(content)
            for offset, size in ((CHUNK - 5, 10), (2 * CHUNK + 7, CHUNK), (0, 1), (4 * CHUNK, 99),
                                 (4 * CHUNK + 98, 50), (CHUNK + 1, CHUNK), (len(content), 5)):
                with self.subTest(offset=offset, size=size):
                    answer = self.ask_chunk(digest, offset, size_bytes=size)
                    self.assertEqual(answer.read(registry_pb2.GetChunkReply).total_bytes,
                                     len(content))
                    self.assertEqual(answer.raw or b"", content[offset:offset + size])
            self.expect(self.ask_chunk(digest, len(content) + 1), "OUT_OF_RANGE", "FIELD")
            self.expect(self.ask_chunk(digest, -1), "OUT_OF_RANGE", "FIELD")
            self.expect(self.ask_chunk(digest, 2**62), "OUT_OF_RANGE", "FIELD")

    def test_small_content_is_compressed_in_the_record(self):
        self.make_model()
        content = text_bytes(40000, 4)
        digest = self.keep_inline(content)
        self.assertEqual(column(digest, "bytes IS NULL AND packed IS NOT NULL"), "t")
        self.assertLess(self.info(digest).stored_bytes, len(content) / 2)
        self.assertEqual(self.read(digest, len(content)), content)
        self.assertEqual(self.ask_chunk(digest, 39990, size_bytes=50).raw, content[39990:])
        noise = random_bytes(40000, 4)
        other = self.keep_inline(noise, "1.0.1")
        self.assertEqual(column(other, "bytes IS NOT NULL AND packed IS NULL"), "t")
        self.assertEqual(self.read(other, len(noise)), noise)

    def test_what_an_older_registry_stored_is_read(self):
        content = random_bytes(2 * CHUNK + 50, 5)
        digest = self.store(content)
        suite.sql("UPDATE registry.blob SET pieces = NULL, stored_bytes = NULL"
                  f" WHERE digest = '\\x{digest.hex()}'")
        self.assertEqual(self.read(digest, len(content)), content)
        self.assertEqual(self.info(digest).stored_bytes, len(content))
        flip(blob_file(digest), CHUNK)
        done = self.cli("artifact", "get", digest.hex(), os.path.join(suite.folder, "old"), code=1)
        self.assertIn("do not have their digest", done.stderr)
        os.unlink(blob_file(digest))
        self.expect_damage(digest, "file", 0)

    # ---- damage ----

    def test_a_bit_that_flips_in_a_plain_file(self):
        digest = self.store(random_bytes(4 * CHUNK, 6))
        flip(blob_file(digest), 2 * CHUNK + 1000)
        self.assertEqual(len(self.ask_chunk(digest, CHUNK).raw), CHUNK, "this piece is whole")
        self.expect_damage(digest, "file", 2, 2 * CHUNK)
        self.make_model()
        self.expect_corrupt(self.alice.ask("CreateVersion", {"model": self.model, "artifacts": [
            {"role": "model", "digest": digest}]}))

    def test_a_bit_that_flips_in_a_compressed_file(self):
        digest = self.store(text_bytes(4 * CHUNK, 7))
        flip(blob_file(digest, True), os.path.getsize(blob_file(digest, True)) - 40)
        self.expect_damage(digest, "file", 3, 3 * CHUNK)

    def test_a_range_that_ends_in_a_damaged_piece(self):
        digest = self.store(random_bytes(2 * CHUNK, 8))
        flip(blob_file(digest), 2 * CHUNK - 1)
        self.expect_damage(digest, "file", 1, CHUNK - 10)

    def test_files_that_are_cut_or_gone(self):
        for seed, framed, make in ((9, False, random_bytes), (10, True, text_bytes)):
            cut, gone = self.store(make(2 * CHUNK, seed)), self.store(make(2 * CHUNK, 50 + seed))
            os.chmod(blob_file(cut, framed), 0o644)
            os.truncate(blob_file(cut, framed), os.path.getsize(blob_file(cut, framed)) - 1)
            os.unlink(blob_file(gone, framed))
            self.expect_damage(cut, "file", 1, CHUNK)
            self.expect_damage(gone, "file", 0)

    def test_bytes_that_change_in_the_record(self):
        self.make_model()
        plain = self.keep_inline(random_bytes(3000, 11), "1.0.0")
        packed = self.keep_inline(text_bytes(3000, 11), "1.0.1")
        for digest, name in ((plain, "bytes"), (packed, "packed")):
            suite.sql(f"UPDATE registry.blob SET {name} = set_byte({name}, 200,"
                      f" get_byte({name}, 200) # 1) WHERE digest = '\\x{digest.hex()}'")
            self.expect_damage(digest, "record", 0)
            self.assertEqual(facts_of(events_of(digest, "artifact.corrupt")[0])["references"], "1")

    def test_a_table_of_pieces_that_makes_no_sense(self):
        digest = self.store(text_bytes(3 * CHUNK, 12))
        suite.sql("UPDATE registry.blob SET pieces = substring(pieces FOR 50)"
                  f" WHERE digest = '\\x{digest.hex()}'")
        self.expect_damage(digest, "file", 1, CHUNK)

    def test_a_disk_that_is_away_is_no_damage(self):
        content = random_bytes(CHUNK, 13)
        digest = self.store(content)
        folder = os.path.dirname(blob_file(digest))
        os.rename(folder, folder + ".away")
        try:
            self.assertEqual(self.ask_chunk(digest).status, "UNAVAILABLE")
        finally:
            os.rename(folder + ".away", folder)
        self.assertEqual(self.read(digest, CHUNK), content)
        self.assertEqual(events_of(digest, "artifact.corrupt"), [])

    # ---- mending ----

    def test_an_upload_mends_a_file(self):
        for seed, framed, make in ((14, False, random_bytes), (15, True, text_bytes)):
            content = make(2 * CHUNK + 3, seed)
            digest = self.store(content)
            flip(blob_file(digest, framed), 100)
            self.expect_damage(digest, "file", 0)
            self.assertEqual(self.store(content), digest)
            self.assertEqual(self.read(digest, len(content)), content)
            self.assertFalse(self.info(digest).HasField("corrupt_us"))
            self.assertFalse(self.begin(content).HasField("upload_id"))
            wait_for_event(digest.hex(), "artifact.repaired")
            self.assertEqual(len(events_of(digest, "artifact.stored")), 1)

    def test_wrong_bytes_mend_nothing(self):
        content = random_bytes(CHUNK + 3, 16)
        digest = self.store(content)
        flip(blob_file(digest), 100)
        self.expect_damage(digest, "file", 0)
        upload_id = self.begin(content).upload_id
        self.put_chunks(upload_id, content[:-1] + b"?")
        self.expect_corrupt(self.alice.ask("CommitUpload", {"upload_id": upload_id}))
        self.expect_corrupt(self.ask_chunk(digest))
        self.put_chunks(upload_id, content)
        self.commit(upload_id, content)
        self.assertEqual(self.read(digest, len(content)), content)

    def test_an_upload_mends_what_was_in_the_record(self):
        self.make_model()
        content = text_bytes(5000, 17)
        digest = self.keep_inline(content)
        suite.sql("UPDATE registry.blob SET packed = '\\x00'"
                  f" WHERE digest = '\\x{digest.hex()}'")
        self.expect_damage(digest, "record", 0)
        self.store(content)
        self.assertEqual(self.read(digest, len(content)), content)
        self.assertTrue(os.path.exists(blob_file(digest, framed=True)))

    def test_a_version_with_the_bytes_mends_them(self):
        self.make_model()
        content = text_bytes(5000, 18)
        digest = self.keep_inline(content)
        suite.sql(f"UPDATE registry.blob SET packed = '\\x00' WHERE digest = '\\x{digest.hex()}'")
        self.expect_damage(digest, "record", 0)
        self.keep_inline(content, "1.1.0")
        self.assertEqual(self.read(digest, len(content)), content)
        wait_for_event(digest.hex(), "artifact.repaired")

    # ---- many at once ----

    def send_all(self, method, messages):
        """Answers of calls that are all in flight together, in their order."""
        ids = [uuid.uuid4().bytes for _ in messages]
        for each, message in zip(ids, messages):
            self.alice.socket.send_multipart([self.alice.header(method, each),
                                              request(method, message).SerializeToString()])
        answers = {}
        while len(answers) < len(ids):
            self.assertTrue(self.alice.socket.poll(30000))
            answer = Answer(self.alice.socket.recv_multipart())
            answers[answer.header.request_id] = answer
        return [answers[each] for each in ids]

    def test_many_readers_of_one_chunk(self):
        content = text_bytes(3 * CHUNK, 19)
        digest = self.store(content)
        offsets = [0, CHUNK, 0, 2 * CHUNK] * 12
        for offset, answer in zip(offsets, self.send_all("GetChunk", [
                {"digest": digest, "offset": offset} for offset in offsets])):
            self.assertEqual(answer.raw, content[offset:offset + CHUNK])

    def test_many_readers_of_a_damaged_chunk(self):
        digest = self.store(text_bytes(2 * CHUNK, 20))
        flip(blob_file(digest, True), 50)
        for answer in self.send_all("GetChunk", [{"digest": digest}] * 24):
            self.expect_corrupt(answer)
        wait_for_event(digest.hex(), "artifact.corrupt")
        self.assertEqual(len(events_of(digest, "artifact.corrupt")), 1)

    def test_one_of_many_commits_reads_the_bytes(self):
        content = random_bytes(64 * CHUNK, 21)
        upload_id = self.begin(content).upload_id
        self.put_chunks(upload_id, content)
        message = {"upload_id": upload_id, "digest": hashlib.sha256(content).digest()}
        answers = self.send_all("CommitUpload", [message] * 8)
        self.assertIn("OK", [each.status for each in answers])
        for answer in answers:
            if answer.status != "OK":
                self.expect(answer, "UNAVAILABLE", "BUSY")
                self.assertGreater(answer.header.details[0].retry_after_ms, 0)
        digest = self.commit(upload_id, content)
        wait_for_event(digest.hex(), "artifact.stored")
        self.assertEqual(len(events_of(digest, "artifact.stored")), 1)

    def test_two_registries_agree(self):
        with SecondRegistry(self):
            content = text_bytes(8 * CHUNK, 22)
            digest = self.store(content)
            offsets = [i % 8 * CHUNK for i in range(64)]
            for offset, answer in zip(offsets, self.send_all("GetChunk", [
                    {"digest": digest, "offset": offset} for offset in offsets])):
                self.assertEqual(answer.raw, content[offset:offset + CHUNK])
            other = random_bytes(2 * CHUNK, 23)
            bad = self.store(other)
            flip(blob_file(bad), CHUNK)
            self.expect_damage(bad, "file", 1, CHUNK)
            for _ in range(8):
                self.expect_corrupt(self.ask_chunk(bad))
            self.store(other)
            for _ in range(4):
                self.assertEqual(self.read(bad, len(other)), other)

    # ---- the cache ----

    def redis(self, *words):
        """As the protocol has it: strings and their lengths."""
        with open(os.path.join(suite.folder, "redis", "registry.password")) as file:
            password = file.read().strip()
        with socket.create_connection(redis_address().rsplit(":", 1), timeout=5) as wire:
            stream = wire.makefile("rwb")
            for command in ((b"AUTH", b"registry", password.encode()), words):
                stream.write(b"*%d\r\n" % len(command) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(word), word) for word in command))
                stream.flush()
                line = stream.readline()
                self.assertNotEqual(line[:1], b"-", line)
            if line[:1] == b"$":
                return stream.read(int(line[1:])) if int(line[1:]) >= 0 else None
            return line

    def read_as_a_worker(self, digest, redis=None):
        """The digest of what came, chunks that the cache had, and what it said."""
        done = run_to_end([os.path.join(args.bin, "read_artifact"), suite.bus, suite.keys,
                           "validator", redis or redis_address(), "reader",
                           os.path.join(suite.folder, "redis", "reader.password"), digest.hex()])
        self.assertEqual(done.returncode, 0, done.stderr)
        found, hits = done.stdout.split()
        return found, int(hits), done.stderr

    def test_a_wrong_chunk_in_the_cache_is_replaced(self):
        content = text_bytes(3 * CHUNK, 24)
        digest = self.store(content)
        self.assertEqual(self.read_as_a_worker(digest)[:2], (digest.hex(), 0))
        self.assertEqual(self.read_as_a_worker(digest)[:2], (digest.hex(), 3))
        key = b"valion:blob:%s:1" % digest.hex().encode()
        self.redis(b"SET", key, b"x" * CHUNK)
        found, _, said = self.read_as_a_worker(digest)
        self.assertEqual(found, digest.hex())
        self.assertIn("cache.corrupt", said)
        self.assertEqual(self.redis(b"GET", key), content[CHUNK:2 * CHUNK])
        found, hits, said = self.read_as_a_worker(digest)
        self.assertEqual((found, hits), (digest.hex(), 3))
        self.assertNotIn("cache.corrupt", said)

    def test_without_a_cache_it_only_takes_longer(self):
        content = text_bytes(2 * CHUNK, 25)
        digest = self.store(content)
        nobody = os.path.join(suite.folder, "no-redis.sock")
        self.assertEqual(self.read_as_a_worker(digest, nobody)[:2], (digest.hex(), 0))
        with SecondRegistry(self, redis=nobody):
            for _ in range(4):
                self.assertEqual(self.read(digest, len(content)), content)

    def test_the_cache_gives_nothing_of_what_is_damaged(self):
        content = random_bytes(2 * CHUNK, 26)
        digest = self.store(content)
        self.assertEqual(self.read(digest, len(content)), content)
        suite.sql(f"UPDATE registry.blob SET corrupt = now() WHERE digest = '\\x{digest.hex()}'")
        self.expect_corrupt(self.ask_chunk(digest))

    # ---- by the command line ----

    def cli(self, *words, code=0):
        done = suite.cli("--as", "alice", *words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def make_file(self, name, content):
        path = os.path.join(suite.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def test_the_command_line_puts_shows_and_gets(self):
        content = text_bytes(40 * CHUNK + 12345, 27)
        path = self.make_file("put.bin", content)
        digest = self.cli("artifact", "put", path, "--media-type", "text/x-records").stdout.strip()
        self.assertEqual(digest, hashlib.sha256(content).hexdigest())
        self.assertEqual(self.cli("artifact", "put", path).stdout.strip(), digest)
        shown = self.cli("-o", "json", "artifact", "show", digest).stdout
        self.assertIn('"text/x-records"', shown)
        back = self.make_file("got.bin", b"old")
        self.cli("artifact", "get", digest, back)
        with open(back, "rb") as file:
            self.assertEqual(file.read(), content)
        self.assertFalse(os.path.exists(back + ".part"))
        self.cli("artifact", "show", "0" * 64, code=4)
        self.cli("artifact", "get", "0" * 64, back + "2", code=4)
        self.assertFalse(os.path.exists(back + "2.part"))

    def test_an_upload_of_somebody_else_is_gone_on_with(self):
        content = random_bytes(6 * CHUNK, 28)
        upload_id = self.begin(content).upload_id
        self.put_chunks(upload_id, content[:2 * CHUNK])
        self.cli("artifact", "put", self.make_file("rest.bin", content))
        self.assertEqual(self.read(hashlib.sha256(content).digest(), len(content)), content)

    def test_a_download_goes_on_where_it_stopped(self):
        content = random_bytes(5 * CHUNK + 1, 29)
        digest = self.store(content)
        for name, part in (("half", content[:3 * CHUNK + 500]), ("other", b"?" * 2 * CHUNK),
                           ("longer", content + b"more"), ("whole", content)):
            with self.subTest(part=name):
                path = self.make_file("down.bin", b"")
                self.make_file("down.bin.part", part)
                self.cli("artifact", "get", digest.hex(), path)
                with open(path, "rb") as file:
                    self.assertEqual(file.read(), content)

    def interrupt(self, check, *words):
        """Ctrl-C once `check` says that it is under way; it has to be too early for the end."""
        process = subprocess.Popen([os.path.join(args.bin, "valion"), "--bus", suite.bus, "--keys",
                                    suite.keys, "--as", "alice", *words],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(check, "it is under way")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)

    def test_what_was_interrupted_goes_on(self):
        content = random_bytes(400 * CHUNK, 31)
        digest = hashlib.sha256(content).digest()
        path = self.make_file("large.bin", content)
        held = f"SELECT count(*) FROM registry.upload WHERE digest = '\\x{digest.hex()}'" \
               " AND get_byte(chunks, 0) = 255"
        self.interrupt(lambda: suite.number(held), "artifact", "put", path)
        self.assertGreaterEqual(self.begin(content).offset, 8 * CHUNK)
        self.cli("artifact", "put", path)
        back = self.make_file("large.back", b"")
        part = back + ".part"
        self.interrupt(lambda: os.path.exists(part) and os.path.getsize(part) > CHUNK,
                       "artifact", "get", digest.hex(), back)
        self.assertGreater(os.path.getsize(part), CHUNK)
        self.cli("artifact", "get", digest.hex(), back)
        with open(back, "rb") as file:
            self.assertEqual(file.read(), content)
        self.assertFalse(os.path.exists(part))

    def test_a_damaged_artifact_is_not_got_and_put_mends_it(self):
        content = random_bytes(4 * CHUNK, 30)
        digest = self.store(content)
        flip(blob_file(digest), 3 * CHUNK)
        back = os.path.join(suite.folder, "damaged.bin")
        done = self.cli("artifact", "get", digest.hex(), back, code=1)
        self.assertIn("DATA_LOSS", done.stderr)
        self.assertFalse(os.path.exists(back) or os.path.exists(back + ".part"))
        self.assertIn("corrupt_us", self.cli("-o", "json", "artifact", "show", digest.hex()).stdout)
        self.cli("artifact", "put", self.make_file("good.bin", content))
        self.cli("artifact", "get", digest.hex(), self.make_file("damaged.bin", b""))


def redis_address():
    return "127.0.0.1:%d" % (int(suite.bus.split(",")[0].rsplit(":", 1)[1]) + 10)


class SecondRegistry:
    """Another process beside the suite's, for as long as the test wants it."""

    def __init__(self, test, redis=None):
        self.test, self.redis = test, redis

    def __enter__(self):
        with open(os.path.join(suite.folder, "s6", "registry0", "run")) as file:
            script = file.read().replace("registry0", "registry9")
        if self.redis:
            script = script.replace(redis_address(), self.redis)
        self.process = subprocess.Popen(["sh", "-c", script])
        wait_until(lambda: "registry9" in suite.cli("-o", "json", "status").stdout,
                   "the second registry is there")
        return self

    def __exit__(self, *reason):
        self.process.terminate()
        self.test.assertEqual(self.process.wait(20), 0)
