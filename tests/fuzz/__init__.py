"""The API as nobody sane uses it: fuzzed from its own description, and asked for what belongs to others."""
