"""Ids, strings and vectors: the search index. It has never heard of a newspaper."""
