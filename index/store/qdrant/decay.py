"""Scores that fade with the time since a document's review became due, computed by the server."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from index.store.base import FADED_LEAST, HALF_LIFE_SECONDS

if TYPE_CHECKING:
    from qdrant_client import models

_WARN_AT = "metadata.warn_at"
#: Documents of unknown age fade like those that were due long ago.
_LONG_AGO = "1970-01-01T00:00:00Z"


def faded(nearest: models.QueryRequest, now: datetime) -> models.QueryRequest:
    """The question, its best points ranked anew by their scores times a factor: 1 for fresh and exempt
    documents, falling to `FADED_LEAST` afterwards."""
    from qdrant_client import models

    due = models.ExpDecayExpression(
        exp_decay=models.DecayParamsExpression(
            x=models.DatetimeKeyExpression(datetime_key=_WARN_AT),
            target=models.DatetimeExpression(datetime=now.isoformat()),
            midpoint=0.5,
            scale=HALF_LIFE_SECONDS,
        )
    )
    later = models.FieldCondition(key=_WARN_AT, range=models.DatetimeRange(gt=now))
    # Fresh is what is due later; the decay is the same on both sides of now.
    past = models.MultExpression(mult=[models.SumExpression(sum=[1.0, models.NegExpression(neg=later)]), due])
    kept = models.MultExpression(mult=[1 - FADED_LEAST, models.SumExpression(sum=[later, past])])
    score = models.MultExpression(mult=["$score", models.SumExpression(sum=[FADED_LEAST, kept])])
    first = models.Prefetch(
        query=nearest.query, using=nearest.using, filter=nearest.filter, limit=nearest.limit
    )
    return models.QueryRequest(
        prefetch=[first],
        query=models.FormulaQuery(formula=score, defaults={_WARN_AT: _LONG_AGO}),
        limit=nearest.limit,
        with_payload=False,
    )
