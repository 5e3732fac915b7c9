"""Scores that fade with the time since a document's review became due, computed by the engine."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import qdrant_edge as engine

from index.model import rfc3339
from index.store.base import FADED_LEAST, HALF_LIFE_SECONDS

_WARN_AT = "metadata.warn_at"
#: Documents of unknown age fade like those that were due long ago.
_LONG_AGO = "1970-01-01T00:00:00Z"


def faded(nearest: engine.QueryRequest, now: datetime) -> engine.QueryRequest:
    """The question, its best points ranked anew by their scores times a factor: 1 for fresh and exempt
    documents, falling to `FADED_LEAST` afterwards."""
    expression: Any = engine.Expression
    later = engine.FieldCondition(_WARN_AT, range=engine.RangeDateTime(gt=rfc3339(now)))
    due = expression.Decay(
        engine.DecayKind.Exp,
        expression.DatetimeKey(_WARN_AT),
        expression.Datetime(rfc3339(now)),
        0.5,
        HALF_LIFE_SECONDS,
    )
    fresh = expression.Max([expression.Condition(later), due])
    kept = expression.Mult([expression.Constant(1 - FADED_LEAST), fresh])
    factor = expression.Sum([expression.Constant(FADED_LEAST), kept])
    score = expression.Mult([expression.Variable("$score"), factor])
    first = engine.Prefetch(
        limit=nearest.limit, query=nearest.query, filter=nearest.filter, params=nearest.params
    )
    return engine.QueryRequest(
        limit=nearest.limit, prefetches=[first], query=engine.Formula(score, {_WARN_AT: _LONG_AGO})
    )
