"""What the record says of a version: its card, where it comes from and went, what served when."""
import json
import uuid

from services_case import facts_of, read_events, suite
from services_evidence import (DATA, PRODUCTION, STAGING, EvidenceTest, number, service, sha256,
                               signature)
from services_support import Principal, wait_until
from valion.v1 import registry_pb2


class RecordTest(EvidenceTest):
    def setUp(self):
        super().setUp()
        self.deployer = service(Principal, "deployer")

    def grant(self, version, environment="production", rollout=None):
        return self.deployer.ask("OpenGrant", {
            "model": self.model, "version": version, "environment": environment,
            "rollout_id": rollout or uuid.uuid4().bytes}).read(registry_pb2.OpenGrantReply).grant

    def dataset(self, name, data=DATA):
        self.store(data)
        self.alice.get("CreateDataset", {"dataset": registry_pb2.Dataset(
            name=name, digest=sha256(data), format="csv", rows=2)})

    def history(self):
        """1.0.0 trained on houses, judged, promoted, serving; 1.1.0 comes of it."""
        self.dataset("card-houses")
        self.make_model(tags=["prices"])
        self.make_version("1.0.0", description="by size | and <place>", tags=["first"],
                          algorithm="XGBRegressor", target="price", metrics=[number("r2_score", 0.8)],
                          artifacts=[registry_pb2.Artifact(role="model", inline_bytes=b"one")],
                          lineage=registry_pb2.Lineage(dataset_digests=[sha256(DATA)],
                                                       run_id=uuid.UUID(int=7).bytes,
                                                       source="commit 1234"))
        first = self.inspect("1.0.0")
        report = self.validated(first)
        self.promoted("1.0.0", STAGING)
        self.promoted("1.0.0", PRODUCTION, reason="better than nothing")
        grant = self.grant("1.0.0")
        self.make_version("1.1.0", algorithm="XGBRegressor", target="price",
                          metrics=[number("r2_score", 0.85)],
                          artifacts=[registry_pb2.Artifact(role="model", inline_bytes=b"two")],
                          lineage=registry_pb2.Lineage(parent_version="1.0.0"))
        return first, report, grant

    def inspect(self, version):
        return self.validator.get("SetSignature", {"model": self.model, "version": version,
                                                   "signature": signature(), "ready": True}).version


class Cards(RecordTest):
    def card(self, **fields):
        return self.vera.get("GetModelCard", {"model": self.model, **fields})

    def test_all_that_is_recorded_of_a_version(self):
        first, report, grant = self.history()
        card = self.card(version="1.0.0").card
        shown = self.vera.get("GetVersion", {"model": self.model, "version": "1.0.0"}).version
        self.assertEqual(card.version, shown)
        self.assertEqual([each.report_id for each in card.reports], [report])
        self.assertEqual([(each.to, each.reason) for each in card.changes],
                         [(PRODUCTION, "better than nothing"), (STAGING, "")])
        self.assertEqual([(each.grant_id, each.environment) for each in card.grants],
                         [(grant.grant_id, "production")])
        self.assertIn("card-houses", [each.name for each in card.datasets])
        self.assertEqual(list(card.children), ["1.1.0"])
        self.assertFalse(card.HasField("compared_with"))
        self.assertEqual(card.version.digest, first.digest)
        second = self.card().card
        self.assertEqual((second.version.version, second.compared_with), ("1.1.0", "1.0.0"))
        self.assertTrue(any("r2_score" in each for each in second.differences))

    def test_as_markdown(self):
        first, _, _ = self.history()
        text = self.card(version="1.0.0").markdown
        for part in (f"# {self.model.replace('_', chr(92) + '_')} 1.0.0\n", "| stage | production |",
                     "| status | deployed |", "by size \\| and \\<place\\>", first.digest.hex(),
                     "## Inputs", "| area | float64 |", "## Metrics", "| r2\\_score | 0.8 |",
                     "## Evidence", "| pass | regression", "## Stages", "better than nothing",
                     "## Served", "| production |", "## Artifacts", sha256(b"one").hex(),
                     "card-houses", "| source | commit 1234 |", "| child | 1.1.0 |"):
            with self.subTest(part=part):
                self.assertIn(part, text)
        self.assertIn("It was never judged.", self.card(version="1.1.0").markdown)
        self.assertIn("## Changes since 1.0.0", self.card(version="1.1.0").markdown)

    def test_the_same_record_gives_the_same_bytes(self):
        self.history()
        wait_until(lambda: all(each.position for each in self.card(version="1.0.0").card.changes),
                   "the log has the changes")
        first = self.vera.ask("GetModelCard", {"model": self.model, "version": "1.0.0"})
        again = self.bob.ask("GetModelCard", {"model": self.model, "version": "1.0.0"})
        self.assertEqual(first.body, again.body)

    def test_what_was_written_does_not_become_markup(self):
        self.make_model()
        self.make_version("1.0.0", description="# not a title\n|x|\n```", tags=["<script>"])
        text = self.card().markdown
        self.assertNotIn("\n# not", text)
        self.assertNotIn("<script>", text)
        self.assertNotIn("```", text.replace("\\`", ""))

    def test_cards_that_there_are_not(self):
        self.make_model()
        self.expect(self.vera.ask("GetModelCard", {"model": self.model}), "NOT_FOUND", "UNSPECIFIED")
        self.expect(self.vera.ask("GetModelCard", {"model": self.model, "alias": "none"}),
                    "NOT_FOUND", "UNSPECIFIED")
        self.expect_field(self.vera.ask("GetModelCard", {"model": "../x"}), "name")

    def test_the_largest_record_has_a_card(self):
        self.make_model()
        self.make_version("1.0.0", hyperparameters=[{"key": f"k{i}", "value": "|" * 200}
                                                    for i in range(256)])
        self.assertIn("## Hyperparameters", self.card().markdown)

    def test_on_the_command_line(self):
        self.history()
        done = suite.cli("version", "card", f"{self.model}@1.0.0")
        self.assertEqual((done.returncode, done.stdout),
                         (0, self.card(version="1.0.0").markdown))
        done = suite.cli("-o", "json", "version", "card", f"{self.model}@1.0.0")
        self.assertEqual(json.loads(done.stdout)["version"]["version"], "1.0.0")


class Lineage(RecordTest):
    def graph(self, **fields):
        reply = self.vera.get("GetLineage", {"model": self.model, **fields})
        return ({each.id: each.label for each in reply.nodes},
                {(getattr(each, "from"), each.to, each.kind) for each in reply.edges}, reply)

    def test_where_a_version_comes_from_and_where_it_went(self):
        _, report, _ = self.history()
        nodes, edges, reply = self.graph(version="1.0.0")
        one, two = f"version:{self.model}@1.0.0", f"version:{self.model}@1.1.0"
        data = "dataset:" + sha256(DATA).hex()
        self.assertLessEqual({
            (one, two, "parent"), (data, one, "trained_on"),
            (f"run:{uuid.UUID(int=7)}", one, "made_by"),
            ("artifact:" + sha256(b"one").hex(), one, "part"),
            (one, f"report:{uuid.UUID(bytes=report)}", "judged_by"),
            (one, "environment:production", "serves")}, edges)
        self.assertEqual(nodes["environment:production"], "production")
        self.assertTrue(nodes[data])
        self.assertEqual(len({each.id for each in reply.nodes}), len(reply.nodes))
        for start, end, _ in edges:
            self.assertLessEqual({start, end}, set(nodes))
        self.assertEqual(self.graph(version="1.1.0")[1], edges)

    def test_as_a_graph(self):
        self.history()
        nodes, edges, reply = self.graph(version="1.0.0")
        lines = reply.dot.splitlines()
        self.assertEqual((lines[0], lines[-1]), ("digraph lineage {", "}"))
        self.assertEqual(sum(" -> " in line for line in lines), len(edges))
        self.assertEqual(sum("[shape=" in line for line in lines), len(nodes))

    def test_no_further_than_asked(self):
        self.make_model()
        parent = None
        for i in range(6):
            lineage = registry_pb2.Lineage(parent_version=parent) if parent else None
            parent = self.make_version(f"1.{i}.0", **({"lineage": lineage} if lineage else {})).version
        versions = {each for each in self.graph(version="1.5.0", depth=2)[0]}
        self.assertEqual(versions, {f"version:{self.model}@1.{i}.0" for i in (2, 3, 4, 5)})
        self.assertEqual(len(self.graph(version="1.5.0", depth=20)[0]), 6)
        for depth in (0, 21):
            self.expect_field(self.vera.ask("GetLineage", {"model": self.model, "depth": depth}),
                              "depth")

    def test_a_graph_larger_than_a_reply_is_cut_and_says_so(self):
        self.make_model()
        self.make_version("1.0.0")
        self.alice.get_all("CreateVersion", ({
            "model": self.model, "version": f"1.{1 + i // 40}.{i % 40}",
            "lineage": registry_pb2.Lineage(parent_version="1.0.0" if i < 40 else
                                            f"1.{i // 40}.{i % 40}"),
            "artifacts": [registry_pb2.Artifact(role="model", inline_bytes=f"{i}".encode())]}
            for i in range(200)))
        nodes, _, reply = self.graph(version="1.0.0", depth=20)
        self.assertTrue(reply.truncated)
        self.assertLessEqual(len(nodes), 300)

    def test_on_the_command_line(self):
        self.history()
        done = suite.cli("version", "lineage", f"{self.model}@1.0.0")
        self.assertEqual((done.returncode, done.stdout), (0, self.graph(version="1.0.0")[2].dot))


class PointInTime(RecordTest):
    def serving(self, time_us, environment="production"):
        reply = self.vera.get("GetServingAt", {"environment": environment, "model": self.model,
                                               "time_us": time_us})
        return {(each.version, each.digest) for each in reply.grants}

    def replay(self, until_us):
        """The same from the log alone."""
        served, after = {}, 0
        while True:
            page = read_events(types=["grant.*"], after=after, limit=1000)
            for event in page.events:
                facts = facts_of(event)
                if event.time_us <= until_us and facts["model"] == self.model:
                    key = (facts["version"], bytes.fromhex(facts["digest"]))
                    if event.type == "grant.opened":
                        served[facts["grant"]] = (key, facts["environment"])
                    else:
                        served.pop(facts["grant"])
            if page.last == page.end or not page.events:
                return {key for key, environment in served.values() if environment == "production"}
            after = page.last

    def test_what_served_is_what_the_log_says(self):
        first = self.make_ready("1.0.0")
        self.validated(first)
        second = self.make_ready("1.1.0")
        self.validated(second)
        grants = [self.grant("1.0.0")]
        grants.append(self.grant("1.1.0"))
        self.deployer.ask("CloseGrant", {"grant_id": grants[0].grant_id})
        again = self.grant("1.0.0")
        closed = self.vera.get("GetModelCard", {"model": self.model, "version": "1.0.0"}).card
        times = sorted({each.opened_us for each in closed.grants} |
                       {each.closed_us for each in closed.grants if each.closed_us} |
                       {grants[1].opened_us, again.opened_us})
        seen = [self.serving(each) for each in times]
        self.assertEqual(seen, [{("1.0.0", first.digest)},
                                {("1.0.0", first.digest), ("1.1.0", second.digest)},
                                {("1.1.0", second.digest)},
                                {("1.0.0", first.digest), ("1.1.0", second.digest)}])
        wait_until(lambda: self.replay(times[-1]) == seen[-1], "the log has the last grant")
        self.assertEqual(seen, [self.replay(each) for each in times])
        self.assertEqual(self.serving(times[0] - 1), set())

    def test_on_the_command_line(self):
        first = self.make_ready("1.0.0")
        self.validated(first)
        grant = self.grant("1.0.0")
        done = suite.cli("-o", "json", "at", "now", "--env", "production", "--model", self.model)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        row = json.loads(done.stdout)[0]
        self.assertEqual((row["version"], row["digest"], row["actor"]),
                         ("1.0.0", first.digest.hex(), "deployer"))
        self.assertIn("policy", row["evidence"])
        self.assertEqual(row["traffic"], "?")
        self.assertIn("deployer does not answer", done.stderr)
        done = suite.cli("-o", "json", "at", "10m ago", "--model", self.model)
        self.assertEqual((done.returncode, done.stdout), (0, "[]\n"))
        done = suite.cli("at", "yesterday")
        self.assertEqual(done.returncode, 2)
        self.assertIn("is no time", done.stderr)
        self.assertTrue(grant.grant_id)
