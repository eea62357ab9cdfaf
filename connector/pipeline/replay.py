"""A person puts a dead letter, or something that was delivered, back into its lane."""

from __future__ import annotations
