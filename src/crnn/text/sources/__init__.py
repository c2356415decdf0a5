"""Texts, files and lists of documents as ids."""
