"""The version manager: what comes next, how versions differ, what changed."""
import re

from services_case import ServicesTest
from valion.v1 import registry_pb2


class Manager(ServicesTest):
    def make(self, version, **fields):
        self.alice.get("CreateModel", {"name": self.model})
        return self.alice.get("CreateVersion", {"model": self.model, "version": version, **fields})

    def suggest(self, **fields):
        return self.vera.get("SuggestVersion", fields)

    def test_the_three_suggestions_of_the_main_job(self):
        for context, version, bump in (({"bug_fix": True}, "1.0.1", "PATCH"),
                                       ({"new_feature": True}, "1.1.0", "MINOR"),
                                       ({"breaking_change": True}, "2.0.0", "MAJOR")):
            with self.subTest(context=context):
                found = self.suggest(current="1.0.0", context=context)
                self.assertEqual(found.version, version)
                self.assertEqual(registry_pb2.Bump.Name(found.bump), "BUMP_" + bump)
                self.assertIn(next(iter(context)), found.reasons[0])

    def test_a_suggestion_from_the_latest_of_a_model(self):
        self.alice.get("CreateModel", {"name": self.model})
        self.assertEqual(self.suggest(model=self.model).version, "1.0.0")
        self.make("3.1.4")
        self.assertEqual(self.suggest(model=self.model).version, "3.1.5")
        self.assertEqual(self.suggest(model=self.model, context={"performance_improvement": 0.2}
                                      ).version, "3.2.0")

    def test_schemes(self):
        scheme = registry_pb2.VersionScheme.Value
        found = self.suggest(current="1.0.0", scheme=scheme("VERSION_SCHEME_TIMESTAMP"))
        self.assertRegex(found.version, r"^20[0-9]{2}\.[0-9]{3,4}\.[0-9]{1,6}$")
        found = self.suggest(current="7.0.0", scheme=scheme("VERSION_SCHEME_SEQUENTIAL"))
        self.assertEqual(found.version, "8.0.0")
        self.expect(self.vera.ask("SuggestVersion", {
            "current": "9999.0.0", "scheme": scheme("VERSION_SCHEME_TIMESTAMP")}),
            "FAILED_PRECONDITION", "STATE")

    def test_suggestions_that_cannot_be(self):
        self.expect_field(self.vera.ask("SuggestVersion", {}), "current")
        self.expect_field(self.vera.ask("SuggestVersion", {"current": "1.0"}), "current")
        self.expect(self.vera.ask("SuggestVersion", {"model": "nobody"}), "NOT_FOUND",
                    "UNSPECIFIED")
        unknown = b"\x28\x63"  # field 5, scheme: 99
        self.assertEqual(self.vera.ask("SuggestVersion", body=b"\x0a\x051.0.0" + unknown).status,
                         "INVALID_ARGUMENT")

    def test_compared_by_their_text(self):
        found = self.vera.get("CompareVersions", {"left": "1.0.0", "right": "1.2.0"})
        self.assertEqual((found.order, found.compatible), (-1, False))
        level = registry_pb2.COMPATIBILITY_LEVEL_MAJOR
        found = self.vera.get("CompareVersions", {"left": "1.0.10", "right": "1.0.9",
                                                  "level": level})
        self.assertEqual((found.order, found.compatible), (1, True))
        for body in (b"\x0a\x051.0.0\x12\x051.0.0\x20\x63",
                     b"\x0a\x051.0.0\x12\x051.0.0\x20" + b"\xff" * 9 + b"\x01"):
            self.expect_field(self.vera.ask("CompareVersions", body=body), "level")

    def test_compared_by_their_records(self):
        self.make("1.0.0", algorithm="forest", metrics=[{"key": "r2", "value": 0.9}],
                  hyperparameters=[{"key": "trees", "value": "100"}],
                  signature={"inputs": [{"name": "area"}, {"name": "age"}]})
        self.make("1.1.0", algorithm="boost", metrics=[{"key": "r2", "value": 0.93},
                                                       {"key": "mae", "value": 12.5}],
                  hyperparameters=[{"key": "trees", "value": "200"}],
                  signature={"inputs": [{"name": "area"}, {"name": "rooms"}]})
        found = self.vera.get("CompareVersions", {"model": self.model, "left": "1.0.0",
                                                  "right": "1.1.0"})
        self.assertEqual(sorted(found.differences), sorted([
            "algorithm: forest -> boost", "feature rooms: new", "feature age: gone",
            "hyperparameter trees: 100 -> 200", "metric r2: 0.9 -> 0.93",
            "metric mae: new, 12.5"]))
        self.expect(self.vera.ask("CompareVersions", {"model": self.model, "left": "1.0.0",
                                                      "right": "9.0.0"}),
                    "NOT_FOUND", "UNSPECIFIED")

    def test_changelog(self):
        self.make("1.0.0", description="the first")
        self.make("1.0.1")
        self.make("1.1.0", metrics=[{"key": "r2", "value": 0.5}])
        text = self.vera.get("GetChangelog", {"model": self.model}).markdown
        expected = ("# Changelog\n\n## 1.1.0 - DAY\n\n- metric r2: new, 0.5\n\n"
                    "## 1.0.1 - DAY\n\n- No changes recorded\n\n"
                    "## 1.0.0 - DAY\n\n- the first\n\n")
        self.assertEqual(re.sub(r"\d{4}-\d\d-\d\d", "DAY", text), expected)
        self.expect(self.vera.ask("GetChangelog", {"model": "nobody"}), "NOT_FOUND", "UNSPECIFIED")
