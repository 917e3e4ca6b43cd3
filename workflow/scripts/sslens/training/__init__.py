"""Training: the engine, optimisers, augmentations and views, pretraining and fine-tuning."""
