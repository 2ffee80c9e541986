"""Subcommands that live with the builder."""
