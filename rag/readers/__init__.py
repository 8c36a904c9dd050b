"""One small module a format: a file or upload becomes a Document."""
