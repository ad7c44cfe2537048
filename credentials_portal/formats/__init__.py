"""How dates are written where Django writes them, as in the admin's lists: as on the portal's own pages."""
