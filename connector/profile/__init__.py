"""Partner profiles: one TOML file a link, strictly read, every fault at its line."""

from connector.profile.load import load, parse
from connector.profile.model import Profile

__all__ = ["Profile", "load", "parse"]
