"""Fit the classic: logistic regression on iris, saved for shoal-compress with the rows it needs.

    python train.py --out DIR

DIR receives model.skops (a scaler and a logistic regression), train.npz (inputs `x`, labels `y`),
calibration.npz (the same inputs) and evaluation.npz (rows that the model has not seen). The data
are scikit-learn's 150 flowers, one of them a copy of another: 89 to train on and 60 to evaluate,
stratified. The same versions write the same numbers.
"""

import argparse
from pathlib import Path

import numpy as np
import skops.io
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    """Fit, save, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder to write to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    data = load_iris()
    rows, first = np.unique(data.data.astype(np.float32), axis=0, return_index=True)
    x_train, x_test, y_train, y_test = train_test_split(
        rows, data.target[first], test_size=60, stratify=data.target[first], random_state=0
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=1_000))
    model.fit(x_train, y_train)

    skops.io.dump(model, out / "model.skops")
    np.savez(out / "train.npz", x=x_train, y=y_train)
    np.savez(out / "calibration.npz", x=x_train)
    np.savez(out / "evaluation.npz", x=x_test, y=y_test)

    weights = np.abs(model[-1].coef_).mean(axis=0)
    for name, weight in sorted(zip(data.feature_names, weights, strict=True), key=lambda p: -p[1]):
        print(f"{name:20} |coefficient| {weight:.2f}")
    print(f"accuracy on {len(x_test)} flowers: {model.score(x_test, y_test):.3f}")


if __name__ == "__main__":
    main()
