"""Imports every target, made to tell what of it ran: once for all that are forked from here."""

from __future__ import annotations

import importlib

import atheris

from tests.fuzz.running import TARGETS

with atheris.instrument_imports(include=["connector", "audit"]):
    for name in TARGETS:
        importlib.import_module(f"tests.fuzz.{name}")
