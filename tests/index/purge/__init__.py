"""Tests of the room `index.purge`."""
