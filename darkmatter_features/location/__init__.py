"""The lens of a shape catalogue made elsewhere: position, significance, figure."""
