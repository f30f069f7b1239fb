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


class RealModels(unittest.TestCase):
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

    def compare(self, folder):
        manifest = json.loads(read(folder, "manifest.json"))
        golden = json.loads(read(folder, "golden.json"))
        for split in SPLITS:
            admin.dataset(f"{folder}-{split}", read(folder, split + ".csv"))
        models = {about["name"]: about for about in manifest["models"]}
        for name in MODELS[folder]:
            version = self.bring(folder, models[name], manifest)
            for split in SPLITS:
                result = admin.done("validate", model=version, data=[data(f"{folder}-{split}")])
                metrics = {each.key: each.value
                           for each in admin.report(result.report_id).metrics}
                for ours, theirs in METRICS[TASKS[folder]].items():
                    wanted = golden_number(golden["models"][name][split]["metrics"], theirs)
                    self.assertTrue(math.isclose(metrics[ours], wanted, rel_tol=5e-6),
                                    f"{version} on {split}: {ours} is {metrics[ours]!r} instead of "
                                    f"{wanted!r}")

    def test_a_regressor_has_the_golden_metrics(self):
        self.compare("california")

    def test_a_classifier_of_two_has_the_golden_metrics(self):
        self.compare("adult")

    def test_a_classifier_of_many_has_the_golden_metrics(self):
        self.compare("wine")

    def test_drift_is_the_golden_one(self):
        golden = json.loads(read("california", "golden.json"))["drift"]["cur"]
        for name in ("ref", "cur"):
            admin.dataset("drift-" + name, read("california", name + ".csv"))
        admin.bring("drifting", read("california", "models/xgb.json"),
                    target="median_house_value")
        admin.done("inspect", model="drifting", version="1.0.0",
                   expected=common_pb2.Signature(inputs=[
                       common_pb2.Column(name=name) for name in json.loads(
                           read("california", "manifest.json"))["features"]["numeric"]]))
        admin.get("PutPolicy", policy=evidence_pb2.Policy(
            name="drift", data_only=True, by_name_only=True, checks=[evidence_pb2.CheckSpec(
                name=method, kind="data_drift", columns=list(golden),
                parameters=[common_pb2.KeyValue(key="method", value=method)])
                for method in ("auto", "psi", "jensen_shannon")]))
        result = admin.done("validate", model="drifting", data=[data("drift-cur")],
                            reference=data("drift-ref"), policy="drift")
        auto, psi, shannon = ({each.column: each for each in check.columns
                               if each.method != "missing"}
                              for check in admin.report(result.report_id).checks)
        self.assertEqual(len(auto), 10)
        for name, column in auto.items():
            wanted = golden[name]
            if wanted["type"] == "numeric":
                rows = wanted["n_ref"] - wanted["missing_ref"]
                std = wanted["std_ref_ddof1"] * math.sqrt((rows - 1) / rows)
                size = wanted["quantile10"]
                pairs = ((column.statistic, wanted["ks"]["statistic"], 1e-9),
                         (column.p_value, wanted["ks"]["p_exact"], 1e-6),
                         (column.effect, max(wanted["wasserstein"] / std, size["psi_eps1e4"]),
                          1e-9))
            else:
                size = wanted
                pairs = ((column.statistic, wanted["chi2"]["statistic"], 1e-9),
                         (column.effect, max(wanted["js_distance_base2"], size["psi_eps1e4"]),
                          1e-9))
                # Two rows of a text are too few for the limit: p is another than scipy's.
                self.assertIn("Monte Carlo", column.note)
                self.assertAlmostEqual(column.p_value, wanted["chi2"]["p"], delta=0.1)
            for value, target, tolerance in (
                    *pairs, (psi[name].statistic, size["psi_eps1e4"], 1e-9),
                    (shannon[name].statistic, size["js_distance_base2"], 1e-9)):
                self.assertTrue(math.isclose(value, target, rel_tol=tolerance),
                                f"{name}: {value!r} instead of {target!r}")


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
