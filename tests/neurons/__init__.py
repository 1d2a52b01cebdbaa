"""Tests of the miner and validator programs."""
