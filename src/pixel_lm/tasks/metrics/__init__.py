"""Metrics of the tasks: small functions on plain lists and arrays, each in agreement with a reference implementation.

`tagging`: accuracy of tags, and how many words were seen. `spans`: entities. `parsing`: attachment scores. `classification`:
the metrics of GLUE. `questions`: exact match and F1 of answers. Scores are between 0 and 1, those of answers in percent, as
they are published.
"""

from pixel_lm.tasks.metrics.tagging import IGNORED, accuracy, mean_and_deviation, tagging_scores

__all__ = ["IGNORED", "accuracy", "mean_and_deviation", "tagging_scores"]
