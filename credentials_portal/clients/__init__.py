"""Remote systems: one module for each. They raise nothing, know no model, and log no person."""
