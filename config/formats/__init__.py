"""How numbers and instants are written where Django writes them: the consoles. Named in FORMAT_MODULE_PATH."""
