"""What can stop a launch, each in one plain line that says what to do."""


class CannotLaunchError(Exception):
    """Say in one line what is wrong and what to do; the command line prints it and exits 1."""


def last_line(text: str) -> str:
    """Return the last line of a log that says something, or a placeholder when there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
