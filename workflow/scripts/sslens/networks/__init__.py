"""Networks: encoders, heads, layers, classifiers, export and inference."""
