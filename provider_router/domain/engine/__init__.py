"""The decision engine: pure and synchronous. `engine.DecisionEngine.decide` takes the nine steps in order.

| step | file |
| --- | --- |
| 1 field state | `engine.py`, `field.py` |
| 2 match | `match.py`, `limits.py` |
| 3 rules | `rules.py` |
| 4 security | `security.py` |
| 5 traits | `traits.py` |
| 6 score | `score.py` (the formula), `beliefs.py`, `standing.py` |
| 7 guarantees | `guarantees.py` (the algebra), `promise.py` |
| 8 control | `control.py` |
| 9 trace | the `Decision` itself |

What does not change from request to request is kept (`shortlist.py`, `standing.py`, `memo.py`).
"""
