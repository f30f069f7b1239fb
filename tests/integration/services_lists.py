"""Lists of more than fits a reply, read page by page by the C client."""
from services_case import ServicesTest, read_events, suite, wait_for_event
from services_support import Pages, pairs, to_base64
from valion.v1 import common_pb2


class Lists(ServicesTest):
    """More than fits a reply: each page is one that the C client takes, and nothing is lost."""

    def expect_pages(self, pages, wanted, of):
        items, count = pages.all()
        self.assertEqual(sorted(of(each) for each in items), sorted(wanted))
        self.assertGreater(count, 1)

    def test_tokens_and_sizes_that_are_none(self):
        lists = {"ListModels": {}, "ListVersions": {"model": "honest"}, "ListHeads": {},
                 "ListJobs": {}}
        for method, message in lists.items():
            for token in (b"\xff\xfe", b"\x00", b"no such token \xe2\x82\xac", b"x" * 900):
                with self.subTest(method=method, token=token[:20]):
                    page = common_pb2.Page(token=token)
                    answer = self.vera.ask(method, {**message, "page": page})
                    if method == "ListModels" and answer.status == "OK":
                        continue  # every text is a place in the order of names
                    self.expect_field(answer, "page.token")
            for size in (0, 1001, 2**32 - 1):
                with self.subTest(method=method, size=size):
                    page = common_pb2.Page(size=size)
                    self.expect_field(self.vera.ask(method, {**message, "page": page}), "page.size")

    def test_models(self):
        names = [f"listed-{i:03}" for i in range(450)]
        tags = ["listed", *(f"t{i}" for i in range(20))]
        self.alice.get_all("CreateModel", ({"name": name, "tags": tags} for name in names))
        self.expect_pages(Pages(suite, "ListModels", "models", tag="listed"), names,
                          lambda each: each["name"])
        done = suite.cli("-o", "json", "model", "list", "--tag", "listed", "--limit", "1000")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_versions(self):
        self.make_model()
        versions = [f"1.{i}.0" for i in range(600)]
        self.alice.get_all("CreateVersion", ({"model": self.model, "version": each,
                                              "hyperparameters": pairs(3)} for each in versions))
        self.expect_pages(Pages(suite, "ListVersions", "versions", model=self.model), versions,
                          lambda each: each["version"])
        done = suite.cli("-o", "json", "version", "list", "--model", self.model, "--limit", "1000")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_versions_that_are_large(self):
        """All of them together are more than a service may take for one call."""
        self.make_model()
        info = pairs(12, value="x" * 5000)
        versions = [f"1.{i}.0" for i in range(290)]
        self.alice.get_all("CreateVersion", ({"model": self.model, "version": each,
                                              "dataset_info": info} for each in versions))
        first = self.vera.get("ListVersions", {"model": self.model,
                                               "page": common_pb2.Page(size=1000)})
        self.assertEqual([each.version for each in first.versions],
                         versions[:-len(first.versions) - 1:-1])
        self.assertTrue(first.next_token)
        second = Pages(suite, "ListVersions", "versions").read(
            {"model": self.model, "page": {"size": 1000, "token": to_base64(first.next_token)}})
        self.assertEqual(second["versions"][0]["version"], versions[-len(first.versions) - 1])

    def test_events(self):
        self.alice.get_all("CreateModel", ({"name": f"event-{i}"} for i in range(1100)))
        wait_for_event("event-1099", "model.created")
        events, after, pages = [], 0, 0
        end = read_events().end
        while after < end:
            reply = Pages(suite, "ReadEvents", "events").read({"after": after, "limit": 1000})
            events += [int(each["position"]) for each in reply["events"]]
            after, pages = int(reply["last"]), pages + 1
        self.assertEqual(events[:end], list(range(1, end + 1)))
        self.assertGreater(pages, 1)

    def test_heads(self):
        """Rows that the test makes: a registry signs once a minute."""
        suite.sql("INSERT INTO event.head (position, hash, time, signature)"
                  " SELECT 1 + i % 500, decode(repeat('ab', 32), 'hex'),"
                  "        timestamptz '2020-01-01' + i * interval '1 microsecond',"
                  "        decode(repeat('cd', 64), 'hex') FROM generate_series(1, 1200) AS i")
        self.addCleanup(suite.sql, "DELETE FROM event.head WHERE time < '2021-01-01'")
        items, pages = Pages(suite, "ListHeads", "heads").all()
        self.assertEqual(len({(each["position"], each["time_us"]) for each in items}), len(items))
        self.assertGreaterEqual(len(items), 1200)
        self.assertGreater(pages, 1)
