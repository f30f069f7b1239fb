"""The validator on the models of VALION_TEST_DATA: metrics and drift of real ones are those that were
worked out elsewhere, hostile ones end without harm.

    validator_data_test.py --root SOURCES --bin PROGRAMS --python BUILD/python --var FOLDER [unittest …]
"""
import argparse
import json
import math
import os
import sys
import unittest

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path[:0] = [args.python, os.path.dirname(os.path.abspath(__file__))]

from suite_support import Suite  # noqa: E402
from valion.v1 import (common_pb2, evidence_pb2, orchestrator_pb2 as orchestrator,  # noqa: E402
                       registry_pb2)
from validator_support import BINARY, MULTICLASS, REGRESSION, Person, as_csv  # noqa: E402

ROOT = os.environ.get("VALION_TEST_DATA")
suite = Suite(args.root, args.bin, os.path.join(args.var, "suite"), 25601, validator=1)
admin = None
READY, FAILED = registry_pb2.VERSION_STATUS_READY, registry_pb2.VERSION_STATUS_FAILED
# Ours, and what the golden values call them.
MATRIX = {"balanced_accuracy": "balanced_accuracy", "mcc": "mcc", "cohen_kappa": "cohen_kappa",
          **{f"{how}_{what}": f"{how}.{what}" for how in ("macro", "weighted", "micro")
             for what in ("precision", "recall", "f1")},
          **{f"{what}_{at}": f"per_class.{at}.{what}" for at in range(2)
             for what in ("precision", "recall", "f1")}}
METRICS = {
    REGRESSION: {"r2": "r2", "mae": "mae", "mse": "mse", "rmse": "rmse", "mape": "mape",
                 "median_ae": "medae", "max_error": "max_error",
                 "explained_variance": "explained_variance", "pearson": "pearson",
                 "spearman": "spearman"},
    BINARY: {"accuracy": "accuracy", "precision": "binary.precision", "recall": "binary.recall",
             "f1": "binary.f1", "roc_auc": "binary.roc_auc",
             "average_precision": "binary.average_precision", "log_loss": "log_loss_clip1e-15",
             "brier": "binary.brier", "positive_rate": "binary.positive_rate",
             "predicted_positive_rate": "binary.predicted_positive_rate", **MATRIX},
    MULTICLASS: {"accuracy": "accuracy", "log_loss": "log_loss_clip1e-15", **MATRIX,
                 **{name: name for name in ("roc_auc_ovr_macro", "roc_auc_ovr_weighted",
                                            "roc_auc_ovo_macro", "roc_auc_ovo_weighted")}},
}
MODELS = {"california": ("rf100", "gbr", "linear", "mlp", "cols_gbr", "xgb", "xgb_ubj"),
          "adult": ("cols_logreg", "cols_logreg_zipmap", "rf100", "gbc", "mlp", "xgb"),
          "wine": ("logreg", "rf100", "mlp", "xgb")}
SPLITS = ("ref", "cur", "shift")
TASKS = {"california": REGRESSION, "adult": BINARY, "wine": MULTICLASS}


def read(*path):
    with open(os.path.join(ROOT, *path), "rb") as file:
        return file.read()


def data(name):
    return evidence_pb2.DataRef(name=name)


def golden_number(golden, path):
    for word in path.split("."):
        golden = golden[int(word) if word.isdigit() else word]
    return golden


class Table:
    """What is found beside what is golden, a line each; a miss fails the test at the end."""

    def __init__(self, test):
        self.test, self.rows, self.missed = test, 0, []
        print(f"\n{'name':66} {'value':>24} {'golden':>24} {'error':>9} {'at most':>9}")

    def row(self, name, value, golden, tolerance):
        off = abs(value - golden) / (abs(golden) or 1)
        met = off <= tolerance or (name.endswith(" p") and value < 1e-12 and golden < 1e-12)
        print(f"{name:66} {value:24.17g} {golden:24.17g} {off:9.2g} {tolerance:9.2g}  "
              + ("met" if met else "MISSED"))
        self.rows += 1
        if not met:
            self.missed.append(name)

    def end(self):
        print(f"{self.rows - len(self.missed)} of {self.rows} are met", flush=True)
        self.test.assertEqual(self.missed, [])
        self.test.assertGreater(self.rows, 20)


def drifts(columns=()):
    return [evidence_pb2.CheckSpec(
        name=method, kind="data_drift", columns=columns,
        parameters=[common_pb2.KeyValue(key="method", value=method)])
        for method in ("auto", "psi", "jensen_shannon", "wasserstein")]


def show_metrics(table, where, task, report, golden):
    metrics = {each.key: each.value for each in report.metrics}
    wanted = golden["metrics"]
    for ours, theirs in METRICS[task].items():
        table.row(where + ours, metrics[ours], golden_number(wanted, theirs), 5e-6)
    if task == REGRESSION:
        rows = wanted["n"]
        table.row(where + "mean_residual", -metrics["mean_residual"], wanted["mean_residual"], 5e-6)
        table.row(where + "residual_std, ddof 1",
                  metrics["residual_std"] * math.sqrt(rows / (rows - 1)),
                  wanted["residual_std_ddof1"], 5e-6)
        return
    appendix = evidence_pb2.Appendix.FromString(admin.load(report.appendix_digest))
    matrix = next(each for each in appendix.plots if each.name == "confusion")
    for at, value in enumerate(sum(wanted["confusion"], [])):
        table.row(f"{where}confusion {at}", matrix.y[at], value, 0)


def show_drift(table, where, name, golden, checks):
    found = {method: {each.column: each for each in checks[method].columns
                      if each.method != "missing"}.get(name)
             for method in ("auto", "psi", "jensen_shannon", "wasserstein")}
    auto, where = found["auto"], where + name
    if golden["type"] == "numeric":
        rows = golden["n_ref"] - golden["missing_ref"]
        std = golden["std_ref_ddof1"] * math.sqrt((rows - 1) / rows)
        table.row(where + " KS", auto.statistic, golden["ks"]["statistic"], 1e-9)
        table.row(where + " KS p", auto.p_value, golden["ks"]["p_exact"], 1e-6)
        table.row(where + " Wasserstein", found["wasserstein"].statistic * std,
                  golden["wasserstein"], 1e-9)
        golden = golden["quantile10"]
    elif auto.missing_reference + auto.missing_current > 0:
        print(f"{where:66} counts what is missing as a text; here that is a test of its own")
        return
    else:
        table.row(where + " chi-square", auto.statistic, golden["chi2"]["statistic"], 1e-9)
        if auto.note:
            print(f"{where + ' chi-square p':66} {auto.note}; golden is the limit's")
        else:
            table.row(where + " chi-square p", auto.p_value, golden["chi2"]["p"], 1e-6)
    if "psi_eps1e4" not in golden:
        print(f"{where:66} has too few quantiles for golden bins")
        return
    table.row(where + " PSI", found["psi"].statistic, golden["psi_eps1e4"], 1e-9)
    table.row(where + " Jensen-Shannon", found["jensen_shannon"].statistic,
              golden["js_distance_base2"], 1e-9)


def show_quality(table, where, golden, check):
    numbers = {each.key: each.value for each in check.numbers}
    rows = golden["rows"]
    details = golden["columns_detail"]
    for name, value in (("total_rows", rows), ("duplicate_rows", golden["duplicate_rows"]),
                        ("mixed_cells", sum(each.get("not_numeric", 0)
                                            for each in details.values())),
                        ("out_of_range_cells", sum(each.get("out_of_ref_range", 0)
                                                   for each in details.values())),
                        ("new_category_cells", sum(each.get("unseen_category_rows", 0)
                                                   for each in details.values()))):
        table.row(where + name, numbers[name], value, 0)
    for column in check.columns:
        about = details[column.column]
        table.row(f"{where}{column.column} missing", round(column.missing_current * rows),
                  about["missing"] + about.get("not_numeric", 0), 0)
        if "iqr_outliers_own" in about:
            table.row(f"{where}{column.column} outliers", round(column.statistic * rows),
                      about["iqr_outliers_own"], 0)
        table.test.assertEqual(list(column.new_categories), about.get("unseen_categories", []))


class RealModels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        admin.get("PutPolicy", policy=evidence_pb2.Policy(
            name="parts", by_name_only=True, checks=[evidence_pb2.CheckSpec(
                name="any", kind="expression", expression="0 < 1")]))

    def bring(self, folder, about, manifest):
        """A version of that model, inspected; columns that its file does not name are told."""
        types = {name: common_pb2.COLUMN_TYPE_STRING for name in manifest["features"]["categorical"]}
        inputs = [common_pb2.Column(name=name, type=types.get(name, 0))
                  for name in about["features"]]
        name = f"{folder}-{about['name']}"
        admin.bring(name, read(folder, about["file"]), target=manifest["target"])
        admin.done("inspect", model=name, version="1.0.0", expected=common_pb2.Signature(
            inputs=inputs, classes=manifest["classes"] or []))
        self.assertEqual(admin.version(name).status, READY)
        return name

    def judged(self, version, folder, split, checks, name, **fields):
        admin.get("PutPolicy", policy=evidence_pb2.Policy(name=name, by_name_only=True,
                                                          checks=checks, **fields))
        judged = data(f"{folder}-{split}")
        judged.options.add(key="bad_is_missing", value="true")
        result = admin.done("validate", model=version, data=[judged],
                            reference=data(f"{folder}-ref"), policy=name)
        report = admin.report(result.report_id)
        return report, {each.name: each for each in report.checks}

    def compare(self, folder):
        manifest = json.loads(read(folder, "manifest.json"))
        golden = json.loads(read(folder, "golden.json"))
        for split in SPLITS:
            admin.dataset(f"{folder}-{split}", read(folder, split + ".csv"))
        models = {about["name"]: about for about in manifest["models"]}
        table = Table(self)
        for name in MODELS[folder]:
            version = self.bring(folder, models[name], manifest)
            for split in SPLITS:
                report, checks = self.judged(version, folder, split, drifts(),
                                             "golden-" + folder)
                about = golden["models"][name]
                where = f"{folder} {name} {split} "
                show_metrics(table, where, TASKS[folder], report, about[split])
                if split != "ref" and TASKS[folder] != MULTICLASS:
                    show_drift(table, where, "(prediction)", about["prediction_drift"][split],
                               checks)
        table.end()

    def test_parts_of_the_data_have_the_golden_metrics(self):
        """Ten parts of a split, whose borders are at each tenth of its rows, rounded down."""
        table = Table(self)
        for folder, name in (("california", "gbr"), ("adult", "gbc"), ("wine", "logreg")):
            manifest = json.loads(read(folder, "manifest.json"))
            golden = json.loads(read(folder, "golden.json"))["models"][name]["cur"]
            admin.dataset(f"{folder}-cur", read(folder, "cur.csv"))
            version = self.bring(folder, dict(next(
                each for each in manifest["models"] if each["name"] == name),
                name="parts"), manifest)
            rows = golden["metrics"]["n"]
            borders = [at * rows // 10 for at in range(11)]
            for at, (first, end) in enumerate(zip(borders, borders[1:])):
                result = admin.done("validate", model=version, policy="parts", data=[
                    evidence_pb2.DataRef(name=f"{folder}-cur", first_row=first, rows=end - first)])
                metrics = {each.key: each.value
                           for each in admin.report(result.report_id).metrics}
                for theirs, about in golden["stability"].items():
                    ours = {"f1_macro": "macro_f1"}.get(theirs, theirs)
                    table.row(f"{folder} {name} cur part {at + 1} {ours}", metrics[ours],
                              about["per_chunk"][at], 5e-6)
        table.end()

    def test_a_regressor_has_the_golden_metrics(self):
        self.compare("california")

    def test_a_classifier_of_two_has_the_golden_metrics(self):
        self.compare("adult")

    def test_a_classifier_of_many_has_the_golden_metrics(self):
        self.compare("wine")

    def bring_any(self, folder, name):
        """A version to hang reports about the data alone on, and the data."""
        manifest = json.loads(read(folder, "manifest.json"))
        for split in (*SPLITS, "dirty"):
            admin.dataset(f"{folder}-{split}", read(folder, split + ".csv"))
        return self.bring(folder, dict(manifest["models"][0], name=name), manifest)

    def test_drift_is_the_golden_one(self):
        table = Table(self)
        for folder in MODELS:
            version = self.bring_any(folder, "drift")
            for split, golden in json.loads(read(folder, "golden.json"))["drift"].items():
                _, checks = self.judged(version, folder, split, drifts(list(golden)),
                                        "drift-" + folder, data_only=True)
                for column in golden:
                    show_drift(table, f"{folder} {split} ", column, golden[column], checks)
        table.end()

    def test_quality_is_the_golden_one(self):
        table = Table(self)
        for folder in MODELS:
            version = self.bring_any(folder, "quality")
            golden = json.loads(read(folder, "golden.json"))
            for split in ("ref", "dirty"):
                _, checks = self.judged(version, folder, split, [evidence_pb2.CheckSpec(
                    name="quality", kind="data_quality")], "quality", data_only=True)
                show_quality(table, f"{folder} {split} ", golden["quality_" + split],
                             checks["quality"])
        table.end()


class HostileModels(unittest.TestCase):
    """Each is opened as a version's file; whatever it does, the next honest one is served."""

    # Files that are sound, though what they answer need not be.
    SOUND = ("ok", "ok-or-reject", "ok-or-timeout", "ok-row-by-row", "ok-or-bad-prediction",
             "bad-prediction", "bad-signature")

    def test_one_that_never_ends_is_given_up_the_second_time(self):
        """Somebody signed for it, so it is asked: its child is killed, and the task is poison."""
        version = admin.bring("endless", read("hostile", "models", "infinite_loop.onnx"))
        columns = [common_pb2.Column(name=f"x{i}", type=common_pb2.COLUMN_TYPE_FLOAT32)
                   for i in range(8)]
        signer = Person(suite, "validator")
        self.addCleanup(signer.close)
        signer.get("SetSignature", model="endless", version=version.version, ready=True,
                   signature=common_pb2.Signature(inputs=columns, task=REGRESSION, outputs=[
                       common_pb2.Column(name="y", type=common_pb2.COLUMN_TYPE_FLOAT32)]))
        admin.dataset("numbers", as_csv([f"x{i}" for i in range(8)] + ["y"],
                                        [[row] * 9 for row in range(20)]))
        before = admin.stats()["sandbox_crashes"]
        job = admin.wait(admin.submit("validate", model="endless", target="y",
                                      data=[data("numbers")]))
        self.assertEqual((job.state, job.crashes), (orchestrator.TASK_STATE_POISONED, 2))
        self.assertIn("endless@1.0.0", job.error)
        self.assertEqual(admin.stats()["sandbox_crashes"], before + 2)

    def test_every_one_ends_without_harm(self):
        listed = json.loads(read("hostile", "models.json"))
        honest = read("california", "models/linear.onnx")
        inputs = [common_pb2.Column(name=f"x{i}") for i in range(8)]
        expected = common_pb2.Signature(inputs=inputs)
        pid = suite.pid("validator0")
        jobs = {}
        for at, name in enumerate(sorted(listed)):
            if not listed[name]["bytes"]:
                continue  # an empty file never becomes an artifact
            model = f"hostile-{at}"
            admin.bring(model, read("hostile", "models", name))
            jobs[name] = (model, admin.submit("inspect", model=model, version="1.0.0",
                                              expected=expected))
        for name, (model, job_id) in jobs.items():
            with self.subTest(file=name, why=listed[name]["why"]):
                job = admin.wait(job_id)
                version = admin.version(model)
                if job.state == orchestrator.TASK_STATE_DONE:
                    self.assertIn(listed[name]["expect"], self.SOUND)
                    self.assertEqual(version.status, READY)
                elif listed[name]["expect"] == "bad-type":  # texts: of which task, nobody said
                    self.assertIn("does not say whether it is for regression", job.error)
                    self.assertNotEqual(version.status, READY)
                else:
                    self.assertEqual(job.state, orchestrator.TASK_STATE_FAILED)
                    self.assertNotEqual(listed[name]["expect"], "ok")
                    self.assertEqual(version.status, FAILED)
                    self.assertGreater(len(version.status_reason), 20)
                    self.assertTrue(job.error.startswith(f"{model}@1.0.0: the model: "), job.error)
        admin.bring("honest", honest)
        admin.done("inspect", model="honest", version="1.0.0", expected=expected)
        self.assertEqual(suite.pid("validator0"), pid)  # it was never started again


if __name__ == "__main__":
    if not ROOT:
        print("SKIPPED WHOLE: VALION_TEST_DATA is not set, so no model of real life was tried")
        sys.exit(0)
    # For what never ends: little time; for what eats: little memory.
    os.environ.update(VALION_MODEL_LOAD_MS="4000", VALION_MODEL_PREDICT_MS="4000",
                      VALION_MODEL_MEMORY_MIB="768")
    os.makedirs(args.var, exist_ok=True)
    suite.remove()
    suite.up()
    try:
        admin = Person(suite)
        done = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2)
        admin.close()
    finally:
        suite.remove()
    sys.exit(0 if done.result.wasSuccessful() else 1)
