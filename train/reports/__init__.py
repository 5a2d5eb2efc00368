"""Reports of a training, for people: figures before it, a line while it runs, curves and the model card after it."""
