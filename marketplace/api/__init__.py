"""The marketplace over REST, for signed-in people and for anybody who reads."""
