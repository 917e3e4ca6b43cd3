"""Simulated lenses: recipes, priors, catalogues drawn from them, and rendering."""
