"""One declaration, two directions: HL7 v2 messages to FHIR R4 resources and back."""

from .translator import Envelope, Outgoing, Translation, Translator

__all__ = ["Envelope", "Outgoing", "Translation", "Translator"]
