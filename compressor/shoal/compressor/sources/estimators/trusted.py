"""Which types a .skops file may hold: Shoal's own list, beyond what skops itself lets through.

skops trusts plain containers, numpy arrays, scipy's and numpy's universal functions and every
public estimator of scikit-learn. The private types below are what fitted models of the tested kinds
carry besides. None of them runs code when it is built or set; what the native ones index is checked
by `bounds` before anything predicts.
"""

from typing import Final

TYPES: Final = frozenset(
    {
        # trees, forests, boosting; their nodes are checked by `bounds`
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        # losses of boosting and of generalised linear models
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        # what a multilayer perceptron keeps of its training
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        # score functions of feature selection: names of functions, called by `fit` alone
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.feature_selection._mutual_info.mutual_info_classif",
        "sklearn.feature_selection._mutual_info.mutual_info_regression",
        # calibration of classifiers
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        # search trees of neighbours: given up by `bounds` before they are searched
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        # names of the members of voting and stacking: a dictionary
        "sklearn.utils._bunch.Bunch",
        # remembered column kinds of imputers and encoders
        "numpy.dtype",
    }
)
