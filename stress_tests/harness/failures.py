"""Why a run ends."""


class Failure(Exception):
    """A measurement could not be made, or contradicts itself."""


class BlindMonitor(Failure):
    """A monitor saw fewer dispatches than there were."""
