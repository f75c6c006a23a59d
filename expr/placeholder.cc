namespace expr {}
