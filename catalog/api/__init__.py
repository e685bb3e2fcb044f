"""Backstage's catalog REST API over our catalog; README.md says how to use it."""
