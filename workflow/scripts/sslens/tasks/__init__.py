"""What is learned of images: a file and a schema for each task."""
