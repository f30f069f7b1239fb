"""The validator: what it says of a version that was trained, and of files that people bring. Real
suite, real processes.

    validator_test.py --root SOURCES --bin PROGRAMS --python BUILD/python --var FOLDER [unittest …]
"""
import argparse
import bisect
import os
import signal
import subprocess
import sys
import time
import unittest

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path[:0] = [args.python, os.path.dirname(os.path.abspath(__file__))]

from suite_support import Suite  # noqa: E402
from valion.v1 import (common_pb2, evidence_pb2, orchestrator_pb2 as orchestrator,  # noqa: E402
                       registry_pb2, validator_pb2)
from validator_support import (BINARY, FAIL, INCONCLUSIVE, MULTICLASS, PASS, REGRESSION,  # noqa: E402
                               WARN, Person, as_csv, houses)

suite = Suite(args.root, args.bin, os.path.join(args.var, "suite"), 24801, trainer=1, validator=1)
admin = None
NAMES = ("area", "rooms", "age", "distance")
READY = registry_pb2.VERSION_STATUS_READY
TRAINING = registry_pb2.VERSION_STATUS_TRAINING
FAILED = registry_pb2.VERSION_STATUS_FAILED
FLOAT = common_pb2.COLUMN_TYPE_FLOAT64


def data(name, **fields):
    return evidence_pb2.DataRef(name=name, **fields)


def number(key, value):
    return common_pb2.KeyNumber(key=key, value=value)


def check(kind, name=None, thresholds=(), **fields):
    return evidence_pb2.CheckSpec(name=name or kind, kind=kind, thresholds=[
        number(key, value) for key, value in dict(thresholds).items()], **fields)


def policy(name, *checks, **fields):
    admin.get("PutPolicy", policy=evidence_pb2.Policy(name=name, checks=checks,
                                                      by_name_only=True, **fields))
    return name


def by_name(report):
    return {each.name: each for each in report.checks}


def prepare():
    """Data sets of the demo, and a version that was trained on one of them."""
    for name, words in (("houses", ["--rows", "1000"]),
                        ("houses-test", ["--rows", "400", "--seed", "7"]),
                        ("houses-more", ["--rows", "200", "--seed", "8"]),
                        ("houses-drift", ["--rows", "400", "--seed", "7", "--drift", "60"])):
        admin.dataset(name, houses(args.root, *words))
    admin.done("train", model="houses", version="1.0.0", data=data("houses"), target="preco",
               algorithms=["ALGORITHM_GRADIENT_BOOSTING"])
    admin.done("train", model="houses", version="2.0.0", data=data("houses"), target="preco",
               algorithms=["ALGORITHM_ELASTIC_NET"])


class Case(unittest.TestCase):
    def validate(self, **fields):
        """The result and the report that it names."""
        fields = {"model": "houses", "version": "1.0.0", "data": [data("houses-test")], **fields}
        result = admin.done("validate", **fields)
        report = admin.report(result.report_id)
        self.assertEqual((result.verdict, result.report_digest), (report.verdict, report.digest))
        return result, report

    def refused(self, **fields):
        return admin.refused("validate", **{"model": "houses", "version": "1.0.0",
                                            "data": [data("houses-test")], **fields})


class Reports(Case):
    """A version that was trained, judged."""

    def test_the_policy_in_force_is_found_and_its_checks_are_made_in_its_order(self):
        result, report = self.validate()
        self.assertEqual((result.policy, result.policy_version), ("regression", 1))
        self.assertEqual([each.name for each in report.checks],
                         ["performance", "data_quality", "bias", "data_drift"])
        self.assertEqual(by_name(report)["performance"].status, PASS, report.sentence)
        self.assertEqual((report.engine, report.engine_version), (evidence_pb2.ENGINE_NATIVE, "1"))
        self.assertEqual((report.rows, report.columns), (400, 8))
        self.assertIn("houses@1.0.0 passes", report.sentence)
        self.assertGreater(result.metrics[0].value, 0.8)
        self.assertIn("stored profile", by_name(report)["data_drift"].sentence)

    def test_each_check_says_statistic_threshold_rows_and_a_sentence(self):
        _, report = self.validate(policy="original", reference=data("houses"))
        self.assertEqual(len(report.checks), 5)
        for each in report.checks:
            self.assertTrue(each.HasField("statistic") and each.HasField("threshold"), each)
            self.assertGreater(each.n, 0)
            self.assertGreater(len(each.sentence), 40)
            self.assertEqual(each.recommendation == "", each.status == PASS)
        stability = by_name(report)["stability"]
        self.assertIn("each predicted by a fit of the others", stability.sentence)
        self.assertEqual(stability.statistic_name, "cv_r2_mean")
        appendix = evidence_pb2.Appendix.FromString(admin.load(report.appendix_digest))
        self.assertEqual([plot.name for plot in appendix.plots],
                         ["residuals", "predicted_vs_actual"])
        self.assertEqual(sum(appendix.plots[0].y), 400)
        drift = by_name(report)["data_drift"]
        self.assertEqual(drift.columns_tested, 7)
        self.assertEqual({column.method for column in drift.columns}, {"ks"})

    def test_stability_is_what_fits_without_each_fold_say_of_it(self):
        _, report = self.validate(policy="original")
        found = {each.key: each.value for each in by_name(report)["stability"].numbers}
        for fold, first in ((1, 0), (5, 320)):
            others = data("houses-test", first_row=80) if first == 0 else \
                data("houses-test", rows=320)
            fitted = admin.done("train", model="fold", dry_run=True, target="preco", data=others,
                                validation=data("houses-test", first_row=first, rows=80),
                                algorithms=["ALGORITHM_GRADIENT_BOOSTING"])
            score = {each.key: each.value for each in fitted.metrics}["r2"]
            # The trainer's targets are floats.
            self.assertAlmostEqual(found[f"cv_score_{fold}"], score, places=6)

    def test_stability_can_be_had_without_fits_and_says_so(self):
        for method, name in (("resample", "resampled_r2_mean"), ("refit", "cv_r2_mean")):
            spec = check("stability")
            spec.parameters.add(key="method", value=method)
            _, report = self.validate(policy=policy("stable-" + method, spec))
            self.assertEqual(report.checks[0].statistic_name, name, report.checks[0])

    def test_thresholds_decide(self):
        for limit, status, verdict in ((0.5, PASS, PASS), (0.9999, FAIL, FAIL)):
            name = policy(f"limit-{limit}", check("performance", thresholds={
                "r2_threshold": limit}, blocking=True))
            result, report = self.validate(policy=name)
            self.assertEqual(report.checks[0].status, status)
            self.assertEqual(result.verdict, verdict)
        self.assertIn("and should be at least 0.9999", report.sentence)
        self.assertEqual(list(report.recommendations), [report.checks[0].recommendation])

    def test_a_failed_check_that_does_not_block_is_a_warning(self):
        name = policy("light", check("performance", thresholds={"r2_threshold": 0.9999},
                                     severity=evidence_pb2.SEVERITY_LOW))
        result, _ = self.validate(policy=name)
        self.assertEqual((result.verdict, result.failed, result.checks), (WARN, 1, 1))

    def test_the_same_task_gives_the_same_report(self):
        fields = {"policy": "original", "reference": data("houses")}
        first, report = self.validate(**fields)
        second, again = self.validate(threads=7, **fields)
        self.assertNotEqual(first.report_id, second.report_id)
        self.assertEqual(first.report_digest, second.report_digest)
        self.assertEqual([each.sentence for each in report.checks],
                         [each.sentence for each in again.checks])
        other, _ = self.validate(data=[data("houses-more")], **fields)
        self.assertNotEqual(first.report_digest, other.report_digest)

    def test_the_library_gives_the_numbers_of_the_native_engine(self):
        _, native = self.validate(engine=evidence_pb2.ENGINE_NATIVE)
        _, library = self.validate(engine=evidence_pb2.ENGINE_XGBOOST)
        self.assertEqual(native.engine, evidence_pb2.ENGINE_NATIVE)
        self.assertEqual(library.engine, evidence_pb2.ENGINE_XGBOOST)
        self.assertRegex(library.engine_version, r"^\d+\.\d+\.\d+")
        self.assertGreater(len(native.metrics), 3)
        self.assertEqual(list(native.metrics), list(library.metrics))
        self.assertEqual([each.sentence for each in native.checks],
                         [each.sentence for each in library.checks])

    def test_an_engine_that_cannot_is_refused(self):
        sentence = self.refused(engine=evidence_pb2.ENGINE_ONNXRUNTIME)
        self.assertIn("engine: the file is for the native one or XGBoost", sentence)
        sentence = self.refused(version="2.0.0", engine=evidence_pb2.ENGINE_NATIVE)
        self.assertIn("engine: the native one does not cover this file: booster gblinear", sentence)
        self.assertIn("not there yet", self.refused(engine=evidence_pb2.ENGINE_NONE))

    def test_data_that_moved_drifts_against_rows_and_against_the_profile(self):
        name = policy("drift", check("data_drift"))
        for fields, method in (({"reference": data("houses")}, "ks"),
                               ({}, "chi2_bins")):
            result, report = self.validate(policy=name, **fields)
            self.assertEqual(result.verdict, PASS, report.sentence)
            result, report = self.validate(policy=name, data=[data("houses-drift")], **fields)
            drift = report.checks[0]
            self.assertEqual(drift.status, FAIL, drift.sentence)
            moved = {(each.column, each.method) for each in drift.columns if each.status == FAIL}
            self.assertEqual(moved, {("area", method), ("preco", method),
                                     ("(prediction)", method)})
            self.assertEqual((drift.columns_flagged, drift.columns_tested), (3, 9))
        old = policy("drift-old", check("data_drift", parameters=[
            common_pb2.KeyValue(key="method", value="original")]))
        _, report = self.validate(policy=old, data=[data("houses-drift")],
                                  reference=data("houses"))
        self.assertEqual((report.verdict, report.checks[0].columns_tested,
                          report.checks[0].columns_flagged), (WARN, 7, 1))  # the inputs alone
        strict = policy("drift-strict", check("data_drift", thresholds={"share_warn": 0.1},
                                              blocking=True))
        self.assertEqual(self.validate(policy=strict, data=[data("houses-drift")])[0].verdict, FAIL)

    def test_rows_of_several_data_sets_are_taken_one_after_the_other(self):
        _, both = self.validate(data=[data("houses-test"), data("houses-more")])
        self.assertEqual(both.rows, 600)
        self.assertEqual([each.name for each in both.data], ["houses-test", "houses-more"])
        _, part = self.validate(data=[data("houses-test", first_row=100, rows=150)])
        self.assertEqual((part.rows, part.data[0].first_row), (150, 100))
        _, cut = self.validate(max_rows=120)
        self.assertEqual(cut.rows, 120)
        self.assertIn("the first 120 were judged", cut.warnings[0])

    def test_too_few_rows_for_the_policy_are_inconclusive(self):
        name = policy("many", check("performance", thresholds={"r2_threshold": 0.5}),
                      min_rows=1000)
        result, report = self.validate(policy=name)
        self.assertEqual(result.verdict, INCONCLUSIVE)
        self.assertIn("cannot be judged", report.sentence)

    def test_an_expression_sees_metrics_and_the_checks_before_it(self):
        name = policy("conditions", check("data_drift", "drift"),
                      check("expression", "good", expression="r2 > 0.5 and drift.share < 0.5"),
                      check("expression", "best", expression="r2 > 0.9999 or drift.share > 0.5"),
                      check("expression", "early", expression="late.score > 0"),
                      check("data_quality", "late"))
        _, report = self.validate(policy=name, reference=data("houses"))
        self.assertEqual([each.status for each in report.checks[1:4]], [PASS, FAIL, INCONCLUSIVE])
        self.assertIn("there is no number 'late.score'", report.checks[3].error)

    def test_a_policy_about_data_alone_asks_no_model(self):
        name = policy("data-only", check("data_quality"), check("data_drift"), data_only=True)
        _, report = self.validate(policy=name, data=[data("houses-drift")])
        self.assertEqual(report.engine, evidence_pb2.ENGINE_NONE)
        self.assertEqual(len(report.metrics), 0)
        self.assertEqual(report.checks[1].columns[0].column, "area")

    def test_a_report_is_evidence(self):
        admin.get("Promote", model="houses", version="1.0.0", stage=registry_pb2.STAGE_STAGING)
        result, _ = self.validate(reference=data("houses"))
        answer = admin.ask("Promote", registry_pb2.PromoteRequest(
            model="houses", version="1.0.0", stage=registry_pb2.STAGE_PRODUCTION,
            report_id=result.report_id))
        reply = answer.read(registry_pb2.PromoteReply)
        self.assertEqual(reply.report_id, result.report_id)

    def test_more_columns_than_a_report_shows_are_in_its_appendix(self):
        names = [f"column {i}" for i in range(150)] + ["preco"]
        rows = [[(row * 31 + i * 7) % 97 / 10 for i in range(150)] + [row % 50]
                for row in range(60)]
        admin.dataset("wide", as_csv(names, rows))
        name = policy("wide", check("data_quality"), data_only=True)
        _, report = self.validate(policy=name, data=[data("wide")])
        self.assertEqual(len(report.checks[0].columns), 64)
        appendix = evidence_pb2.Appendix.FromString(admin.load(report.appendix_digest))
        self.assertEqual(len(appendix.checks[0].columns), 151)
        self.assertEqual(self.validate(policy=name, data=[data("wide")])[1].digest, report.digest)

    def test_numbers_of_the_service_are_told(self):
        before = admin.stats()
        self.validate()
        after = admin.stats()
        self.assertEqual(after["validations_total"], before["validations_total"] + 1)
        self.assertEqual(after["rows_total"], before["rows_total"] + 400)
        for key in ("pass_rate", "average_duration_ms", "sandbox_crashes", "validations_passed",
                    "validations_warned", "validations_failed", "validations_inconclusive"):
            self.assertIn(key, after)


class Baselines(Case):
    """Gates over another version."""

    def gate(self, name, baseline, **fields):
        metric = evidence_pb2.MetricThreshold(metric="r2", greater_is_better=True, **fields)
        return policy(name, check("metric_threshold", metrics=[metric], baseline=baseline,
                                  blocking=True))

    def test_better_than_the_other_version_passes_and_worse_fails(self):
        name = self.gate("better", "2.0.0", min_absolute_change=0.01)
        _, trees = self.validate(policy=name)
        _, linear = self.validate(policy=name, version="2.0.0", baseline="1.0.0")
        difference = trees.baselines[0].difference
        self.assertEqual(linear.baselines[0].difference, -difference)
        self.assertEqual(trees.verdict, PASS if difference >= 0.01 else FAIL)
        self.assertEqual(linear.verdict, PASS if -difference >= 0.01 else FAIL)
        self.assertTrue(trees.baselines[0].HasField("prediction_mean_difference"))
        self.assertEqual(trees.baselines[0].version, "2.0.0")

    def test_a_version_is_never_compared_with_itself(self):
        name = self.gate("itself", "1.0.0", min_absolute_change=0.01)
        _, report = self.validate(policy=name)
        self.assertEqual(report.verdict, FAIL)
        self.assertIn("the very same model", report.checks[0].sentence)

    def test_what_is_not_there_fails(self):
        _, report = self.validate(policy=self.gate("gone", "9.9.9", min_relative_change=0.1))
        self.assertEqual(report.verdict, FAIL)
        self.assertIn("no version, alias or stage '9.9.9'", report.checks[0].sentence)
        name = policy("no-metric", check("metric_threshold", metrics=[
            evidence_pb2.MetricThreshold(metric="f2", threshold=0.1, greater_is_better=True)]))
        _, report = self.validate(policy=name)
        self.assertEqual(report.checks[0].status, FAIL)

    def test_a_difference_has_to_be_more_than_chance_where_that_is_asked(self):
        metric = evidence_pb2.MetricThreshold(metric="rmse", greater_is_better=False)
        name = policy("chance", check("metric_threshold", metrics=[metric], baseline="2.0.0",
                                      significance=evidence_pb2.Significance(resamples=200)))
        _, trees = self.validate(policy=name, version="1.0.0")
        _, linear = self.validate(policy=name, version="2.0.0", baseline="1.0.0")
        self.assertEqual({trees.checks[0].status, linear.checks[0].status}, {PASS, FAIL})
        one, other = trees.baselines[0], linear.baselines[0]
        self.assertLess(one.ci_low, one.difference)
        self.assertLess(one.difference, one.ci_high)
        self.assertGreater(one.detectable, 0)
        self.assertAlmostEqual(one.ci_low, -other.ci_high, places=6)
        self.assertEqual(one.p_value, other.p_value)
        _, itself = self.validate(policy=name, version="2.0.0")
        self.assertEqual(itself.checks[0].status, FAIL)
        self.assertIn("the very same model", itself.checks[0].sentence)

    def test_a_baseline_is_also_an_alias(self):
        admin.get("SetAlias", model="houses", alias="Linear", version="2.0.0")
        _, report = self.validate(policy=self.gate("by-alias", "Linear", min_absolute_change=0.001))
        self.assertEqual(report.baselines[0].version, "2.0.0")


class Refusals(Case):
    """What is wrong with a task is said in a sentence."""

    def test_a_target_column_that_is_not_there(self):
        admin.dataset("no-price", b"area,quartos,banheiros,idade,garagem,distancia_centro,"
                                  b"score_vizinhanca\n1,2,3,4,5,6,7\n2,3,4,5,6,7,8\n")
        sentence = self.refused(data=[data("no-price")])
        self.assertIn("there is no column 'preco'", sentence)
        self.assertIn("target", sentence)

    def test_rows_that_are_ragged(self):
        admin.dataset("ragged", b"area,preco\n1,2\n3,4,5\n")
        sentence = self.refused(data=[data("ragged")])
        self.assertIn("ragged", sentence)
        self.assertIn("line 3", sentence)

    def test_a_column_of_the_wrong_type(self):
        text = houses(args.root, "--rows", "50").decode().splitlines()
        rows = [line.split(",") for line in text[1:]]
        admin.dataset("worded", as_csv(text[0].split(","), [["large"] + row[1:] for row in rows]))
        sentence = self.refused(data=[data("worded")])
        self.assertIn('column "area" holds text', sentence)

    def test_data_sets_of_different_columns(self):
        admin.dataset("narrow", b"area,preco\n1,2\n3,4\n")
        sentence = self.refused(data=[data("houses-test"), data("narrow")])
        self.assertIn("do not have the same columns", sentence)

    def test_another_digest_than_was_meant(self):
        sentence = self.refused(artifact_digest=b"\1" * 32)
        self.assertIn("another digest", sentence)

    def test_what_is_not_known_there(self):
        self.assertIn("9.9.9", self.refused(version="9.9.9"))
        self.assertIn("nobody", self.refused(policy="nobody"))
        self.assertIn("nothing-here", self.refused(data=[data("nothing-here")]))
        self.assertIn("slice_columns", self.refused(slice_columns=["area"]))

    def test_a_version_that_nobody_has_looked_into(self):
        admin.bring("raw", model_file("named.json"))
        self.assertIn("inspect", self.refused(model="raw"))


class Inspections(Case):
    """Files that people bring."""

    def rows(self, name, target="price", classes=None):
        rows = [[50 + 3 * i, i % 5, (7 * i) % 40, i / 3, classes[i % len(classes)] if classes
                 else 1000 * i] for i in range(40)]
        admin.dataset(name, as_csv(NAMES + (target,), rows))
        return data(name)

    def test_an_xgboost_file_names_its_columns(self):
        admin.bring("trees", model_file("named.json"))
        result = admin.done("inspect", model="trees", version="1.0.0")
        self.assertEqual([each.name for each in result.signature.inputs], list(NAMES))
        self.assertEqual((result.signature.task, result.format), (REGRESSION, "xgboost-json"))
        self.assertIn("made up", " ".join(result.notes))
        facts = {each.key: each.value for each in result.facts}
        self.assertEqual((facts["trees"], facts["objective"]), ("10", "reg:squarederror"))
        version = admin.version("trees")
        self.assertEqual((version.status, version.signature), (READY, result.signature))
        samples = evidence_pb2.Samples.FromString(admin.load(version.samples_digest))
        self.assertEqual((samples.rows, len(samples.predictions)), (8, 8))

    def test_rows_are_answered_and_profiled(self):
        admin.bring("answered", model_file("named.json"), target="price")
        result = admin.done("inspect", model="answered", version="1.0.0",
                            data=self.rows("answers"), sample_rows=5)
        samples = evidence_pb2.Samples.FromString(admin.load(result.samples_digest))
        self.assertEqual(list(samples.columns[0].numbers), [50, 74, 98, 122, 146])
        profile = evidence_pb2.Profile.FromString(admin.load(result.profile_digest))
        self.assertEqual((profile.rows, profile.prediction.count), (40, 40))
        self.assertEqual(admin.version("answered").profile_digest, result.profile_digest)

    def test_unnamed_columns_are_taken_in_their_order_and_never_guessed(self):
        admin.bring("unnamed", model_file("unnamed.ubj"))
        sentence = admin.refused("inspect", model="unnamed", version="1.0.0")
        self.assertIn("names none of its 4 columns", sentence)
        self.assertEqual(admin.version("unnamed").status, TRAINING)  # it can be asked again
        result = admin.done("inspect", model="unnamed", version="1.0.0", target="sold",
                            data=self.rows("sales", "sold", "01"))
        self.assertEqual([each.name for each in result.signature.inputs], list(NAMES))
        self.assertEqual(list(result.signature.classes), ["0", "1"])
        self.assertIn("order assumed", " ".join(result.notes))
        report = self.validate(model="unnamed", target="sold", data=[data("sales")])[1]
        self.assertEqual(report.policy, "binary")

    def test_classes_get_the_names_that_are_expected(self):
        expected = common_pb2.Signature(classes=["low", "middle", "high"])
        admin.bring("classes", model_file("classes.ubj"), target="level")
        result = admin.done("inspect", model="classes", version="1.0.0", expected=expected)
        self.assertEqual((result.signature.task, list(result.signature.classes)),
                         (MULTICLASS, ["low", "middle", "high"]))
        report = self.validate(model="classes", data=[
            self.rows("levels", "level", ["low", "high", "middle"])])[1]
        self.assertIn("accuracy", {each.key for each in report.metrics})
        sentence = self.refused(model="classes", data=[
            self.rows("unknown-levels", "level", ["low", "huge"])])
        self.assertIn("'huge'", sentence)
        self.assertIn("low, middle, high", sentence)

    def test_onnx_files_of_each_kind(self):
        admin.bring("linear", model_file("linear.onnx"), target="price")
        linear = admin.done("inspect", model="linear", version="1.0.0", data=self.rows("lines"))
        self.assertEqual((linear.format, linear.engine), ("onnx", evidence_pb2.ENGINE_ONNXRUNTIME))
        self.assertEqual([each.name for each in linear.signature.inputs], list(NAMES))
        admin.bring("columns", model_file("columns.onnx"))
        admin.dataset("people", as_csv(["age", "city (home)"], [[30, "Rome"], [40, "Oslo"]] * 4))
        columns = admin.done("inspect", model="columns", version="1.0.0", data=data("people"))
        self.assertEqual([each.name for each in columns.signature.inputs], ["age", "city (home)"])
        self.assertIn("'city (home)' 'city__home_'", " ".join(columns.notes))
        admin.bring("zipmap", model_file("zipmap.onnx"))
        zipmap = admin.done("inspect", model="zipmap", version="1.0.0",
                            data=self.rows("votes", "vote", ["yes"]), target="vote")
        self.assertEqual(list(zipmap.signature.classes), ["no", "maybe", "yes"])
        for model in ("linear", "columns", "zipmap"):
            self.assertEqual(admin.version(model).status, READY)

    def test_a_file_that_is_not_what_was_expected_fails_the_version(self):
        for name, signature, words in (
                ("other-task", common_pb2.Signature(task=BINARY), "regression"),
                ("other-names", common_pb2.Signature(inputs=[
                    common_pb2.Column(name=name, type=FLOAT) for name in "abcd"]), '"area"'),
                ("other-count", common_pb2.Signature(inputs=[
                    common_pb2.Column(name="area", type=FLOAT)]), "4 columns")):
            admin.bring(name, model_file("named.json"))
            sentence = admin.refused("inspect", model=name, version="1.0.0", expected=signature)
            self.assertIn(words, sentence)
            version = admin.version(name)
            self.assertEqual(version.status, FAILED)
            self.assertIn(words, version.status_reason)

    def test_files_that_are_no_models_fail_the_version_with_the_way_out(self):
        for name, content, words in (
                ("pickled", b"\x80\x04\x95" + b"x" * 40 + b".", "skl2onnx"),
                ("lightgbm", b"tree\nversion=v4\nnum_class=1\n", "onnxmltools"),
                ("photograph", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "PNG"),
                ("cut", model_file("named.json")[:3000], "the model"),
                ("hostile", model_file("named.json").replace(b'"left_children":[1',
                                                             b'"left_children":[0'), "tree")):
            admin.bring(name, content)
            sentence = admin.refused("inspect", model=name, version="1.0.0")
            self.assertIn(words, sentence)
            version = admin.version(name)
            self.assertEqual(version.status, FAILED)
            self.assertIn(version.status_reason, sentence)
            again = admin.refused("inspect", model=name, version="1.0.0")
            self.assertIn("has failed already", again)

    def test_data_that_does_not_fit_is_not_the_versions_fault(self):
        admin.bring("patient", model_file("named.json"))
        admin.dataset("unfit", b"area,rooms\n1,2\n3,4\n")
        sentence = admin.refused("inspect", model="patient", version="1.0.0", data=data("unfit"))
        self.assertIn('"age"', sentence)
        self.assertEqual(admin.version("patient").status, TRAINING)
        admin.done("inspect", model="patient", version="1.0.0")
        self.assertEqual(admin.version("patient").status, READY)


class Profiles(Case):
    def test_a_data_set_is_profiled(self):
        result = admin.done("profile", data=data("houses-test"))
        self.assertEqual((result.rows, len(result.columns)), (400, 8))
        profile = evidence_pb2.Profile.FromString(admin.load(result.profile_digest))
        self.assertEqual(profile.columns[0].name, "area")
        self.assertEqual(len(profile.columns[0].quantiles), 101)

    def profile(self, **fields):
        result = admin.done("profile", **fields)
        return result, evidence_pb2.Profile.FromString(admin.load(result.profile_digest))

    def test_parts_and_profiles_of_parts_become_one_of_all_rows(self):
        raw = houses(args.root, "--rows", "3000", "--seed", "21")
        head, *lines = raw.splitlines(keepends=True)
        admin.dataset("whole", raw)
        parts = [f"part-{i}" for i in range(20)]  # more than are held at once
        for i, name in enumerate(parts):
            admin.dataset(name, head + b"".join(lines[150 * i:150 * i + 150]))
        _, right = self.profile(data=data("whole"))
        stored, _ = self.profile(data=data(parts[18]), more_data=[data(parts[19])])
        result, merged = self.profile(data=data(parts[0]),
                                      more_data=[data(name) for name in parts[1:18]],
                                      profile_digests=[stored.profile_digest])
        self.assertEqual((result.rows, result.parts, stored.parts), (3000, 19, 2))
        for mine, its in zip(merged.columns, right.columns, strict=True):
            self.assertEqual((mine.name, mine.type, mine.count, mine.missing, mine.min, mine.max),
                             (its.name, its.type, its.count, its.missing, its.min, its.max))
            self.assertAlmostEqual(mine.mean, its.mean, delta=1e-9 * abs(its.mean))
            if its.distinct <= 64 and its.top:
                self.assertEqual({top.category: top.count for top in mine.top},
                                 {top.category: top.count for top in its.top})
        area = merged.columns[0]
        self.assertTrue(0 < area.quantile_error < 0.02)
        self.assertEqual(sum(area.counts), area.count)
        values = sorted(float(line.split(b",")[0]) for line in lines)
        for i, value in enumerate(area.quantiles):
            below, to = bisect.bisect_left(values, value), bisect.bisect_right(values, value)
            error = area.quantile_error * 3000 + 1e-6
            self.assertTrue(below - error <= 30 * i <= to + error, (i, value, below, to))

    def test_parts_that_do_not_fit_are_refused(self):
        admin.dataset("short", b"a,b\n1,2\n3,4\n")
        admin.dataset("other", b"a,c\n1,2\n3,4\n")
        self.assertIn("'b' is not in part 2",
                      admin.refused("profile", data=data("short"), more_data=[data("other")]))
        self.assertIn("more_data", admin.refused("profile", more_data=[data("short")] * 65))
        self.assertIn("data", admin.refused("profile"))
        junk = admin.store(b"\xff\xff no profile")
        self.assertIn("no profile", admin.refused("profile", profile_digests=[junk]))
        nameless = evidence_pb2.Profile(rows=1, columns=[evidence_pb2.ColumnProfile(count=1)])
        alone = admin.store(nameless.SerializeToString())
        self.assertIn("is not in part 1", admin.refused("profile", profile_digests=[alone]))
        self.assertIn("32 bytes", admin.refused("profile", profile_digests=[b"short"]))

    def test_what_is_odd_is_told(self):
        admin.dataset("odd", b"a,b\n1,\n1,\n1,\n")
        result = admin.done("profile", data=data("odd"))
        self.assertEqual(sorted(result.warnings),
                         ["2 rows repeat another", "column 'a': all values are equal",
                          "column 'b': every value is missing"])


class Killed(Case):
    """A validator that is killed leaves exactly one report."""

    @classmethod
    def setUpClass(cls):
        admin.dataset("houses-long", houses(args.root, "--rows", "60000", "--seed", "9"))

    def submit(self):
        return admin.submit("validate", model="houses", version="2.0.0",
                            data=[data("houses-long")], policy="original",
                            reference=data("houses"))

    def kept(self):
        return suite.number("SELECT count(*) FROM registry.report WHERE version = '2.0.0'")

    def kill(self):
        os.kill(suite.pid("validator0"), signal.SIGKILL)
        self.addCleanup(self.await_service)

    def await_service(self):
        """Until the supervisor has started it again, and it answers."""
        until = time.monotonic() + 30
        while admin.call("validator", "GetHealth", common_pb2.GetHealthRequest(),
                         remaining_ms=2000).status != "OK":
            self.assertLess(time.monotonic(), until)

    def test_in_the_middle_of_its_work(self):
        before = self.kept()
        job_id = self.submit()
        admin.wait(job_id, orchestrator.TASK_STATE_RUNNING)
        self.kill()
        job = admin.wait(job_id)
        self.assertEqual((job.state, job.token), (orchestrator.TASK_STATE_DONE, 2), job.error)
        self.assertEqual(self.kept(), before + 1)
        result = validator_pb2.ValidateResult.FromString(job.result)
        self.assertEqual(result.report_digest, self.digest())  # as if nothing had happened

    def digest(self, **fields):
        return admin.done("validate", model="houses", version="2.0.0", data=[data("houses-long")],
                          policy="original", reference=data("houses"), **fields).report_digest

    def test_threads_change_nothing(self):
        """Here for the data set, which is long enough to be worth them."""
        name = policy("threads", check("data_drift"), check("data_quality"),
                      check("performance", thresholds={"r2_threshold": 0.5}))
        digests = {admin.done("validate", model="houses", version="1.0.0", policy=name,
                              data=[data("houses-long")], reference=data("houses-long"),
                              **fields).report_digest
                   for fields in ({}, {"threads": 1}, {"threads": 2}, {"threads": 4})}
        self.assertEqual(len(digests), 1)
        self.assertIn("1 to 64", admin.refused("validate", model="houses", version="1.0.0",
                                               data=[data("houses-long")], threads=65))

    def test_when_its_report_has_just_been_kept(self):
        """If the task was not completed yet, its second run gets the first one's report."""
        before = self.kept()
        job_id = self.submit()
        until = time.monotonic() + 60
        while self.kept() == before:  # as fast as the record can be asked: the moment is short
            self.assertLess(time.monotonic(), until)
        self.kill()
        job = admin.wait(job_id)
        self.assertEqual(job.state, orchestrator.TASK_STATE_DONE, job.error)
        self.assertEqual(self.kept(), before + 1)
        result = validator_pb2.ValidateResult.FromString(job.result)
        self.assertEqual(admin.report(result.report_id).task_id, job_id)


class Importance(Case):
    def test_tells_what_each_column_is_worth_to_the_model(self):
        name = policy("importance", check("importance"))
        _, report = self.validate(policy=name)
        found = report.checks[0]
        self.assertEqual((found.status, found.columns_tested), (PASS, 0), found)
        self.assertEqual(found.columns[0].column, "area")
        losses = [each.effect for each in found.columns]
        self.assertEqual((len(losses), losses), (7, sorted(losses, reverse=True)))
        appendix = evidence_pb2.Appendix.FromString(admin.load(report.appendix_digest))
        self.assertEqual([each.value for each in appendix.importance], losses)
        self.assertEqual(self.validate(policy=name)[1].digest, report.digest)
        self.assertNotEqual(self.validate(policy=name, seed=7)[1].checks[0].columns[0].effect,
                            losses[0])

    def test_one_column_may_not_carry_more_than_the_policy_says(self):
        _, report = self.validate(policy=policy("even", check("importance", thresholds={
            "share_max": 0.2})))
        self.assertEqual(report.checks[0].status, WARN)
        self.assertGreater(report.checks[0].statistic, 0.2)

    def test_files_and_answers_have_a_budget(self):
        for limits, status in (({"size_bytes": 1e9, "ms_per_1000_rows": 1e6}, PASS),
                               ({"size_bytes": 1000}, FAIL), ({"ms_per_1000_rows": 1e-9}, FAIL)):
            name = policy(f"budget-{len(limits)}-{status}", check("budget", thresholds=limits))
            self.assertEqual(self.validate(policy=name)[1].checks[0].status, status, limits)
        first = self.validate(policy=policy("size", check("budget", thresholds={
            "size_bytes": 1e9})))[1]
        self.assertEqual(self.validate(policy="size")[1].digest, first.digest,
                         "no time is in it where none is asked for")


class CustomChecks(Case):
    """Checks that a worker of somebody's answers: the program that the docs show."""
    worker = None

    @classmethod
    def setUpClass(cls):
        done = suite.cli("keys", "new", "checker", "--roles", "worker", "--kinds", "check:*")
        assert done.returncode == 0, done.stderr
        time.sleep(1.5)  # the broker reads the folder of keys each second
        program = os.path.join(args.root, "clients", "python", "check_example.py")
        environment = {**os.environ, "PYTHONPATH": args.python, "VALION_BUS": suite.bus,
                       "VALION_KEYS": suite.keys, "VALION_PRINCIPAL": "checker"}
        cls.worker = subprocess.Popen([sys.executable, program], env=environment)

    @classmethod
    def tearDownClass(cls):
        cls.worker.kill()
        cls.worker.wait()

    def judged(self, name, *checks, **fields):
        performance = check("performance", thresholds={"r2_threshold": 0.7})
        _, report = self.validate(policy=policy(name, performance, *checks), **fields)
        self.assertEqual([each.name for each in report.checks],
                         ["performance"] + [each.name for each in checks])
        return report

    def in_range(self, high, **fields):
        return check("check:in_range", "possible", {"low": 0, "high": high}, **fields)

    def test_the_answer_is_in_the_report_and_counts(self):
        report = self.judged("possible", self.in_range(1e9, blocking=True, severity=4))
        found = by_name(report)["possible"]
        self.assertEqual((found.status, found.statistic, found.n), (PASS, 0, 400), found)
        self.assertEqual((found.kind, found.severity, found.blocking), ("check:in_range", 4, True))
        self.assertEqual(report.verdict, PASS, report.sentence)
        report = self.judged("impossible", self.in_range(1, blocking=True))
        self.assertEqual(by_name(report)["possible"].statistic, 400)
        self.assertEqual(report.verdict, FAIL)

    def test_the_same_task_again_has_the_same_report(self):
        first = self.judged("twice", self.in_range(1e9))
        self.assertEqual(self.judged("twice", self.in_range(1e9)).digest, first.digest)

    def test_a_check_that_raises_cannot_pass(self):
        """Its limits are missing, so it raises."""
        broken = check("check:in_range", "broken")
        report = self.judged("broken", broken)
        found = by_name(report)["broken"]
        self.assertEqual(found.status, INCONCLUSIVE)
        self.assertIn("KeyError", found.error)
        self.assertEqual(report.verdict, INCONCLUSIVE)
        broken.blocking = True
        self.assertEqual(self.judged("broken-gate", broken).verdict, FAIL)

    def test_a_check_that_nobody_answers_cannot_pass(self):
        report = self.judged("unanswered", check("check:nobody", "unanswered", timeout_ms=1000),
                             self.in_range(1e9))
        found = by_name(report)["unanswered"]
        self.assertEqual(found.status, INCONCLUSIVE)
        self.assertIn("check:nobody", found.error)
        self.assertEqual(by_name(report)["possible"].status, PASS)


def model_file(name):
    with open(os.path.join(args.var, "models", name), "rb") as file:
        return file.read()


if __name__ == "__main__":
    os.makedirs(os.path.join(args.var, "models"), exist_ok=True)
    subprocess.run([os.path.join(args.bin, "validator_models"), os.path.join(args.var, "models")],
                   check=True)
    suite.remove()
    suite.up()
    try:
        admin = Person(suite)
        prepare()
        done = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2)
        admin.close()
    finally:
        suite.remove()
    sys.exit(0 if done.result.wasSuccessful() else 1)
