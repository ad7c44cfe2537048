"""Reads that `entitlements` offers to its own interfaces and to the portal's pages."""
