"""What a shape catalogue made elsewhere may hide: conventions, values that stand for none, repeats, positions."""
