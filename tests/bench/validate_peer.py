"""The work of a validation as people do it in Python, for bench_validate.py: pandas, scipy and
scikit-learn, one thread. Prints "ms MEDIAN".

    validate_peer.py TRAIN.csv REFERENCE.csv CURRENT.csv TARGET ROUNDS

Data is read and the model fitted once; predictions and statistics are computed each time, on both
sides: regression metrics, Kolmogorov and Smirnov's test and PSI a column, bias with its tests, R2 of
five folds, quality.
"""
import os
import statistics
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import numpy  # noqa: E402
import pandas  # noqa: E402
from scipy import stats  # noqa: E402
from sklearn import metrics  # noqa: E402
from sklearn.ensemble import GradientBoostingRegressor  # noqa: E402

train, reference, current = (pandas.read_csv(path) for path in sys.argv[1:4])
target, rounds = sys.argv[4], int(sys.argv[5])
inputs = [name for name in train.columns
          if name != target and pandas.api.types.is_numeric_dtype(train[name])]
means = train[inputs].mean()
model = GradientBoostingRegressor(n_estimators=200, max_depth=4, random_state=0)
model.fit(train[inputs].fillna(means).iloc[:5000].to_numpy(), train[target].iloc[:5000])


def psi(before, after):
    edges = numpy.quantile(before, numpy.linspace(0, 1, 11)[1:-1])
    shares = [numpy.bincount(numpy.searchsorted(edges, side), minlength=10) / len(side)
              for side in (before, after)]
    old, new = (numpy.where(share == 0, 1e-4, share) for share in shares)
    return float(numpy.sum((new - old) * numpy.log(new / old)))


def validate():
    predicted = [model.predict(side[inputs].fillna(means).to_numpy())
                 for side in (reference, current)]
    truth, guess = current[target].to_numpy(), predicted[1]
    found = [metrics.r2_score(truth, guess), metrics.mean_absolute_error(truth, guess),
             metrics.mean_squared_error(truth, guess), metrics.max_error(truth, guess),
             metrics.mean_absolute_percentage_error(truth, guess),
             metrics.median_absolute_error(truth, guess)]
    for name in inputs:
        before, after = reference[name].dropna(), current[name].dropna()
        found += [stats.ks_2samp(before, after).pvalue, psi(before, after)]
    found.append(stats.ks_2samp(*predicted).pvalue)
    residuals = truth - guess
    found += [abs(residuals.mean()) / residuals.std(), stats.shapiro(residuals[:5000]).pvalue,
              numpy.corrcoef(guess, abs(residuals))[0, 1]]
    found += [metrics.r2_score(*part) for part in zip(numpy.array_split(truth, 5),
                                                      numpy.array_split(guess, 5))]
    low, high = (current[inputs].quantile(q) for q in (0.25, 0.75))
    outside = (current[inputs] < low - 1.5 * (high - low)) | \
        (current[inputs] > high + 1.5 * (high - low))
    return found + [current.isna().to_numpy().mean(), outside.to_numpy().sum() / len(current),
                    current.duplicated().mean()]


validate()
took = []
for _ in range(rounds):
    begin = time.monotonic()
    validate()
    took.append((time.monotonic() - begin) * 1000)
print("ms", statistics.median(took))
