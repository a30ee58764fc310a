"""Special functions and integrals that keep their accuracy; no idea of customers."""
