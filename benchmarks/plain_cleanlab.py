"""What cleanlab finds in the probabilities and labels of an .npz: by a Python that has it, as JSON on stdout."""

import json
import sys

import cleanlab
import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

with np.load(sys.argv[1]) as given:
    probabilities, labels = given["probabilities"].astype(float), given["labels"]
probabilities /= probabilities.sum(axis=1, keepdims=True)
found = {
    way: np.flatnonzero(find_label_issues(labels, probabilities, filter_by=way, n_jobs=1)).tolist()
    for way in ("prune_by_noise_rate", "confident_learning", "low_normalized_margin", "low_self_confidence")
}
scores = get_label_quality_scores(labels, probabilities)
print(json.dumps({"version": cleanlab.__version__, "found": found, "ranked": np.argsort(scores).tolist()}))
