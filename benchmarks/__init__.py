"""Benchmarks of freshkb's promises about speed, memory and cost of a change: ``python -m benchmarks``.

==============  ==========================================================================================
`measure`       a row of the table, the sizes at which things are measured, clocks
`machine`       what the figures were measured on
`corpus`        the real Markdown documents that are measured with, and prose made of their words
`workplace`     temporary knowledge bases
themes          `embedding`, `planning`, `editing`, `searching`, `parsing`, `processes`: a function for each
                measure, from a `Bench` to rows
==============  ==========================================================================================

Every ratio is of two things done alternately in one run. Preparation (files, ledgers and indexes) is not on
the clock. Where the content of vectors does not matter,
vectors are derived from a hash of the text, so that only the measures of embedding take minutes.
"""
