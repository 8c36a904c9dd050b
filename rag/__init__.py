"""Articles, passages, evidence and citations: what Wenju knows about newspapers."""

__version__ = "0.1.0"
