"""Writes of `subsidy_requests`: the only code that changes requests, configurations and codes."""
