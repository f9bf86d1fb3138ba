"""Why a run ends."""


class Failure(Exception):
    """A measurement could not be made, or contradicts itself."""
