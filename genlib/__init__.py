"""genlib: kernels and key/value states for stateful text generation."""
