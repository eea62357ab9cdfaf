"""What a person reads of the log: a review of a period, and the accounting of disclosures for one patient.

One pass over the entries; plain values come out (``report``), and ``page`` and ``terminal`` show them.
"""

from audit.review.looks import Hours, hours_of
from audit.review.page import html
from audit.review.period import Asked
from audit.review.report import Report
from audit.review.reviewing import Review, reviewed
from audit.review.seals import Seal
from audit.review.terminal import text

__all__ = ["Asked", "Hours", "Report", "Review", "Seal", "hours_of", "html", "reviewed", "text"]
