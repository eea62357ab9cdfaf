"""Fuzzing guided by coverage (atheris): one module a target, each with one invariant.

A target has ``check(data)``, which raises where its invariant does not hold, ``WORDS`` for the mutator's
dictionary, and ``mutated`` where its inputs have a form of their own. What is kept in ``corpus/<target>/``
is where every run begins, and every file of it is a test: an input that broke an invariant goes there.
"""
