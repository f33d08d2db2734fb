"""Migrations of the dashboard's database."""
