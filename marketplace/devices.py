"""What a browser says it is, in words that people know their devices by. Pure. It may lie; nothing is decided by it."""

from ipaddress import ip_address

BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", "an iPhone"), ("iPad", "an iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("CrOS", "a Chromebook"), ("Mac OS X", "a Mac"), ("Linux", "Linux"),
)  # fmt: skip


def device_of(user_agent: str) -> str:
    """Name a browser and its system.

    Example:
        >>> device_of("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        'Firefox on Linux'
        >>> device_of("curl/8.5.0")
        'an unknown device'
    """
    browser = next((name for mark, name in BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS if mark in user_agent), None)
    match browser, system:
        case None, None:
            return "an unknown device"
        case None, known:
            return f"a program on {known}"
        case known, None:
            return f"{known} on an unknown system"
        case _:
            return f"{browser} on {system}"


def address_of(said: str | None) -> str | None:
    """Read an address; None for anything else.

    Example:
        >>> address_of("192.0.2.7"), address_of("unix:")
        ('192.0.2.7', None)
    """
    try:
        return str(ip_address(said or ""))
    except ValueError:
        return None
