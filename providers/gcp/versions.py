"""How Google names a version of an object, and we: by its generation, which the event and the listing both carry.

Generations grow with every write of a key, so they order its versions as well. They are 64-bit numbers, today of 16
digits.
"""

_SEQUENCER_CHARS = 20


def sequencer_of(generation: str) -> str:
    """The place of this generation in its key's history, as text that compares as the number does."""
    return generation.rjust(_SEQUENCER_CHARS, "0")
