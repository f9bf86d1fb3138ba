"""Measures the library against what one would use instead, and writes it down."""
