"""Kernels without the compiler."""


def plain(kernel):
    """Return the Python function of a kernel that only kernels call: its machine code would take a second to make."""
    return getattr(kernel, "py_func", kernel)
