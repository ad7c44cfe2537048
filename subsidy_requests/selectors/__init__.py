"""Reads that `subsidy_requests` offers to its own interfaces and to the portal's pages."""
