"""Exact match and F1 as the official SQuAD scripts compute them (evaluate-v1.1.py, evaluate-v2.0.py).

Rajpurkar et al., "SQuAD: 100,000+ Questions" (2016) and "Know What You Don't Know" (2018). One thing
differs: a question without a prediction scores 0 and stays in the total; the scripts leave it out.
"""

from spanserve.client.scores.answer import QuestionScore, normalize_answer, score_answer
from spanserve.client.scores.run import Average, Best, Scores, score_run

__all__ = ["Average", "Best", "QuestionScore", "Scores", "normalize_answer", "score_answer", "score_run"]
