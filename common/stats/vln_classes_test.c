#include "vln_classes.h"

#include <criterion/criterion.h>

#include "test_golden.h"

enum { ROWS = 300, CLASSES = 3 };

/* Three classes by the golden generator, and probabilities that know something of them. */
static int32_t truth[ROWS];
static int32_t predicted[ROWS];
static uint8_t hits[ROWS];
static double probabilities[ROWS * CLASSES];
static double said[ROWS];
static uint64_t matrix[CLASSES * CLASSES];

static void
setup(void)
{
    double *classes = golden_numbers(31, ROWS, 1, 0);
    for (uint32_t k = 0; k < CLASSES; k++) {
        double *values = golden_numbers(32 + k, ROWS, 1, 0);
        for (size_t i = 0; i < ROWS; i++) {
            truth[i] = classes[i] < 1.2 ? 0 : classes[i] < 1.8 ? 1 : 2;
            probabilities[i * CLASSES + k] = values[i] + (truth[i] == (int32_t)k ? 0.5 : 0);
        }
        free(values);
    }
    free(classes);
    for (size_t i = 0; i < ROWS; i++) {
        double *row = &probabilities[i * CLASSES];
        double sum = row[0] + row[1] + row[2];
        predicted[i] = 0;
        for (int32_t k = 0; k < CLASSES; k++) {
            row[k] /= sum;
            predicted[i] = row[k] > row[predicted[i]] ? k : predicted[i];
        }
        said[i] = row[predicted[i]];
        hits[i] = predicted[i] == truth[i];
    }
    vln_classes_count(truth, predicted, ROWS, CLASSES, matrix);
}

TestSuite(vln_classes, .init = setup);

/* The values are by the definitions, in exact or compensated arithmetic. */
Test(vln_classes, the_confusion_matrix_gives_the_golden_scores)
{
    static const uint64_t golden[] = {43, 21, 15, 29, 77, 21, 18, 19, 57};
    vln_class_scores_t scores;
    vln_classes_scores(matrix, CLASSES, &scores);
    for (size_t i = 0; i < CLASSES * CLASSES; i++) {
        cr_expect(matrix[i] == golden[i]);
    }
    must_be_stat("accuracy", scores.accuracy, 0.59, 1e-14);
    must_be_stat("balanced", scores.balanced_accuracy, 0.5856619962633947, 1e-14);
    must_be_stat("macro precision", scores.macro.precision, 0.5829335539012958, 1e-14);
    must_be_stat("macro recall", scores.macro.recall, 0.5856619962633947, 1e-14);
    must_be_stat("macro f1", scores.macro.f1, 0.5832163163592583, 1e-14);
    must_be_stat("weighted precision", scores.weighted.precision, 0.5964618141714917, 1e-14);
    must_be_stat("weighted recall", scores.weighted.recall, 0.59, 1e-14);
    must_be_stat("weighted f1", scores.weighted.f1, 0.5922057799036511, 1e-14);
    must_be_stat("micro f1", scores.micro.f1, 0.59, 1e-14);
    must_be_stat("mcc", scores.mcc, 0.3783411296126683, 1e-12);
    must_be_stat("kappa", scores.kappa, 0.3776248545261346, 1e-13);
}

Test(vln_classes, each_class_has_its_own)
{
    vln_class_score_t first = vln_classes_score(matrix, CLASSES, 0);
    must_be_stat("precision", first.precision, 0.4777777777777778, 1e-15);
    must_be_stat("recall", first.recall, 0.5443037974683544, 1e-15);
    must_be_stat("f1", vln_classes_score(matrix, CLASSES, 2).f1, 0.6096256684491979, 1e-15);
    cr_expect(first.rows == 79);
}

Test(vln_classes, curves_of_many_classes_are_golden)
{
    vln_class_auc_t auc;
    vln_classes_auc(truth, probabilities, ROWS, CLASSES, &auc);
    must_be_stat("ovr macro", auc.ovr_macro, 0.8083280724505711, 1e-13);
    must_be_stat("ovr weighted", auc.ovr_weighted, 0.8103429448983269, 1e-13);
    must_be_stat("ovo macro", auc.ovo_macro, 0.8080750191036247, 1e-13);
    must_be_stat("ovo weighted", auc.ovo_weighted, 0.8087323260545165, 1e-13);
    must_be_stat("average precision", auc.average_precision, 0.6997175496788596, 1e-13);
    must_be_stat("brier", vln_classes_brier(truth, probabilities, ROWS, CLASSES),
                 0.5541734331432998, 1e-13);
    for (size_t i = 0; i < ROWS; i++) {
        truth[i] = truth[i] == 2 ? 1 : truth[i];
    }
    vln_classes_auc(truth, probabilities, ROWS, CLASSES, &auc);
    cr_expect(!auc.ovr_macro.defined && auc.ovr_macro.why == VLN_STAT_ONE_CLASS);
}

Test(vln_classes, calibration_is_golden)
{
    static const uint64_t rows[] = {0, 0, 0, 96, 159, 42, 3, 0, 0, 0};
    vln_calibration_t found;
    vln_classes_calibration(said, hits, ROWS, &found);
    must_be_stat("ece", found.ece, 0.17998155804177352, 1e-13);
    must_be_stat("worst", found.worst, 0.39484298238001536, 1e-13);
    for (size_t i = 0; i < VLN_CALIBRATION_BINS; i++) {
        cr_expect(found.rows[i] == rows[i]);
    }
    const double certain[] = {0, 1};
    const uint8_t as_said[] = {0, 1};
    vln_classes_calibration(certain, as_said, 2, &found);
    cr_expect(found.ece.value == 0 && found.rows[0] == 1 && found.rows[9] == 1);
}

Test(vln_classes, what_cannot_be_told_says_why)
{
    static const int32_t same[] = {1, 1};
    vln_class_scores_t scores;
    uint64_t few[4];
    vln_classes_count(same, same, 2, 2, few);
    vln_classes_scores(few, 2, &scores);
    cr_expect(scores.accuracy.value == 1 && scores.macro.f1.value == 1);
    cr_expect(scores.mcc.defined && scores.mcc.why == VLN_STAT_ONE_CLASS);
    cr_expect(!scores.kappa.defined);
    vln_classes_count(same, same, 0, 2, few);
    vln_classes_scores(few, 2, &scores);
    cr_expect(!scores.accuracy.defined && scores.accuracy.why == VLN_STAT_EMPTY);
    vln_class_score_t never = vln_classes_score(few, 2, 0);
    cr_expect(never.precision.why == VLN_STAT_NO_PREDICTED);
}
