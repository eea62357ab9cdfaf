"""Laws are tried on the same examples in every run; ``make fuzz`` looks for new ones."""

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("steady")
