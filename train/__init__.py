"""Training, distillation and evaluation of EMUFormer's networks."""
